//! The aggregator's bids: which it takes, which it refuses and why, and what a silent site is cleared on.

use super::kept::TakenBid;
use crate::roster::SiteEntry;
use market::curve::FlexCurve;
use market::grid::volt_var::RANGE_MIN;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::units::Millivar;
use serde::{Deserialize, Serialize};
use std::collections::btree_map::Entry;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::SignedEnvelope;
use wire::message::{Bid, MessageRef};
use wire::party::Id;

/// A forward bid stands this long: as long as its signature may be valid.
pub const FORWARD_BID_S: i64 = 86_400;

/// Why a bid is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BidError {
    /// The start is no multiple of the interval's length.
    #[error("{interval} does not begin on a multiple of {interval_s} s")]
    Misaligned {
        /// The interval bid for.
        interval: Interval,
        /// Length of the market's intervals.
        interval_s: i64,
    },
    /// The gate has closed.
    #[error("the gate for the {interval} has closed")]
    Closed {
        /// The interval bid for.
        interval: Interval,
    },
    /// Bids for so late an interval are not taken yet.
    #[error("bids for the {interval} are not taken yet")]
    TooEarly {
        /// The interval bid for.
        interval: Interval,
    },
    /// More power than the connection carries.
    #[error("the curve reaches {power_mw} mW, and the connection is limited to {limit_mw} mW")]
    BeyondConnection {
        /// The curve's extreme, in milliwatts.
        power_mw: i64,
        /// The connection's limit, in milliwatts.
        limit_mw: i64,
    },
    /// Reactive power where the market clears none, less than counts, or more than the connection carries.
    #[error(
        "the reactive range is {range_mvar} mvar, and none or {least_mvar} to {most_mvar} mvar is taken"
    )]
    ReactiveRange {
        /// The range, in millivars.
        range_mvar: i64,
        /// The least that counts.
        least_mvar: i64,
        /// The most: what the connection carries, or nothing.
        most_mvar: i64,
    },
    /// A corner at a price the market never clears at.
    #[error("the curve has a corner at {price}, outside {price_min} to {price_max} (pEUR/Wh)")]
    BeyondPrices {
        /// The corner's price.
        price: i64,
        /// Lowest price.
        price_min: i64,
        /// Highest price.
        price_max: i64,
    },
}

/// One site's bid as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingBid {
    /// The curve.
    pub curve: FlexCurve,
    /// Reactive power on offer.
    pub reactive_range: Millivar,
    /// The signed bid, as evidence.
    pub raw: SignedEnvelope,
    /// For which interval it was made.
    pub interval: Interval,
    /// Whether it stands for later intervals as well, where the site is silent.
    pub forward: bool,
    /// Boot and sequence number, by which a later bid is told from an earlier one however they arrive.
    order: (u64, u64),
}

/// Bids of one aggregator's sites, for intervals whose gate is open, and forward bids.
#[derive(Clone, Debug, Default)]
pub struct BidBook {
    /// Whether the market clears reactive power.
    clears_reactive: bool,
    open: BTreeMap<Interval, BTreeMap<Id, StandingBid>>,
    forward: BTreeMap<Id, StandingBid>,
}

impl BidBook {
    /// A book of a market that clears reactive power, or doesn't.
    pub fn new(clears_reactive: bool) -> Self {
        Self { clears_reactive, ..Self::default() }
    }

    /// From now on of a market that clears reactive power, or doesn't.
    pub fn clear_reactive(&mut self, clears: bool) {
        self.clears_reactive = clears;
    }

    /// Takes a bid of `site`, in place of an earlier one of its own for the same interval. Gives it as it stands.
    ///
    /// # Errors
    /// Names the rule it breaks; then nothing changes.
    pub fn take(
        &mut self,
        parameters: &MarketParameters,
        now: UnixSeconds,
        site: &SiteEntry,
        bid: &Bid,
        evidence: (&MessageRef, &SignedEnvelope),
    ) -> Result<StandingBid, BidError> {
        let (id, raw) = evidence;
        if let Some(known) = self.known(site, bid.interval, id) {
            return Ok(known.clone());
        }
        check_time(parameters, now, bid.interval)?;
        check_curve(parameters, site, &bid.curve)?;
        self.check_reactive(site, bid.reactive_range)?;
        let standing = StandingBid {
            curve: bid.curve.clone(),
            reactive_range: bid.reactive_range,
            raw: raw.clone(),
            interval: bid.interval,
            forward: bid.forward,
            order: (id.boot, id.sequence),
        };
        self.stand(site.account.clone(), standing.clone());
        Ok(standing)
    }

