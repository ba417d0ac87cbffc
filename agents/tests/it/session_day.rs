//! Day-ahead sessions between agents, and the real-time intervals after them settled as deviations: over good
//! networks and bad ones, with sites and an aggregator that stay silent.

use crate::inspect;
use crate::market_day::{check_played, interval, set_up_with, wholesale, Day, Scene, BAD, GOOD, KNOWN};
use crate::planner::{Planner, SessionFirms};
use crate::world::{self, party};
use agents::site::day_ahead::firm::{check_day_ahead, Held, OwnSession};
use agents::site::day_ahead::Setting;
use agents::site::standing::Standing;
use agents::terms::Terms;
use ledger::block::verifier::Verifier;
use ledger::genesis::Genesis;
use market::day_ahead::rules::DayAheadRules;
use market::interval::Interval;
use market::units::{Milliwatt, NanoEur, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::entry::{DayAheadEntry, Entry, SignedEnvelope};
use wire::envelope::open;
use wire::message::day_ahead::DayAheadFirm;
use wire::message::Body;
use wire::party::{PartyId, Role};

/// An hour of quarters; bids from 14 minutes before it, and a minute after the gate real time's open.
const RULES: DayAheadRules =
    DayAheadRules { intervals: 4, offset_s: 0, bids_open_s: 840, gate_closure_s: 660 };

/// What is played besides a real-time day.
#[derive(Clone, Copy, Debug)]
struct Sessions {
    day: Day,
    /// Every so many-th site bids for no session; zero for none.
    silent_sites: usize,
    /// This aggregator's commitments to day-ahead bids get lost.
    mute: Option<&'static str>,
}

struct Played {
    scene: Scene,
    firms: SessionFirms,
}

fn play(sessions: Sessions, seed: u64) -> Played {
    println!("seed {seed}, {sessions:?}");
    let Sessions { day, silent_sites, mute } = sessions;
    let genesis = Genesis { day_ahead: Some(RULES), ..world::genesis(day.plan) };
    genesis.validate().unwrap();
    let firms = SessionFirms::default();
    let scene = set_up_with(day, seed, genesis, &mut |household, place| {
        let silent = silent_sites > 0 && place % silent_sites == 0;
        Box::new(Planner::new(household, RULES, firms.clone(), silent, seed ^ (place as u64) << 20))
    });
    let mut scene = scene;
    scene.network.cut = mute.map(|id| (party(Role::Aggregator, id), "day-ahead-committed"));
    Played { scene: check_played(day, scene), firms }
}

/// Sessions on the ledger, by their first interval.
fn decided(scene: &Scene) -> BTreeMap<Interval, DayAheadEntry> {
    let assembly = scene.assembly.borrow();
    let entries = assembly.decided.iter().flat_map(|block| block.entries());
    entries
        .filter_map(|(_, entry)| match entry {
            Entry::DayAhead(session) => Some((session.session, session)),
            _ => None,
        })
        .collect()
}

/// Each site's day-ahead bid for `session`, as it went out.
fn bids(scene: &Scene, session: Interval) -> BTreeMap<PartyId, OwnSession> {
    let registry = scene.genesis.registry();
    let read = |raw: &SignedEnvelope| {
        let opened = open(&registry, &world::network(), &raw.topic, &raw.bytes).unwrap();
        match opened.body {
            Body::DayAheadBid(bid) if bid.session == session => {
                Some((opened.id.sender, OwnSession { bid, envelope: Some(raw.clone()) }))
            }
            _ => None,
        }
    };
    scene.network.session_bids.iter().filter_map(read).collect()
}

/// What every site holds by interval, once it has checked it as a site does.
fn held(played: &Played) -> BTreeMap<(Interval, PartyId), Held> {
    let genesis = &played.scene.genesis;
    let verifier = Verifier::new(genesis).unwrap();
    let terms = Setting::of(&Terms::from(genesis)).unwrap().unwrap().terms;
    let mut held = BTreeMap::new();
    for ((session, site), firm) in played.firms.borrow().iter() {
        let own = &bids(&played.scene, *session)[site];
        let standing = Standing::of(&Terms::from(genesis), site).unwrap();
        let positions = check_day_ahead(&standing, &verifier, &terms, (firm, own))
            .unwrap_or_else(|error| panic!("{site} refuses {session}: {error}"));
        let intervals = RULES.intervals_of(&genesis.parameters, *session);
        held.extend(intervals.zip(positions).map(|(at, held)| ((at, site.clone()), held)));
    }
    held
}

/// Every session cleared in five rounds at most, every site's positions right by its own check, and together what
/// the session imports and can be supplied; deliveries state them.
fn check_sessions(played: &Played, expected: usize) -> BTreeMap<(Interval, PartyId), Held> {
    let scene = &played.scene;
    let decided = decided(scene);
    assert_eq!(decided.len(), expected, "{:#?}", scene.network.notes);
    let held = held(played);
    let parameters = scene.genesis.parameters;
    for (session, entry) in &decided {
        assert!((1..=5).contains(&entry.rounds), "{} rounds", entry.rounds);
        let bidders = bids(scene, *session);
        let told = played.firms.borrow().keys().filter(|(of, _)| of == session).count();
        assert_eq!(told, bidders.len(), "firm for {session}: {:#?}", scene.network.notes);
        let supplies = inspect::session_supply(&scene.genesis, entry);
        for (place, at) in RULES.intervals_of(&parameters, *session).enumerate() {
            let taken = held.range((at, party(Role::Site, "s00"))..(at, party(Role::Site, "s99")));
            let import: Milliwatt = taken.map(|(_, held)| held.power).sum();
            let prices = &entry.clearing.intervals[place].prices;
            let tolerance = scene.genesis.price_tolerance();
            let near = |price: PicoEurPerWh| supplies[place].import_at(price);
            let range = near(prices[0] - tolerance).low..=near(prices[0] + tolerance).high;
            assert!(range.contains(&import), "{at}: {import}, not within {range:?}");
        }
    }
    held
}

/// Every site's account has moved by exactly what its positions, commitments and readings come to: day-ahead
/// positions at day-ahead prices, the rest of each commitment at real-time ones, each delivery's deviation at the
/// imbalance price, reactive power at its own, and the fee. Money rounds to nano-euros in some places an interval.
fn check_payments(played: &Played, held: &BTreeMap<(Interval, PartyId), Held>) {
    let scene = &played.scene;
    let genesis = &scene.genesis;
    let parameters = genesis.parameters;
    let assembly = scene.assembly.borrow();
    let recorded = inspect::recorded(&assembly.decided);
    for site in genesis.participants.iter().filter(|p| p.party.role == Role::Site) {
        let (mut owed_eur, mut settled) = (0.0, 0);
        for (at, of) in &recorded {
            let deliveries = of.deliveries.values().flat_map(|delivery| &delivery.sites);
            let Some(delivery) = deliveries.into_iter().find(|d| d.account == site.account) else { continue };
            let firm = &scene.firms.borrow()[&(*at, site.party.clone())];
            let price = firm.bus.price.eur_per_mwh();
            let mwh = |power: Milliwatt| power.over_seconds(parameters.interval_s).kwh() / 1e3;
            let position = held.get(&(*at, site.party.clone()));
            let (bought, ahead) = position.map_or((0.0, 0.0), |h| (mwh(h.power), h.price.eur_per_mwh()));
            let committed = mwh(delivery.commitment);
            let deviation = delivery.energy.unwrap().kwh() / 1e3 - committed;
            let spread = parameters.imbalance_spread.eur_per_mwh() * deviation.signum();
            owed_eur += bought * ahead + (committed - bought) * price;
            owed_eur += deviation * (price + spread);
            owed_eur += committed.abs() * parameters.aggregator_fee.eur_per_mwh();
            let reactive_mwh = mwh(Milliwatt(delivery.reactive.0));
            let reactive_price = firm.reactive.as_ref().map_or(0.0, |told| told.award.price.eur_per_mwh());
            owed_eur += reactive_mwh * reactive_price;
            settled += 1;
        }
        assert!(settled > 0, "{} was never settled", site.party);
        let started = NanoEur(1_000_000_000_000);
        let moved = (assembly.state.accounts()[&site.account].balance - started).eur();
        let rounding = 5e-9 * f64::from(settled);
        assert!((moved + owed_eur).abs() < rounding, "{}: {moved} for {owed_eur} EUR", site.party);
    }
}

/// Positions that the deliveries state, by interval and site's account.
fn check_stated(played: &Played, held: &BTreeMap<(Interval, PartyId), Held>) {
    let scene = &played.scene;
    let registry = scene.genesis.registry();
    let recorded = inspect::recorded(&scene.assembly.borrow().decided);
    for (at, of) in &recorded {
        let stated: BTreeMap<_, _> = of
            .deliveries
            .values()
            .flat_map(|delivery| &delivery.positions)
            .map(|position| (position.account.clone(), position.position))
            .collect();
        let expected: BTreeMap<_, _> = held
            .iter()
            .filter(|((held_at, _), _)| held_at == at)
            .map(|((_, site), held)| (registry[site].account.clone(), held.power))
            .collect();
        assert_eq!(stated, expected, "{at}");
    }
}

fn check(sessions: Sessions, seed: u64) -> Played {
    let played = play(sessions, seed);
    let held = check_sessions(&played, sessions.day.intervals.div_ceil(RULES.intervals) as usize);
    assert!(held.values().any(|held| held.power != Milliwatt::ZERO));
    check_stated(&played, &held);
    check_payments(&played, &held);
    played
}

const TWO: Sessions = Sessions {
    day: Day { plan: KNOWN, faults: GOOD, intervals: 8, silent_every: 0, wholesale: false },
    silent_sites: 0,
    mute: None,
};

/// A site refuses positions with anything changed, and says what.
fn check_forged(played: &Played) {
    let genesis = &played.scene.genesis;
    let verifier = Verifier::new(genesis).unwrap();
    let terms = Setting::of(&Terms::from(genesis)).unwrap().unwrap().terms;
    let firms = played.firms.borrow();
    let ((session, site), firm) = firms.first_key_value().unwrap();
    let own = &bids(&played.scene, *session)[site];
    let standing = Standing::of(&Terms::from(genesis), site).unwrap();
    let refused = |spoil: &dyn Fn(&mut DayAheadFirm), expected: &str| {
        let mut forged = firm.clone();
        spoil(&mut forged);
        let error = check_day_ahead(&standing, &verifier, &terms, (&forged, own)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}, without {expected}");
    };
    refused(&|firm| firm.positions[1].0 .0 += 1, "interval 1: our bid does not lie under");
    refused(&|firm| firm.positions.swap(0, 2), "does not lie under");
    refused(&|firm| firm.salt.0[0] ^= 1, "the bids' root");
    refused(&|firm| firm.bid_path.place ^= 1, "the bids' root");
    refused(&|firm| firm.positions.truncate(3), "3 positions for 4 intervals");
    refused(&|firm| firm.storages[0] += 1, "storage order 0");
    refused(&|firm| firm.storages.clear(), "storage order 0");
    refused(&|firm| firm.session = interval(4), "no session by the DSO");
    refused(&|firm| firm.finality.truncate(90), "finality proof");
    // Another's bid, or one that was never sent, is not under the root.
    let other = OwnSession { envelope: None, ..own.clone() };
    let unsent = check_day_ahead(&standing, &verifier, &terms, (firm, &other)).unwrap_err();
    assert!(unsent.to_string().contains("never went out"), "{unsent}");
}

#[test]
fn two_sessions_are_cleared_and_real_time_is_settled_against_them() {
    let played = check(TWO, 30);
    check_forged(&played);
    let notes = &played.scene.network.notes;
    assert!(notes.iter().all(|(_, event, _)| *event != "phase-limit"), "{notes:#?}");
}

#[test]
fn sessions_come_through_networks_that_lose_repeat_and_delay() {
    for seed in 40..43 {
        let day = Day { faults: BAD, intervals: 4, ..TWO.day };
        check(Sessions { day, ..TWO }, seed);
    }
}

#[test]
fn a_site_that_bids_for_no_session_holds_nothing_and_trades_in_real_time_alone() {
    let day = Day { intervals: 4, silent_every: 3, ..TWO.day };
    let played = check(Sessions { day, silent_sites: 3, ..TWO }, 50);
    assert_eq!(played.firms.borrow().len(), 6, "four of ten sites are silent");
}

#[test]
fn without_an_aggregator_s_word_a_session_fails_and_real_time_goes_on() {
    let day = Day { intervals: 4, ..TWO.day };
    let played = play(Sessions { day, mute: Some("a2"), ..TWO }, 60);
    let held = check_sessions(&played, 0);
    check_payments(&played, &held);
    let silent =
        |(by, _, text): &&(PartyId, &str, String)| by.role == Role::Dso && text.contains("aggregator/a2");
    assert!(played.scene.network.notes.iter().any(|note| silent(&note)), "{:#?}", played.scene.network.notes);
}

#[test]
fn both_markets_are_awarded_in_the_wholesale_auction() {
    let day = Day { intervals: 4, wholesale: true, ..TWO.day };
    let played = check(Sessions { day, ..TWO }, 70);
    let scene = &played.scene;
    let held = held(&played);
    for entry in decided(scene).values() {
        let intervals = RULES.intervals_of(&scene.genesis.parameters, entry.session);
        for (at, prices) in intervals.zip(&entry.clearing.intervals) {
            let of = held.iter().filter(|((held_at, _), _)| *held_at == at);
            let import: Milliwatt = of.map(|(_, held)| held.power).sum();
            let award = scene.awards_ahead.borrow()[&at];
            assert_eq!(award, wholesale().award(at, import).unwrap());
            let supply = wholesale().supply(at).unwrap();
            let near = |shift: i64| supply.import_at(PicoEurPerWh(prices.prices[0].0 + shift));
            let range = near(-4_000).low..=near(4_000).high;
            assert!(range.contains(&award.import), "{award:?}, not within {range:?} of {supply:?}");
        }
    }
    let differ = |at: Interval| scene.awards_ahead.borrow()[&at].import != scene.awards.borrow()[&at].import;
    assert!((0..4).map(interval).any(differ), "real time is what was bid day-ahead");
}
