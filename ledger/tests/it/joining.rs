//! Validators that come and go by vote while the others run, in a mesh on real sockets and disks: whoever is to come
//! follows before, votes from its height on, and whoever was dismissed goes on following.

use crate::governance::proposal;
use crate::mesh::{all_stop, Net};
use crate::network::{height_reached, submission};
use crate::registry::{key, registration};
use crate::world::{id, party, transfer, validator, NOW_MS};
use broker::link::{Link, LinkEvent};
use ledger::validator::{start, ValidatorHandle};
use ledger::verify::{replay, verify_dir};
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;
use wire::entry::governance::{BallotEntry, GovernedChange};
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::party::Role;
use wire::replay::COMMAND;

/// Seed of the newcomer's key.
const NEW: u8 = 77;
/// From this height on a change holds.
const CHANGED: u64 = 8;

struct Scene {
    net: Net,
    /// Validators that run, and whose height is waited for.
    running: Vec<ValidatorHandle>,
    site: (Link, Receiver<LinkEvent>),
    nonce: u64,
}

impl Scene {
    /// Four validators, and a broker for a fifth.
    async fn new() -> Scene {
        let net = Net::with_brokers(5).await;
        let running = (1..=4).map(|index| net.validator(index)).collect();
        let signer = net.world.signers[&party(Role::Site, "s1")].clone();
        let site = net.party_on(signer, vec![vec![net.address(2)], vec![net.address(3)]]).await;
        Scene { net, running, site, nonce: 0 }
    }

    /// Validator 5, started for the `boot`th time.
    fn newcomer(&self, boot: u64) -> ValidatorHandle {
        let network = self.net.world.genesis.network.clone();
        let signer = Arc::new(Signer::new(network, validator(5), key(NEW), NOW_MS + boot));
        start(self.net.config_with(5, signer, prometheus::Registry::new())).unwrap()
    }

    fn height(&self) -> u64 {
        *self.running[0].height().borrow()
    }

    async fn all_reach(&self, height: u64) {
        for handle in &self.running {
            height_reached(handle, height).await;
        }
    }

    /// One more block, with a transfer.
    async fn grow(&mut self) {
        let height = self.height() + 1;
        self.site.0.send(submission(transfer(self.nonce, 5))).unwrap();
        self.nonce += 1;
        self.all_reach(height).await;
    }

    async fn grow_to(&mut self, height: u64) {
        while self.height() < height {
            self.grow().await;
        }
    }

    /// Proposed by validator 1, voted for by three; holds from [`CHANGED`] on.
    async fn change(&mut self, change: GovernedChange) {
        let entry = proposal(CHANGED, change);
        let vote = Entry::Ballot(BallotEntry { proposal: entry.id().unwrap(), approve: true });
        let mut said = vec![(1, Entry::Proposal(Box::new(entry)))];
        said.extend((1..=3).map(|by| (by, vote.clone())));
        for (count, (by, entry)) in (0..).zip(said) {
            let network = self.net.world.genesis.network.clone();
            let boot = (NOW_MS + count) | COMMAND;
            let signer = Signer::new(network, validator(by), key(8 + by as u8), boot);
            let (link, _events) = self.net.party_on(Arc::new(signer), vec![vec![self.net.address(4)]]).await;
            let height = self.height() + 1;
            link.send(submission(entry)).unwrap();
            self.all_reach(height).await;
        }
        assert!(self.height() < CHANGED - 1);
    }

    async fn stop(&mut self, place: usize) {
        let handle = self.running.remove(place);
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }

    /// Places of those who voted for each block of a validator's ledger, which verifies as a whole.
    fn voters(&self, of: usize) -> Vec<Vec<u16>> {
        verify_dir(&self.net.data(of), &mut |_, _| {}).unwrap();
        let blocks = replay(&self.net.data(of)).unwrap();
        let voters = |signatures: &[(u16, _)]| signatures.iter().map(|(place, _)| *place).collect();
        blocks.map(|block| voters(&block.unwrap().decided.certificate.signatures)).collect()
    }
}

#[actix::test]
async fn a_validator_to_come_follows_and_votes_from_its_height_on() {
    let mut scene = Scene::new().await;
    let newcomer = scene.newcomer(0);
    scene.grow_to(2).await;
    let admit = vec![registration(&scene.net.world, &validator(5), NEW)];
    scene.change(GovernedChange::Validators { admit, dismiss: vec![] }).await;
    // Known from the proposal on, it is told what it missed.
    scene.running.push(newcomer);
    scene.grow_to(CHANGED - 1).await;
    // Of five, four must vote.
    scene.stop(0).await;
    scene.grow_to(CHANGED + 1).await;
    let Scene { running, .. } = &mut scene;
    all_stop(std::mem::take(running)).await;
    let voters = scene.voters(5);
    let (before, after) = voters.split_at(CHANGED as usize - 1);
    assert!(before.iter().flatten().all(|place| *place < 4), "{before:?}");
    assert!(after.iter().all(|places| *places == [1, 2, 3, 4]), "{after:?}");
}

#[actix::test]
async fn it_may_be_started_only_after_it_was_admitted() {
    let mut scene = Scene::new().await;
    let admit = vec![registration(&scene.net.world, &validator(5), NEW)];
    scene.change(GovernedChange::Validators { admit, dismiss: vec![] }).await;
    scene.grow_to(CHANGED + 2).await;
    let newcomer = scene.newcomer(0);
    scene.running.push(newcomer);
    scene.grow().await;
    scene.stop(0).await;
    scene.grow().await;
    let Scene { running, .. } = &mut scene;
    all_stop(std::mem::take(running)).await;
    assert_eq!(scene.voters(5).last().unwrap(), &[1, 2, 3, 4]);
}

#[actix::test]
async fn a_validator_that_was_dismissed_goes_on_following_also_after_a_restart() {
    let mut scene = Scene::new().await;
    scene.change(GovernedChange::Validators { admit: vec![], dismiss: vec![id("v4")] }).await;
    scene.grow_to(CHANGED + 1).await;
    scene.stop(3).await;
    scene.grow().await;
    scene.grow().await;
    let network = scene.net.world.genesis.network.clone();
    let signer = Arc::new(Signer::new(network, validator(4), key(12), NOW_MS + 1));
    let again = start(scene.net.config_with(4, signer, prometheus::Registry::new())).unwrap();
    scene.running.push(again);
    // With the next block it hears that it is behind, and is told the rest.
    scene.grow().await;
    let Scene { running, .. } = &mut scene;
    all_stop(std::mem::take(running)).await;
    let voters = scene.voters(4);
    assert!(voters[CHANGED as usize - 1..].iter().all(|places| *places == [0, 1, 2]), "{voters:?}");
}