    /// This very bid, where it was taken: by a process that was killed before it could say so, for who repeats it.
    fn known(&self, site: &SiteEntry, interval: Interval, id: &MessageRef) -> Option<&StandingBid> {
        let standing = self.open.get(&interval)?.get(&site.account)?;
        (standing.order == (id.boot, id.sequence)).then_some(standing)
    }

    /// Takes a bid that was taken before.
    pub fn restore(&mut self, TakenBid { account, bid }: TakenBid) {
        self.stand(account, bid);
    }

    fn stand(&mut self, account: Id, bid: StandingBid) {
        if bid.forward {
            replace_earlier(self.forward.entry(account.clone()), bid.clone());
        }
        replace_earlier(self.open.entry(bid.interval).or_default().entry(account), bid);
    }

    /// Every bid that may still count: what must outlast the process.
    pub fn standing(&self) -> impl Iterator<Item = (&Id, &StandingBid)> {
        let open = self.open.values().flatten();
        let is_open = |(account, bid): &(&Id, &StandingBid)| {
            let same = self.open.get(&bid.interval).and_then(|bids| bids.get(*account));
            same.is_some_and(|same| same.order == bid.order)
        };
        open.chain(self.forward.iter().filter(move |forward| !is_open(forward)))
    }

    fn check_reactive(&self, site: &SiteEntry, range: Millivar) -> Result<(), BidError> {
        let most_mvar = if self.clears_reactive { site.connection.0 } else { 0 };
        if range == Millivar::ZERO || (RANGE_MIN.0..=most_mvar).contains(&range.0) {
            return Ok(());
        }
        Err(BidError::ReactiveRange { range_mvar: range.0, least_mvar: RANGE_MIN.0, most_mvar })
    }

    /// Sites that have bid for `interval` themselves.
    pub fn count(&self, interval: Interval) -> usize {
        self.open.get(&interval).map_or(0, BTreeMap::len)
    }

    /// What `interval` is cleared on, in order of account: each site's bid or, where it is silent, its last forward
    /// bid. Bids for earlier intervals are forgotten.
    pub fn close(&mut self, interval: Interval) -> BTreeMap<Id, StandingBid> {
        self.open = self.open.split_off(&interval);
        let mut bids = self.open.get(&interval).cloned().unwrap_or_default();
        self.forward.retain(|_, bid| interval.0 .0 - bid.interval.0 .0 <= FORWARD_BID_S);
        for (account, bid) in &self.forward {
            if bid.interval <= interval {
                bids.entry(account.clone()).or_insert_with(|| bid.clone());
            }
        }
        bids
    }
}

fn replace_earlier(entry: Entry<'_, Id, StandingBid>, later: StandingBid) {
    match entry {
        Entry::Vacant(place) => {
            place.insert(later);
        }
        Entry::Occupied(mut place) => {
            if place.get().order < later.order {
                place.insert(later);
            }
        }
    }
}

/// Bids are taken one interval before they are due: a site's clock, or its tick, may be ahead of ours.
fn check_time(parameters: &MarketParameters, now: UnixSeconds, interval: Interval) -> Result<(), BidError> {
    if interval != parameters.interval_at(interval.start()) {
        return Err(BidError::Misaligned { interval, interval_s: parameters.interval_s });
    }
    if now >= parameters.gate_closure(interval) {
        return Err(BidError::Closed { interval });
    }
    if now < parameters.bids_open(interval).plus(-parameters.interval_s) {
        return Err(BidError::TooEarly { interval });
    }
    Ok(())
}

fn check_curve(parameters: &MarketParameters, site: &SiteEntry, curve: &FlexCurve) -> Result<(), BidError> {
    let limit = site.connection;
    let extremes = [curve.power_max(), curve.power_min()];
    if let Some(power) = extremes.into_iter().find(|power| *power > limit || *power < -limit) {
        return Err(BidError::BeyondConnection { power_mw: power.0, limit_mw: limit.0 });
    }
    check_prices(parameters, curve)
}

