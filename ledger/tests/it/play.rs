//! A town whose state entries change one by one, for tests of contracts.

use crate::contracts::run;
use crate::day::{clearing, delivery};
use crate::world::{id, party, World, INTERVAL, NOW_MS};
use ed25519_dalek::SigningKey;
use ledger::contracts::rules::Rules;
use ledger::state::State;
use market::charges::Charges;
use market::interval::Interval;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::party::{Id, Participant, PartyId, Role};

/// The test market with two gateways, and with these charges.
pub fn town(charges: Charges) -> World {
    let mut world = World::new(1);
    for (seed, name) in [(101, "bank"), (102, "other-bank")] {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let party = party(Role::Gateway, name);
        world.genesis.participants.push(Participant {
            party: party.clone(),
            key: Hash32(key.verifying_key().to_bytes()),
            account: id(&format!("account-{name}")),
            ..world.genesis.participants[0].clone()
        });
        let network = world.genesis.network.clone();
        world.signers.insert(party.clone(), Arc::new(Signer::new(network, party, key, NOW_MS)));
    }
    world.genesis.parameters.charges = charges;
    world.rules = Arc::new(Rules::new(&world.genesis).unwrap());
    world
}

/// A town, its state, and what entries do to it.
pub struct Play {
    pub world: World,
    pub state: State,
}

impl Play {
    pub fn new(charges: Charges) -> Self {
        let world = town(charges);
        let state = world.chain().state;
        Self { world, state }
    }

    pub fn pays(&mut self, by: &PartyId, entry: Entry) -> Result<BTreeMap<Id, i64>, &'static str> {
        let opened = self.world.opened(by, entry);
        run(&self.world, &mut self.state, &opened)
    }

    #[track_caller]
    pub fn check(&mut self, by: &PartyId, entry: Entry, expected: Result<(), &'static str>) {
        assert_eq!(self.pays(by, entry).map(|_| ()), expected);
        assert_eq!(self.state.total_nano_eur(), i128::from(self.state.issued().0));
    }

    pub fn eur(&self, account: &str) -> i64 {
        self.state.balance(&id(account)).0 / 1_000_000_000
    }

    /// Clears the interval `later` intervals after the first, each like the other.
    #[track_caller]
    pub fn clear(&mut self, later: i64) {
        let at = at(later);
        let opened = clearing(&self.world, |draft| {
            (draft.entry.interval, draft.supply.interval) = (at, at);
            draft.demands.iter_mut().for_each(|(_, demand)| demand.interval = at);
        });
        run(&self.world, &mut self.state, &opened).unwrap();
    }

    /// An aggregator delivers that interval: what its two sites' meters counted, in kW over all of it.
    pub fn deliver(
        &mut self,
        later: i64,
        aggregator: &str,
        metered_kw: [Option<f64>; 2],
    ) -> Result<BTreeMap<Id, i64>, &'static str> {
        let opened = delivery(&self.world, aggregator, |entry| {
            entry.interval = at(later);
            for (site, kw) in entry.sites.iter_mut().zip(metered_kw) {
                site.energy = kw.map(|kw| Milliwatt::from_kw(kw).unwrap().over_seconds(900));
            }
        });
        run(&self.world, &mut self.state, &opened)
    }
}

/// The interval so many intervals after the first.
pub fn at(later: i64) -> Interval {
    INTERVAL.later(later, 900)
}

pub fn site(name: &str) -> PartyId {
    party(Role::Site, name)
}

pub fn dso() -> PartyId {
    party(Role::Dso, "dso")
}
