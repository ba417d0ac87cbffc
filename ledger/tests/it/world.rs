//! A small market with real keys: four sites of two aggregators on a feeder of three buses, and as
//! many validators as wanted.

use ed25519_dalek::SigningKey;
use ledger::block::vote::{Vote, VoteCertificate, VoteKind};
use ledger::block::{At, DecidedBlock, Header};
use ledger::contracts::rules::Rules;
use ledger::execute::{build_block, Executed, OpenedEntry, Tip};
use ledger::genesis::Genesis;
use ledger::state::State;
use ledger::store::Chain;
use market::charges::Charges;
use market::day_ahead::rules::DayAheadRules;
use market::feeder::{Feeder, Line};
use market::grid::rules::{GridRules, VoltageLimits};
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::units::{MicroEurPerTonne, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::{Entry, SignedEnvelope, TransferEntry};
use wire::envelope::{Sealed, Signer};
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::{Id, Participant, PartyId, Role};
use wire::topic::Network;

/// Interval the tests clear: any that starts on a quarter hour.
pub const INTERVAL: Interval = Interval(UnixSeconds(1_700_000_100));
/// Wall clock at which tests sign, in milliseconds since 1970.
pub const NOW_MS: u64 = 1_700_000_000_000;

/// Where the first block stands.
pub const AT: At = At { height: 1, time_ms: NOW_MS };

pub struct World {
    pub genesis: Genesis,
    pub rules: Arc<Rules>,
    pub signers: BTreeMap<PartyId, Arc<Signer>>,
}

pub fn id(text: &str) -> Id {
    text.parse().unwrap()
}

pub fn party(role: Role, name: &str) -> PartyId {
    PartyId::new(role, id(name))
}

pub fn validator(index: usize) -> PartyId {
    party(Role::Validator, &format!("v{index}"))
}

fn line(name: &str, to: &str, limit_kw: f64) -> Line {
    let limit = Milliwatt::from_kw(limit_kw).unwrap();
    Line {
        id: name.to_owned(),
        from: "grid".to_owned(),
        to: to.to_owned(),
        power_max: Some(limit),
        power_min: Some(-limit),
        resistance_microohm: 1_000,
        reactance_microohm: 1_000,
        rating_millivoltampere: None,
    }
}

fn parameters() -> MarketParameters {
    let price = |eur| PicoEurPerWh::from_eur_per_mwh(eur).unwrap();
    MarketParameters {
        interval_s: 900,
        bids_open_s: 600,
        gate_closure_s: 120,
        price_min: price(-500.0),
        price_max: price(4_000.0),
        imbalance_spread: price(20.0),
        aggregator_fee: price(2.0),
        charges: Charges::NONE,
    }
}

/// Neither voltage nor losses count for anything; b takes 0.7 kvar.
fn grid_rules() -> GridRules {
    GridRules {
        root_voltage_micro_pu: 1_000_000,
        voltage: VoltageLimits::default(),
        voltage_at: BTreeMap::new(),
        loading_max_percent: None,
        loss_price: PicoEurPerWh(0),
        voltage_deviation_micro_eur_per_h: 0,
        reactive: BTreeMap::from([("b".to_owned(), Millivar(700_000))]),
        reactive_full_price: None,
        carbon_price: None,
    }
}

/// A party, and a site's bus and aggregator.
type Placed = (PartyId, Option<(&'static str, &'static str)>);

fn parties(validators: usize) -> Vec<Placed> {
    let mut parties = vec![
        (party(Role::Dso, "dso"), None),
        (party(Role::Tso, "tso"), None),
        (party(Role::Aggregator, "agg-1"), None),
        (party(Role::Aggregator, "agg-2"), None),
        (party(Role::Site, "s1"), Some(("a", "agg-1"))),
        (party(Role::Site, "s2"), Some(("b", "agg-1"))),
        (party(Role::Site, "s3"), Some(("b", "agg-2"))),
        (party(Role::Site, "s4"), Some(("b", "agg-2"))),
    ];
    parties.extend((1..=validators).map(|index| (validator(index), None)));
    parties
}

impl World {
    /// A market with so many validators.
    pub fn new(validators: usize) -> World {
        World::with(validators, None, None)
    }

    /// A market of one validator that knows its grid; neither voltage nor losses count for anything.
    pub fn with_grid() -> World {
        World::with(1, Some(grid_rules()), None)
    }

    /// The same, where an inverter uses all of its range at no more than the price tolerance: any answer from
    /// nothing to all is right at that price.
    pub fn with_inverters() -> World {
        let rules = GridRules { reactive_full_price: Some(PicoEurPerWh(1_000)), ..grid_rules() };
        World::with(1, Some(rules), None)
    }

    /// The same with a day-ahead market of two intervals a session.
    pub fn with_day_ahead() -> World {
        let rules = DayAheadRules { intervals: 2, offset_s: 0, bids_open_s: 1_800, gate_closure_s: 900 };
        World::with(1, Some(grid_rules()), Some(rules))
    }

    /// A market that knows its grid with a carbon price of 100 EUR/t.
    pub fn with_carbon_price() -> World {
        let rules = GridRules { carbon_price: Some(MicroEurPerTonne(100_000_000)), ..grid_rules() };
        World::with(1, Some(rules), None)
    }

    /// A market of four validators with a party of every role.
    pub fn with_every_role() -> World {
        let mut everyone = parties(4);
        let here: Vec<Role> = everyone.iter().map(|(party, _)| party.role).collect();
        let missing = Role::ALL.into_iter().filter(|role| !here.contains(role));
        everyone.extend(missing.map(|role| (party(role, &format!("{}-1", role.word())), None)));
        World::of(everyone, None, None)
    }

    fn with(validators: usize, grid: Option<GridRules>, day_ahead: Option<DayAheadRules>) -> World {
        World::of(parties(validators), grid, day_ahead)
    }

    fn of(parties: Vec<Placed>, grid: Option<GridRules>, day_ahead: Option<DayAheadRules>) -> World {
        let network = Network { network: id("test"), feeder: id("three-bus") };
        let mut participants = Vec::new();
        let mut signers = BTreeMap::new();
        for (seed, (party, site)) in (1u8..).zip(parties) {
            let key = SigningKey::from_bytes(&[seed; 32]);
            participants.push(Participant {
                key: Hash32(key.verifying_key().to_bytes()),
                account: id(&format!("account-{}", party.id)),
                bus: site.map(|(bus, _)| bus.to_owned()),
                aggregator: site.map(|(_, aggregator)| id(aggregator)),
                connection_milliwatt: site.map(|_| 10_000_000),
                epoch: Default::default(),
                party: party.clone(),
            });
            signers.insert(party.clone(), Arc::new(Signer::new(network.clone(), party, key, NOW_MS)));
        }
        let balances = participants.iter().map(|p| (p.account.clone(), NanoEur(1_000_000_000_000))).collect();
        let feeder = Feeder {
            voltage_millivolt: 400_000,
            root: "grid".to_owned(),
            buses: ["grid", "a", "b"].map(str::to_owned).to_vec(),
            lines: vec![line("line-a", "a", 4.0), line("line-b", "b", 50.0)],
        };
        let parameters = parameters();
        let genesis = Genesis { network, feeder, parameters, grid, day_ahead, participants, balances };
        let rules = Arc::new(Rules::new(&genesis).unwrap());
        World { genesis, rules, signers }
    }

    /// A message, signed.
    pub fn sign(&self, by: &PartyId, to: Option<PartyId>, body: &Body) -> Sealed {
        self.signers[by].sign(to, INTERVAL, NOW_MS, NOW_MS + 60_000, body).unwrap()
    }

    /// A submitted entry's envelope.
    pub fn submit(&self, by: &PartyId, entry: Entry) -> SignedEnvelope {
        self.sign(by, None, &Body::Submit(entry)).raw
    }

    /// A submitted entry, opened.
    pub fn opened(&self, by: &PartyId, entry: Entry) -> OpenedEntry {
        let envelope = self.submit(by, entry.clone());
        OpenedEntry { envelope, submitter: by.clone(), entry, epoch: 0 }
    }
}

impl World {
    /// The chain before its first block.
    pub fn chain(&self) -> Chain {
        let tip = Tip::genesis(*self.rules.verifier.ledger());
        Chain { tip, state: State::genesis(&self.genesis).unwrap(), rules: self.rules.clone() }
    }

    /// The block of these entries that follows on a chain, voted for by all validators, and the
    /// chain with it.
    pub fn decide(&self, chain: &Chain, entries: &[OpenedEntry]) -> (DecidedBlock, Chain) {
        self.decide_by(&validator(1).id, chain, entries)
    }

    /// The same, built by this validator.
    pub fn decide_by(&self, by: &Id, chain: &Chain, entries: &[OpenedEntry]) -> (DecidedBlock, Chain) {
        let by = (by, NOW_MS + chain.tip.height);
        let built = build_block(&chain.rules, &chain.tip, &chain.state, by, entries.iter());
        let (block, executed) = built.expect("an entry fits");
        assert_eq!(block.entries.len(), entries.len(), "every entry fits");
        let certificate = self.votes_by(&chain.rules, &block.header);
        let decided = DecidedBlock { block, certificate };
        let tip = chain.tip.after(&decided);
        let Executed { state, rules, .. } = executed;
        (decided, Chain { tip, state, rules })
    }

    /// The first validators' votes for a header.
    pub fn votes(&self, header: &Header) -> VoteCertificate {
        self.votes_by(&self.rules, header)
    }

    /// The votes for a header of all who are validators by these rules.
    pub fn votes_by(&self, rules: &Rules, header: &Header) -> VoteCertificate {
        let verifier = &rules.verifier;
        let vote = |(index, (name, key)): (u16, &(Id, Hash32))| {
            let vote = Vote {
                kind: VoteKind::Precommit,
                height: header.height,
                round: 0,
                block: Some(header.hash()),
                validator: index,
            };
            let signer = &self.signers[&PartyId::new(Role::Validator, name.clone())];
            (index, vote.sign(verifier.ledger(), &signer.held(key).expect("its key")))
        };
        VoteCertificate { round: 0, signatures: (0..).zip(verifier.validators()).map(vote).collect() }
    }
}

/// A transfer to the account of site 2.
pub fn transfer(nonce: u64, amount: i64) -> Entry {
    Entry::Transfer(TransferEntry { to: id("account-s2"), amount: NanoEur(amount), nonce })
}