/// A curve's corners lie where the market may clear.
pub(super) fn check_prices(parameters: &MarketParameters, curve: &FlexCurve) -> Result<(), BidError> {
    let (price_min, price_max) = (parameters.price_min, parameters.price_max);
    // One corner alone is an inelastic load: its price means nothing.
    let corners = if curve.points().len() == 1 { &[] } else { curve.points() };
    match corners.iter().find(|corner| corner.price < price_min || corner.price > price_max) {
        Some(corner) => Err(BidError::BeyondPrices {
            price: corner.price.0,
            price_min: price_min.0,
            price_max: price_max.0,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;
    use market::curve::Breakpoint;
    use market::units::{Milliwatt, PicoEurPerWh};

    fn curve(points: &[(i64, i64)]) -> FlexCurve {
        let corner = |(price, power): &(i64, i64)| Breakpoint {
            price: PicoEurPerWh(*price),
            power: Milliwatt(*power),
        };
        FlexCurve::new(points.iter().map(corner).collect()).unwrap()
    }

    fn take(
        book: &mut BidBook,
        now: i64,
        interval: i64,
        (points, forward): (&[(i64, i64)], bool),
        sequence: u64,
    ) -> Result<(), BidError> {
        let site = scene::site_entry("h1", 1_000);
        let interval = Interval(UnixSeconds(interval));
        let reactive_range = Millivar::ZERO;
        let bid = Bid { interval, curve: curve(points), forward, reading: None, reactive_range };
        let id = MessageRef { sender: site.party.clone(), boot: 1, sequence };
        let raw = SignedEnvelope { topic: sequence.to_string(), bytes: Vec::new().into() };
        book.take(&scene::parameters(), UnixSeconds(now), &site, &bid, (&id, &raw)).map(|_| ())
    }

    fn check_refused(now: i64, interval: i64, points: &[(i64, i64)], expected: &str) {
        let refused = take(&mut BidBook::default(), now, interval, (points, false), 1).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }

    #[test]
    fn a_bid_that_breaks_a_rule_is_refused_by_name() {
        check_refused(0, 901, &[(0, 5)], "multiple of 900 s");
        check_refused(780, 900, &[(0, 5)], "has closed");
        check_refused(0, 2_700, &[(0, 5)], "not taken yet");
        check_refused(0, 900, &[(0, 1_001)], "limited to 1000 mW");
        check_refused(0, 900, &[(0, 5), (0, -1_001)], "reaches -1001 mW");
        check_refused(0, 900, &[(0, 5), (4_000_000_001, 0)], "corner at 4000000001");
    }

    #[test]
    fn a_bid_that_was_taken_is_taken_again_when_the_gate_has_closed() {
        let mut book = BidBook::default();
        take(&mut book, 700, 900, (&[(0, 5)], true), 1).unwrap();
        take(&mut book, 780, 900, (&[(0, 5)], true), 1).unwrap();
        let other = take(&mut book, 780, 900, (&[(0, 5)], true), 2).unwrap_err();
        assert!(other.to_string().contains("has closed"), "{other}");
    }

    #[test]
    fn reactive_power_is_taken_where_it_is_cleared_and_the_connection_carries_it() {
        let check = |clears: bool, range: i64, taken: bool| {
            let site = scene::site_entry("h1", 5_000_000);
            let (book, range) = (BidBook::new(clears), Millivar(range));
            assert_eq!(book.check_reactive(&site, range).is_ok(), taken, "{clears} {range}");
        };
        check(true, 5_000_000, true);
        check(true, 5_000_001, false);
        check(true, RANGE_MIN.0 - 1, false);
        check(true, -5_000_000, false);
        check(true, 0, true);
        check(false, 0, true);
        check(false, 5_000_000, false);
    }

    /// Bids of one site as (interval, power, forward, sequence); then what 1800 is cleared on.
    fn check_cleared(bids: &[(i64, i64, bool, u64)], expected: Option<i64>) {
        let mut book = BidBook::default();
        for (interval, power, forward, sequence) in bids {
            take(&mut book, *interval - 700, *interval, (&[(0, *power)], *forward), *sequence).unwrap();
        }
        // One that begins anew with what is kept, before and after it closed, clears the same.
        let again = |book: &BidBook| {
            let mut anew = BidBook::default();
            for (account, bid) in book.standing() {
                anew.restore(TakenBid { account: account.clone(), bid: bid.clone() });
            }
            anew.close(Interval(UnixSeconds(1_800)))
        };
        let before = again(&book);
        let cleared = book.close(Interval(UnixSeconds(1_800)));
        assert_eq!((&before, &again(&book)), (&cleared, &cleared), "{bids:?}");
        assert_eq!(cleared.values().next().map(|bid| bid.curve.power_max().0), expected, "{bids:?}");
    }

    #[test]
    fn the_latest_bid_counts_and_a_silent_site_is_cleared_on_its_forward_bid() {
        check_cleared(&[(1_800, 7, false, 1), (1_800, 8, false, 2)], Some(8));
        check_cleared(&[(1_800, 8, false, 2), (1_800, 7, false, 1)], Some(8));
        check_cleared(&[(900, 5, true, 1)], Some(5));
        check_cleared(&[(900, 5, true, 1), (1_800, 8, false, 2)], Some(8));
        check_cleared(&[(900, 5, false, 1)], None);
        check_cleared(&[(2_700, 5, true, 1)], None);
        check_cleared(&[(1_800 - 87_300, 5, true, 1)], None);
    }
}
