//! Messages of the day-ahead market, and that the largest session planned for fits its envelopes.

use crate::world::{party, signer};
use market::curve::FlexCurve;
use market::day_ahead::clearing::{DayAheadClearing, DeferrableAward, IntervalPrices, StorageAward};
use market::day_ahead::orders::{DeferrableOffer, StorageOffer};
use market::grid::certificate::Multipliers;
use market::interval::{Interval, UnixSeconds};
use market::share::Demand as Range;
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, Millijoule, Milliwatt, PicoEurPerWh};
use serde_bytes::ByteBuf;
use wire::entry::{DayAheadEntry, Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::message::day_ahead::{
    AnswerAt, AnsweredCorner, AskedAt, DayAheadAward, DayAheadBid, DayAheadCommitted, DayAheadDemand,
    DayAheadFinalDemand, DayAheadFirm, DayAheadQuestion, DayAheadSupply, DemandIn, DemandOf, PlacedOrders,
};
use wire::message::series::{FallingPowers, RisingPrices};
use wire::message::{BidPath, Body, PathStep};
use wire::party::Role;

const SESSION: Interval = Interval(UnixSeconds(1_700_006_400));
const HASH: Hash32 = Hash32([0xcd; 32]);
const KW: i64 = 1_000_000;

fn storage() -> StorageOffer {
    StorageOffer {
        charge_max: Milliwatt(4 * KW),
        discharge_max: Milliwatt(4 * KW),
        energy_min: Millijoule(0),
        energy_max: Millijoule(36_000_000_000),
        energy_start: Millijoule(18_000_000_000),
        energy_end_min: Millijoule(18_000_000_000),
        charge_efficiency_ppm: 950_000,
        discharge_efficiency_ppm: 950_000,
        wear: PicoEurPerWh(10_000_000),
    }
}

fn deferrable() -> DeferrableOffer {
    DeferrableOffer { energy: Millijoule(36_000_000_000), power_max: Milliwatt(11 * KW), start: 3, end: 40 }
}

/// A session of this many intervals, with one aggregator at so many buses, a storage and a deferrable order
/// at each.
struct Session {
    intervals: usize,
    buses: u32,
}

impl Session {
    fn orders(&self) -> PlacedOrders {
        PlacedOrders {
            storages: (0..self.buses).map(|bus| (bus, storage())).collect(),
            deferrables: (0..self.buses).map(|bus| (bus, deferrable())).collect(),
        }
    }

    fn schedules(&self) -> (Vec<StorageAward>, Vec<DeferrableAward>) {
        let powers = |most: i64, count: usize| vec![Milliwatt(most * KW / 3); count];
        let storage = StorageAward {
            charge: powers(4, self.intervals),
            discharge: powers(0, self.intervals),
            stored_values: vec![PicoEurPerWh(103_456_789); self.intervals],
        };
        let deferrable = DeferrableAward { power: powers(11, 37), energy_value: PicoEurPerWh(103_456_789) };
        let each = self.buses as usize;
        (vec![storage; each], vec![deferrable; each])
    }

    fn final_demand(&self) -> DayAheadFinalDemand {
        let range = Range { low: Milliwatt(-2_345_678), high: Milliwatt(3_456_789) };
        let at = DemandOf { price: PicoEurPerWh(103_456_789), allocation: Milliwatt(1_234_567), range };
        let stated = DemandIn {
            allocations_root: HASH,
            import: Milliwatt(123_456_789),
            export: Milliwatt(12_345_678),
            buses: vec![at; self.buses as usize],
        };
        DayAheadFinalDemand {
            session: SESSION,
            bids_root: HASH,
            rounds: 4,
            orders: self.orders(),
            buses: (0..self.buses).collect(),
            intervals: vec![stated; self.intervals],
        }
    }

    fn entry(&self, demand: SignedEnvelope, supply: SignedEnvelope) -> DayAheadEntry {
        let prices = vec![PicoEurPerWh(103_456_789); self.buses as usize];
        let interval = IntervalPrices {
            reactive_prices: prices.clone(),
            prices,
            binding: vec![(
                1,
                Multipliers { congestion: PicoEurPerWh(30_000_000), ..Multipliers::default() },
            )],
        };
        let (storages, deferrables) = self.schedules();
        let clearing = DayAheadClearing { intervals: vec![interval; self.intervals], storages, deferrables };
        DayAheadEntry { session: SESSION, rounds: 4, clearing, supply, demands: vec![demand] }
    }

    fn firm(&self, finality: ByteBuf) -> DayAheadFirm {
        let step = PathStep { left: true, hash: HASH, import: Milliwatt(9_876_543), export: Milliwatt(0) };
        DayAheadFirm {
            session: SESSION,
            salt: HASH,
            bid_path: BidPath { place: 3, count: 59, siblings: vec![HASH; 6] },
            storages: vec![0],
            deferrables: vec![1],
            positions: vec![(Milliwatt(-1_234_567), vec![step; 6]); self.intervals],
            finality,
        }
    }

    /// Two or three answers change from tick to tick, the rest are level, as near a price.
    fn question(&self, ticks: usize) -> DayAheadQuestion {
        let window = |place: u32| {
            let tick = |n: usize| PicoEurPerWh(100_000_000 + i64::from(place) * 1_000 + n as i64 * 4_567);
            RisingPrices::new((0..ticks).map(tick).collect()).unwrap()
        };
        let places =
            (0..self.intervals as u16).flat_map(|interval| (0..self.buses).map(move |bus| (interval, bus)));
        let asked = places.map(|(interval, bus)| AskedAt { interval, bus, windows: vec![bus] });
        DayAheadQuestion {
            session: SESSION,
            round: 2,
            windows: (0..self.buses).map(window).collect(),
            asked: asked.collect(),
        }
    }

    fn demand(&self, ticks: usize) -> DayAheadDemand {
        let power = |n: usize| Milliwatt(3_456_789 - (n * 3 / ticks) as i64 * 1_234_567);
        let answer = AnswerAt {
            powers: FallingPowers::new((0..ticks).map(power).collect()).unwrap(),
            corners: vec![
                AnsweredCorner { price: PicoEurPerWh(7), at: Milliwatt(2), above: Milliwatt(-1) };
                2
            ],
        };
        DayAheadDemand {
            session: SESSION,
            round: 2,
            answers: vec![answer; self.intervals * self.buses as usize],
        }
    }
}

fn envelope(bytes: usize) -> SignedEnvelope {
    SignedEnvelope { topic: "t".into(), bytes: ByteBuf::from(vec![0; bytes]) }
}

/// One message of each kind, and an entry.
pub fn messages() -> Vec<(Role, Body)> {
    let session = Session { intervals: 3, buses: 2 };
    let curve = FlexCurve::inelastic(Milliwatt(500_000));
    let bid = DayAheadBid {
        session: SESSION,
        curves: vec![curve; 3],
        storages: vec![storage()],
        deferrables: vec![deferrable()],
    };
    let committed =
        DayAheadCommitted { session: SESSION, bids_root: HASH, bid_count: 2, orders: session.orders() };
    let flat = SupplyCurve::flat(PicoEurPerWh(50_000_000), Milliwatt(-KW), Milliwatt(KW)).unwrap();
    let (storages, deferrables) = session.schedules();
    let award = DayAheadAward {
        session: SESSION,
        buses: vec![0, 1],
        intervals: vec![vec![(PicoEurPerWh(-5), Milliwatt(6)); 2]; 3],
        storages,
        deferrables,
    };
    vec![
        (Role::Site, Body::DayAheadBid(bid)),
        (Role::Aggregator, Body::DayAheadCommitted(committed)),
        (
            Role::Tso,
            Body::DayAheadSupply(DayAheadSupply {
                session: SESSION,
                curves: vec![flat; 3],
                emission: MicrogramPerWh::ZERO,
            }),
        ),
        (Role::Dso, Body::DayAheadQuestion(session.question(5))),
        (Role::Aggregator, Body::DayAheadDemand(session.demand(5))),
        (Role::Dso, Body::DayAheadAward(award)),
        (Role::Aggregator, Body::DayAheadFinalDemand(session.final_demand())),
        (Role::Dso, Body::Submit(Entry::DayAhead(session.entry(envelope(300), envelope(70))))),
        (Role::Aggregator, Body::DayAheadFirm(Box::new(session.firm(ByteBuf::from(vec![7; 70_000]))))),
    ]
}

fn sealed(role: Role, body: &Body) -> SignedEnvelope {
    let recipient = (role != Role::Validator).then(|| party(Role::Dso));
    signer(role).sign(recipient, SESSION, 1, 2, body).unwrap().raw
}

/// The urban grid's 59 buses, all of one aggregator, and a day of quarter hours.
#[test]
fn the_largest_session_planned_for_fits_its_envelopes() {
    let session = Session { intervals: 96, buses: 59 };
    let demand = sealed(Role::Aggregator, &Body::DayAheadFinalDemand(session.final_demand()));
    let steps: Vec<market::curve::Breakpoint> = (0..20)
        .map(|n| market::curve::Breakpoint {
            price: PicoEurPerWh(20_000_000 + n * 5_000_000),
            power: Milliwatt(n * 123_456_789),
        })
        .collect();
    let curves = vec![SupplyCurve::new(steps).unwrap(); 96];
    let supply = sealed(
        Role::Tso,
        &Body::DayAheadSupply(DayAheadSupply { session: SESSION, curves, emission: MicrogramPerWh::ZERO }),
    );
    let entry = sealed(Role::Dso, &Body::Submit(Entry::DayAhead(session.entry(demand, supply))));
    // A block leaves 64 KiB of an envelope to its votes and as much to what else it holds, and the proof in a
    // firm message is little more than the entry.
    let entry_bytes = entry.bytes.len();
    assert!(entry_bytes < 900_000, "{entry_bytes}");
    let firm = session.firm(ByteBuf::from(vec![0; entry_bytes + 20_000]));
    sealed(Role::Aggregator, &Body::DayAheadFirm(Box::new(firm)));
    // 28 powers at each of 5,664 places are 158,592.
    sealed(Role::Dso, &Body::DayAheadQuestion(session.question(28)));
    sealed(Role::Aggregator, &Body::DayAheadDemand(session.demand(28)));
}

#[test]
fn a_few_bytes_do_not_ask_for_millions_of_powers() {
    let mut question = Session { intervals: 96, buses: 59 }.question(400);
    let asks = |question: &DayAheadQuestion| Body::DayAheadQuestion(question.clone()).check_bounds();
    assert_eq!(asks(&question).unwrap_err().what, "powers");
    question.asked.truncate(600);
    assert!(asks(&question).is_ok());
    question.asked[0].windows = vec![0; 60];
    assert_eq!(asks(&question).unwrap_err().what, "windows");
}
