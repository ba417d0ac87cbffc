//! A small market around one site: its aggregator with another site, the DSO and four validators, all
//! with keys, so that every firm price in the scenarios is signed, proven and voted for in earnest.

use crate::site::standing::Standing;
use crate::terms::Terms;
use ed25519_dalek::SigningKey;
use ledger::block::verifier::Verifier;
use ledger::block::vote::{Vote, VoteCertificate, VoteKind};
use ledger::block::{entries_root, Block, DecidedBlock, Header};
use ledger::genesis::Genesis;
use ledger::proof::FinalityProof;
use market::charges::Charges;
use market::dlmp::BusDlmp;
use market::feeder::{Feeder, Line};
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::share::{split, Demand};
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, Millivar, Milliwatt, PicoEurPerWh};
use serde_bytes::ByteBuf;
use wire::entry::{ClearingEntry, DeliveryEntry, Entry, SignedEnvelope, SiteDelivery};
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::merkle;
use wire::merkle_sum::{salted_bid_hash, SumLeaf, SumTree};
use wire::message::{Bid, BidPath, Body, BusAward, BusPrice, FinalDemand, Firm, Supply};
use wire::party::{Id, Participant, PartyId, Role};
use wire::topic::Network;

/// What is wrong with a firm price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing.
    None,
    /// Two of four validators voted.
    TwoVotes,
    /// The site is told one milliwatt more than stands under the root.
    AllocationTold,
    /// The root holds an allocation that is nothing the site bid for.
    AllocationRooted,
    /// The root favours the other site within the site's own step.
    ShareRooted,
    /// The price told is not the price decided.
    PriceTold,
    /// What was decided is another interval's.
    OtherInterval,
    /// The price is told to be part congestion, which it isn't.
    PartsTold,
    /// The aggregator fixed other bids before the prices than it allocated to.
    BidsFixed,
    /// The path told to the bids' root leads nowhere.
    BidPathTold,
}

/// Salted hash of the other site's bid.
const OTHER_BID: Hash32 = Hash32([7; 32]);

/// Keys and genesis.
pub struct World {
    pub genesis: Genesis,
}

fn id(text: &str) -> Id {
    text.parse().unwrap()
}

pub fn site() -> PartyId {
    PartyId::new(Role::Site, id("s1"))
}

fn aggregator() -> PartyId {
    PartyId::new(Role::Aggregator, id("a"))
}

fn key(party: &PartyId) -> SigningKey {
    SigningKey::from_bytes(&Hash32::of("test key", &[party.to_string().as_bytes()]).0)
}

fn participant(party: PartyId) -> Participant {
    let is_site = party.role == Role::Site;
    Participant {
        key: Hash32(key(&party).verifying_key().to_bytes()),
        account: id(&format!("account-{}-{}", party.role.word(), party.id)),
        bus: is_site.then(|| "b".to_owned()),
        aggregator: is_site.then(|| id("a")),
        connection_milliwatt: is_site.then_some(9_000_000),
        epoch: Default::default(),
        party,
    }
}

impl World {
    pub fn new() -> Self {
        let validators = (1..=4).map(|n| PartyId::new(Role::Validator, id(&format!("v{n}"))));
        let others = [PartyId::new(Role::Dso, id("d")), PartyId::new(Role::Tso, id("t")), aggregator()];
        let sites = [site(), PartyId::new(Role::Site, id("s2"))];
        let line = Line {
            id: "l".into(),
            from: "r".into(),
            to: "b".into(),
            power_max: None,
            power_min: None,
            resistance_microohm: 0,
            reactance_microohm: 0,
            rating_millivoltampere: None,
        };
        let buses = vec!["r".into(), "b".into()];
        let genesis = Genesis {
            network: Network { network: id("n"), feeder: id("f") },
            feeder: Feeder { voltage_millivolt: 400_000, root: "r".into(), buses, lines: vec![line] },
            parameters: MarketParameters {
                interval_s: 900,
                bids_open_s: 600,
                gate_closure_s: 120,
                price_min: PicoEurPerWh(-500_000_000),
                price_max: PicoEurPerWh(4_000_000_000),
                imbalance_spread: PicoEurPerWh(20_000_000),
                aggregator_fee: PicoEurPerWh(0),
                charges: Charges::NONE,
            },
            grid: None,
            day_ahead: None,
            participants: others.into_iter().chain(sites).chain(validators).map(participant).collect(),
            balances: vec![],
        };
        genesis.validate().unwrap();
        Self { genesis }
    }

