//! Bids for day-ahead sessions: which the aggregator takes, and which it refuses and why.

use crate::aggregator::bids::{check_prices, BidError};
use crate::roster::SiteEntry;
use market::day_ahead::rules::DayAheadRules;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use std::collections::btree_map::Entry;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::SignedEnvelope;
use wire::message::day_ahead::DayAheadBid;
use wire::message::MessageRef;
use wire::party::Id;

/// Why a bid for a session is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum DayAheadBidError {
    /// No session begins there.
    #[error("no session begins with the {session}")]
    NoSession {
        /// The interval named.
        session: Interval,
    },
    /// The gate has closed.
    #[error("the gate for the session that begins with the {session} has closed")]
    Closed {
        /// The session.
        session: Interval,
    },
    /// Bids for so late a session are not taken yet.
    #[error("bids for the session that begins with the {session} are not taken yet")]
    TooEarly {
        /// The session.
        session: Interval,
    },
    /// Not one curve for each interval.
    #[error("{count} curves for {expected} intervals")]
    Curves {
        /// Curves bid.
        count: usize,
        /// Intervals.
        expected: usize,
    },
    /// More power than the connection carries, the orders' included.
    #[error("curve and orders reach {power_mw} mW in interval {interval}, and the connection is limited to {limit_mw} mW")]
    BeyondConnection {
        /// Place of the interval.
        interval: usize,
        /// The extreme, in milliwatts.
        power_mw: i128,
        /// The connection's limit, in milliwatts.
        limit_mw: i64,
    },
    /// A curve that is none for this market.
    #[error(transparent)]
    Curve(#[from] BidError),
    /// An order that is none for this session.
    #[error("order {order}: {reason}")]
    Order {
        /// Its place in the bid, storage first.
        order: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// One site's bid as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StandingBid {
    /// What it says.
    pub bid: DayAheadBid,
    /// The signed bid, as evidence.
    pub raw: SignedEnvelope,
    /// Boot and sequence number, by which a later bid is told from an earlier one however they arrive.
    order: (u64, u64),
}

/// Bids of one aggregator's sites for sessions whose gate is open.
#[derive(Clone, Debug, Default)]
pub(super) struct DayAheadBook {
    open: BTreeMap<Interval, BTreeMap<Id, StandingBid>>,
}

/// When a session's bids are taken, and what the market goes by.
pub(super) type Terms<'a> = (&'a DayAheadRules, &'a MarketParameters);

impl DayAheadBook {
    /// Takes a bid of `site`, in place of an earlier one of its own for the same session.
    ///
    /// # Errors
    /// Names the rule it breaks; then nothing changes.
    pub fn take(
        &mut self,
        terms: Terms<'_>,
        now: UnixSeconds,
        site: &SiteEntry,
        bid: &DayAheadBid,
        (id, raw): (&MessageRef, &SignedEnvelope),
    ) -> Result<(), DayAheadBidError> {
        check_time(terms, now, bid.session)?;
        check_orders(terms, bid)?;
        check_curves(terms, site, bid)?;
        let order = (id.boot, id.sequence);
        let standing = StandingBid { bid: bid.clone(), raw: raw.clone(), order };
        match self.open.entry(bid.session).or_default().entry(site.account.clone()) {
            Entry::Vacant(place) => {
                place.insert(standing);
            }
            Entry::Occupied(mut place) if place.get().order < order => {
                place.insert(standing);
            }
            Entry::Occupied(_) => {}
        }
        Ok(())
    }

    /// Takes out what `session` is cleared on, in order of account. Bids for earlier sessions are forgotten.
    pub fn close(&mut self, session: Interval) -> BTreeMap<Id, StandingBid> {
        let bids = self.open.remove(&session).unwrap_or_default();
        self.open = self.open.split_off(&session);
        bids
    }
}

/// Bids are taken one interval before they are due: a site's clock, or its tick, may be ahead of ours.
fn check_time(
    (rules, parameters): Terms<'_>,
    now: UnixSeconds,
    session: Interval,
) -> Result<(), DayAheadBidError> {
    let aligned = session == parameters.interval_at(session.start());
    if !aligned || rules.session_of(parameters, session) != session {
        return Err(DayAheadBidError::NoSession { session });
    }
    if now >= rules.gate_closure(session) {
        return Err(DayAheadBidError::Closed { session });
    }
    if now < rules.bids_open(session).plus(-parameters.interval_s) {
        return Err(DayAheadBidError::TooEarly { session });
    }
    Ok(())
}

/// One order that can't be met would make the whole session infeasible.
fn check_orders((rules, parameters): Terms<'_>, bid: &DayAheadBid) -> Result<(), DayAheadBidError> {
    let (intervals, interval_s) = (rules.intervals, parameters.interval_s);
    let storages = bid.storages.iter().map(|order| order.validate(intervals, interval_s));
    let deferrables = bid.deferrables.iter().map(|order| order.validate(intervals, interval_s));
    for (order, valid) in storages.chain(deferrables).enumerate() {
        valid.map_err(|error| DayAheadBidError::Order { order, reason: error.to_string() })?;
    }
    Ok(())
}

/// Whatever curves and orders may take together must fit the connection.
fn check_curves(
    (rules, parameters): Terms<'_>,
    site: &SiteEntry,
    bid: &DayAheadBid,
) -> Result<(), DayAheadBidError> {
    let (count, expected) = (bid.curves.len(), rules.intervals as usize);
    if count != expected {
        return Err(DayAheadBidError::Curves { count, expected });
    }
    let charged: i128 = bid.storages.iter().map(|order| i128::from(order.charge_max.0)).sum();
    let discharged: i128 = bid.storages.iter().map(|order| i128::from(order.discharge_max.0)).sum();
    let limit = i128::from(site.connection.0);
    for (interval, curve) in bid.curves.iter().enumerate() {
        check_prices(parameters, curve)?;
        let open = bid.deferrables.iter().filter(|order| order.is_open(interval));
        let deferred: i128 = open.map(|order| i128::from(order.power_max.0)).sum();
        let most = i128::from(curve.power_max().0) + charged + deferred;
        let least = i128::from(curve.power_min().0) - discharged;
        if let Some(power_mw) = [most, least].into_iter().find(|power| power.abs() > limit) {
            let limit_mw = site.connection.0;
            return Err(DayAheadBidError::BeyondConnection { interval, power_mw, limit_mw });
        }
    }
    Ok(())
}
