//! A validator that lies to everyone who would believe it: decided blocks that nobody decided, and snapshots of
//! such, without votes or with votes of validators it made up.

use super::bug::{good, precommit};
use super::world::World;
use crate::block::vote::VoteCertificate;
use crate::block::{Block, DecidedBlock, Header};
use crate::consensus::message::{ConsensusMessage, SnapshotPart};
use crate::execute::{build_block, Executed};
use crate::governed::succession::Lineage;
use crate::governed::Provisions;
use crate::snapshot::{chunks, Snapshot};
use crate::validator::core::ValidatorCore;
use ed25519_dalek::SigningKey;
use rand::rngs::SmallRng;
use rand::Rng;
use std::sync::Arc;
use wire::envelope::Signer;
use wire::party::{Id, PartyId, Role};

/// Which validator it is.
pub const FORGER: usize = 3;
/// First byte of the keys of validators it made up; no other key begins so.
const MADE_UP: u8 = 200;

/// What it holds ready for whoever asks on.
#[derive(Debug, Default)]
pub struct Forger {
    /// The last forged snapshot's height, and its state's encoding.
    snapshot: Option<(u64, Vec<u8>)>,
}

impl Forger {
    /// A block on the chain that its victim has, with the forger's vote in everyone's place.
    pub fn block(world: &World, victim: &ValidatorCore, wall_ms: u64) -> Option<Vec<u8>> {
        let (block, _) = follow_up(world, victim, wall_ms)?;
        let certificate = its_own(world, victim, &block.header);
        DecidedBlock { block, certificate }.encode().ok()
    }

    /// What it answers to a question by a validator that has this chain.
    pub fn answer(
        &mut self,
        world: &World,
        question: &[u8],
        (victim, wall_ms): (&ValidatorCore, u64),
        random: &mut SmallRng,
    ) -> Option<Vec<u8>> {
        let me = world.name(FORGER);
        let tip = victim.tip().height;
        let answer = match ConsensusMessage::decode(question).ok()? {
            ConsensusMessage::Request { of, .. } if of == *me => {
                let ahead = if random.random_bool(0.2) { u64::MAX - tip } else { random.random_range(2..9) };
                ConsensusMessage::Pruned { lowest: tip + 2, tip: tip + ahead }
            }
            ConsensusMessage::SnapshotRequest { part: SnapshotPart::Manifest, of } if of == *me => {
                let snapshot = match random.random_bool(0.5) {
                    true => without_votes(world, victim, wall_ms)?,
                    false => by_strangers(world, victim, wall_ms)?,
                };
                let (manifest, encoded) = snapshot.split().ok()?;
                self.snapshot = Some((manifest.height(), encoded));
                ConsensusMessage::Manifest(manifest.encode().ok()?.into())
            }
            ConsensusMessage::SnapshotRequest { part: SnapshotPart::Chunk { height, index }, of } => {
                let (at, encoded) = self.snapshot.as_ref().filter(|_| of == *me)?;
                let chunk = chunks(encoded).nth(index as usize).filter(|_| height == *at)?;
                ConsensusMessage::Chunk { height, index, bytes: chunk.to_vec().into() }
            }
            _ => return None,
        };
        answer.encode().ok()
    }
}

/// A block that follows on the victim's chain.
fn follow_up(world: &World, victim: &ValidatorCore, wall_ms: u64) -> Option<(Block, Executed)> {
    let entry = world.transfer(world.decided(victim.state()), 1_000).ok()?;
    let by = (world.name(FORGER), wall_ms);
    build_block(victim.rules(), victim.tip(), victim.state(), by, [&entry].into_iter())
}

/// A certificate with the forger's vote in everyone's place.
fn its_own(world: &World, victim: &ValidatorCore, header: &Header) -> VoteCertificate {
    let signature = precommit(header, FORGER as u16).sign(world.ledger(), &world.validators[FORGER].key());
    let voters = 0..victim.rules().verifier.validators().len() as u16;
    VoteCertificate { round: 0, signatures: voters.map(|voter| (voter, signature)).collect() }
}

/// A snapshot of such a block, for which the forger alone voted.
fn without_votes(world: &World, victim: &ValidatorCore, wall_ms: u64) -> Option<Snapshot> {
    let (block, executed) = follow_up(world, victim, wall_ms)?;
    let certificate = its_own(world, victim, &block.header);
    Some(Snapshot {
        previous: victim.tip().clone(),
        header: block.header,
        certificate,
        state: executed.state,
        lineage: Lineage::default(),
    })
}

/// A snapshot whose state gives every other validator a key of the forger's, and for whose block all of these
/// voted.
fn by_strangers(world: &World, victim: &ValidatorCore, wall_ms: u64) -> Option<Snapshot> {
    let (block, executed) = follow_up(world, victim, wall_ms)?;
    let (mut state, mut header) = (executed.state, block.header);
    let names: Vec<_> = state.governed().validators.iter().cloned().collect();
    let signer = |(place, name): (u8, Id)| {
        let (party, key) = (PartyId::new(Role::Validator, name), SigningKey::from_bytes(&[place; 32]));
        Arc::new(Signer::new(world.genesis.network.clone(), party, key, 0))
    };
    let mut signers: Vec<Arc<Signer>> = (MADE_UP..).zip(names).map(signer).collect();
    let itself = signers.iter_mut().find(|signer| signer.party().id == *world.name(FORGER));
    *itself? = world.validators[FORGER].clone();
    let theirs = |provisions: &mut Provisions| {
        for signer in &signers {
            if let Some(member) = provisions.members.get_mut(signer.party()) {
                Arc::make_mut(member).participant.key = signer.public_key();
            }
        }
    };
    state.govern(|governed| governed.edit(theirs));
    header.governed = state.governed().hash();
    header.state_hash = state.hash();
    let certificate = good(&header, world.ledger(), &signers);
    let (previous, lineage) = (victim.tip().clone(), Lineage::default());
    Some(Snapshot { previous, header, certificate, state, lineage })
}