    pub fn standing(&self) -> Standing {
        Standing::of(&Terms::from(&self.genesis), &site()).unwrap()
    }

    fn signer(&self, party: PartyId) -> Signer {
        let key = key(&party);
        Signer::new(self.genesis.network.clone(), party, key, 1)
    }

    fn seal(&self, by: PartyId, to: Option<PartyId>, interval: Interval, body: &Body) -> SignedEnvelope {
        self.signer(by).sign(to, interval, 1_000, 2_000, body).unwrap().raw
    }

    /// The site's bid as it goes out.
    pub fn seal_bid(&self, bid: &Bid) -> SignedEnvelope {
        self.seal(site(), Some(aggregator()), bid.interval, &Body::Bid(bid.clone()))
    }

    /// A firm price for `interval` at `price`, of which `served` of the bus's step, in thousandths.
    pub fn firm(&self, bid: &Bid, interval: i64, price: PicoEurPerWh, served: i64, forgery: Forgery) -> Firm {
        let interval = Interval(UnixSeconds(interval));
        let own = bid.curve.demand_at(price);
        let other = Demand { low: Milliwatt(1_000_000), high: Milliwatt(3_000_000) };
        let range = Demand { low: own.low + other.low, high: own.high + other.high };
        let total = range.low + Milliwatt(range.step().0 * served / 1_000);
        let mut shares = split(total, &[own, other]).unwrap();
        match forgery {
            Forgery::AllocationRooted => {
                shares = vec![own.high + Milliwatt(1), total - own.high - Milliwatt(1)]
            }
            Forgery::ShareRooted => shares = vec![own.low, total - own.low],
            _ => {}
        }
        let at = BusPrice { bus: "b".into(), price, allocation: total };
        let (mut final_demand, mut path) = self.final_demand(bid, interval, (at, range), &shares);
        path.1.salt = path.0;
        let mut bid_path = BidPath { place: 0, count: 2, siblings: vec![merkle::leaf_hash(&OTHER_BID.0)] };
        match forgery {
            Forgery::BidsFixed => final_demand.bids_root = merkle::root(&bid_path.siblings),
            Forgery::BidPathTold => bid_path.place = 1,
            _ => {}
        }
        let decided_for = if forgery == Forgery::OtherInterval { interval.later(1, 900) } else { interval };
        let finality = self.prove(self.clearing(decided_for, price, total, final_demand), forgery);
        let told = |amount| if forgery == Forgery::AllocationTold { amount + Milliwatt(1) } else { amount };
        let mut parts = BusDlmp::congested(price, price).unwrap();
        if forgery == Forgery::PartsTold {
            (parts.real.energy.0, parts.real.congestion.0) = (price.0 - 1, 1);
        }
        let price = if forgery == Forgery::PriceTold { PicoEurPerWh(price.0 - 1) } else { price };
        Firm {
            interval,
            bus: BusAward { bus: "b".into(), price, range, allocation: total },
            parts: Some(parts),
            allocation: told(shares[0]),
            reactive: None,
            path: path.1,
            bid_path,
            finality,
        }
    }

    fn final_demand(
        &self,
        bid: &Bid,
        interval: Interval,
        bus: (BusPrice, Demand),
        parts: &[Milliwatt],
    ) -> (FinalDemand, (Hash32, wire::message::MerkleSumPath)) {
        let salt = Hash32([9; 32]);
        let leaf = |account: &str, bid_hash, allocation| SumLeaf {
            account: id(account),
            bid_hash,
            allocation,
            reactive: Millivar::ZERO,
        };
        let bids = [salted_bid_hash(&salt, &self.seal_bid(bid)), OTHER_BID];
        let tree = SumTree::build(&[
            leaf("account-site-s1", bids[0], parts[0]),
            leaf("account-site-s2", bids[1], parts[1]),
        ]);
        let root = tree.root();
        let demand = FinalDemand {
            interval,
            bids_root: merkle::root(&bids.map(|bid| merkle::leaf_hash(&bid.0))),
            rounds: 1,
            allocations_root: root.hash,
            import: root.import,
            export: root.export,
            buses: vec![bus],
            reactive: Vec::new(),
        };
        (demand, (salt, tree.path(0).unwrap()))
    }

    fn clearing(
        &self,
        interval: Interval,
        price: PicoEurPerWh,
        import: Milliwatt,
        demand: FinalDemand,
    ) -> ClearingEntry {
        let dso = PartyId::new(Role::Dso, id("d"));
        let curve = SupplyCurve::flat(price, import, import).unwrap();
        let supply = Body::Supply(Supply { interval, curve, emission: MicrogramPerWh::ZERO });
        let demand = Body::FinalDemand(FinalDemand { interval, ..demand });
        ClearingEntry {
            interval,
            rounds: 1,
            grid: None,
            import,
            prices: vec![price, price],
            flows: vec![import],
            supply: self.seal(PartyId::new(Role::Tso, id("t")), Some(dso.clone()), interval, &supply),
            demands: vec![self.seal(aggregator(), Some(dso), interval, &demand)],
        }
    }

    fn prove(&self, clearing: ClearingEntry, forgery: Forgery) -> ByteBuf {
        let by = PartyId::new(Role::Dso, id("d"));
        let votes = if forgery == Forgery::TwoVotes { 2 } else { 3 };
        let decided = self.decide(by, clearing.interval, Entry::Clearing(clearing), votes);
        ByteBuf::from(FinalityProof::of(&decided, 0).unwrap().encode().unwrap())
    }

    /// A block with the aggregator's delivery: the other site's, and this one's where it is settled.
    pub fn settled(&self, interval: i64, commitment: Option<Milliwatt>) -> Body {
        let site = |(account, commitment): (&str, Milliwatt)| SiteDelivery {
            account: id(account),
            bid_hash: OTHER_BID,
            commitment,
            reactive: Millivar::ZERO,
            energy: None,
        };
        let interval = Interval(UnixSeconds(interval));
        let ours = commitment.map(|commitment| ("account-site-s1", commitment));
        let sites = ours.into_iter().chain([("account-site-s2", Milliwatt(1))]).map(site).collect();
        let (readings, bids) = Default::default();
        let delivery = DeliveryEntry { interval, readings, bids, sites, positions: Vec::new() };
        let decided = self.decide(aggregator(), interval, Entry::Delivery(delivery), 3);
        Body::Block(decided.encode().unwrap().into())
    }

    fn decide(&self, by: PartyId, interval: Interval, entry: Entry, votes: u16) -> DecidedBlock {
        let entries = vec![self.seal(by, None, interval, &Body::Submit(entry))];
        let verifier = Verifier::new(&self.genesis).unwrap();
        let header = Header {
            height: 3,
            previous: Hash32([1; 32]),
            time_ms: 1_000,
            entries_root: entries_root(&entries),
            receipts_root: Hash32([3; 32]),
            history_root: Hash32([4; 32]),
            state_hash: Hash32([2; 32]),
            previous_votes: Hash32::default(),
            governed: *verifier.governed(),
            next_validators: verifier.roster().hash(),
            proposer: id("v1"),
        };
        let block = Some(header.hash());
        let sign = |validator: u16| {
            let vote = Vote { kind: VoteKind::Precommit, height: 3, round: 0, block, validator };
            let party = PartyId::new(Role::Validator, id(&format!("v{}", validator + 1)));
            (validator, vote.sign(verifier.ledger(), &self.signer(party).key()))
        };
        let certificate = VoteCertificate { round: 0, signatures: (0..votes).map(sign).collect() };
        DecidedBlock { block: Block { header, previous_votes: None, entries }, certificate }
    }
}
