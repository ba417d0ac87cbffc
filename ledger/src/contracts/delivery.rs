//! A delivery: what an aggregator's sites were committed to and what they delivered, checked against
//! the root it signed before the interval, and settled to a sum of zero. What they hold day-ahead is
//! settled with it.

use super::bilateral;
use super::delivered::Delivered;
use super::positions::Positions;
use super::reactive;
use super::rules::{Rules, SiteRule};
use super::{reserve, response};
use crate::state::receipt::{Refusal, SettledSite};
use crate::state::{AwardRecord, Changes, IntervalRecord, State};
use market::interval::Interval;
use market::settlement::{
    carbon_part, settle_reactive, settle_site_beyond, Position, SettlementError, SitePrices,
};
use market::units::{Millijoule, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::{DeliveryEntry, SiteDelivery};
use wire::hash::Hash32;
use wire::merkle;
use wire::merkle_sum::{SumLeaf, SumRoot, SumTree};
use wire::party::Id;

/// A site that delivers more than this many times its connection has a broken meter, not energy.
const IMPLAUSIBLE_OVERLOAD: i128 = 10;

/// Why a delivery is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeliveryRefusal {
    /// The interval has no clearing yet.
    #[error("{interval} is not cleared")]
    NotCleared {
        /// The interval.
        interval: Interval,
    },
    /// The interval's clearing awards this aggregator nothing.
    #[error("aggregator {aggregator} has no award in {interval}")]
    NoAward {
        /// Who delivers.
        aggregator: Id,
        /// The interval.
        interval: Interval,
    },
    /// The aggregator's delivery was settled before, or the interval is older than what is kept.
    #[error("{interval} was settled before")]
    Settled {
        /// The interval.
        interval: Interval,
    },
    /// Accounts are not in strictly increasing order.
    #[error("account {account} is not behind the one before it")]
    Order {
        /// The account out of order.
        account: Id,
    },
    /// A site that is not this aggregator's.
    #[error("{account} is no account of a site of this aggregator")]
    OtherSite {
        /// The account.
        account: Id,
    },
    /// Day-ahead positions for an interval that no session holds.
    #[error("{interval} was not cleared day-ahead, and positions are stated")]
    NoSession {
        /// The interval.
        interval: Interval,
    },
    /// A meter reading no such connection can have.
    #[error("{account}: {energy} is more than its connection can carry")]
    Implausible {
        /// The account.
        account: Id,
        /// The reading.
        energy: Millijoule,
    },
    /// The commitments are not those under the root signed before the interval.
    #[error("the commitments are not those under the aggregator's allocations root")]
    Root,
    /// The bids committed to are not those that allocations were made for: one was dropped, put in or
    /// replaced in between.
    #[error("the bids are not those under the root that the aggregator fixed before it was asked")]
    Bids,
    /// The commitments at a bus are not what was allocated there.
    #[error("bus {bus:?}: commitments of {committed} mW, and {allocated} was allocated")]
    Bus {
        /// The bus.
        bus: String,
        /// Sum of the commitments.
        committed: i128,
        /// Allocated by the clearing.
        allocated: Milliwatt,
    },
    /// The commitments of reactive power at a bus are not what was allocated there.
    #[error("bus {bus:?}: reactive commitments of {committed} mvar, and {allocated} was allocated")]
    Reactive {
        /// The bus.
        bus: String,
        /// Sum of the commitments.
        committed: i128,
        /// Allocated by the clearing.
        allocated: Millivar,
    },
    /// An amount does not fit 64 bits.
    #[error("{account}: {source}")]
    Amount {
        /// The account.
        account: Id,
        /// Which amount.
        #[source]
        source: SettlementError,
    },
    /// A role's payments do not fit 64 bits.
    #[error("the payments to {account} do not fit 64 bits")]
    Payments {
        /// The account.
        account: Id,
    },
}

impl DeliveryRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            DeliveryRefusal::NotCleared { .. } => "not-cleared",
            DeliveryRefusal::NoAward { .. } => "no-award",
            DeliveryRefusal::Settled { .. } => "settled-before",
            DeliveryRefusal::Order { .. } | DeliveryRefusal::OtherSite { .. } => "sites",
            DeliveryRefusal::NoSession { .. } => "no-session",
            DeliveryRefusal::Implausible { .. } => "implausible-reading",
            DeliveryRefusal::Root | DeliveryRefusal::Bus { .. } | DeliveryRefusal::Reactive { .. } => "root",
            DeliveryRefusal::Bids => "bids",
            DeliveryRefusal::Amount { .. } | DeliveryRefusal::Payments { .. } => "amount",
        }
    }
}

/// What a delivery by an aggregator, given with its account, changes: payments, and that it is settled.
pub(super) fn execute(
    rules: &Rules,
    state: &State,
    (aggregator, account): (&Id, &Id),
    entry: &DeliveryEntry,
) -> Result<Changes, Refusal> {
    let interval = entry.interval;
    if state.forgotten_to() >= Some(interval) {
        return Err(DeliveryRefusal::Settled { interval }.into());
    }
    let record = state.intervals().get(&interval).ok_or(DeliveryRefusal::NotCleared { interval })?;
    let no_award = || DeliveryRefusal::NoAward { aggregator: aggregator.clone(), interval };
    let award = record.awards.get(aggregator).ok_or_else(no_award)?;
    if award.settled {
        return Err(DeliveryRefusal::Settled { interval }.into());
    }
    let sites = check_sites(rules, aggregator, &entry.sites)?;
    check_commitments(rules, award, &entry.sites, &sites)?;
    let positions = Positions::check(rules, state, aggregator, entry)?;
    let mut owed = owed(&entry.sites, &sites, &positions);
    let delivered = delivered(rules, &owed)?;
    let mut settled: IntervalRecord = record.clone();
    if let Some(award) = settled.awards.get_mut(aggregator) {
        award.settled = true;
    }
    let mut changes = Changes { interval: Some((interval, settled)), ..Changes::default() };
    bilateral::settle(rules, state, (interval, record), &delivered, &mut changes)?;
    response::meter(rules, state, interval, &delivered, &mut changes)?;
    // The market settles a site as if it had not been called.
    for (site, called) in reserve::settle(rules, state, interval, &delivered, &mut changes)? {
        let owed = owed.get_mut(site).and_then(|owed| owed.energy.as_mut());
        let Some(energy) = owed else { continue };
        let uncalled = energy.checked_sub(called);
        *energy = uncalled.ok_or_else(|| DeliveryRefusal::Payments { account: site.clone() })?;
    }
    settle(rules, (record, award), account, &owed, &positions, &mut changes.payments)?;
    Ok(changes)
}

/// What contracts beside the market's own see of each site.
fn delivered<'a>(
    rules: &Rules,
    owed: &BTreeMap<&'a Id, Owed>,
) -> Result<BTreeMap<&'a Id, Delivered>, DeliveryRefusal> {
    let seen = owed.iter().map(|(account, owed)| {
        let energy = owed.commitment.0.checked_mul(rules.parameters.interval_s).map(Millijoule);
        let (commitment, part) = (owed.commitment, "the energy committed");
        let source = SettlementError { commitment, delivered: owed.energy, part };
        let amount = || DeliveryRefusal::Amount { account: (*account).clone(), source };
        Ok((*account, Delivered { committed: energy.ok_or_else(amount)?, metered: owed.energy }))
    });
    seen.collect()
}

/// Each site's rule, in order, every one of them being this aggregator's.
fn check_sites<'a>(
    rules: &'a Rules,
    aggregator: &Id,
    sites: &[SiteDelivery],
) -> Result<Vec<&'a SiteRule>, DeliveryRefusal> {
    if let Some(pair) = sites.windows(2).find(|pair| pair[0].account >= pair[1].account) {
        return Err(DeliveryRefusal::Order { account: pair[1].account.clone() });
    }
    let found = sites.iter().map(|site| {
        let account = site.account.clone();
        let rule = rules.sites.get(&account).filter(|rule| rule.aggregator == *aggregator);
        let rule = rule.ok_or_else(|| DeliveryRefusal::OtherSite { account: account.clone() })?;
        let seconds = i128::from(rules.parameters.interval_s);
        let most = i128::from(rule.connection.0) * seconds * IMPLAUSIBLE_OVERLOAD;
        match site.energy {
            Some(energy) if i128::from(energy.0).abs() > most => {
                Err(DeliveryRefusal::Implausible { account, energy })
            }
            _ => Ok(rule),
        }
    });
    found.collect()
}

/// The commitments are the leaves of the tree the aggregator signed, over the bids it had fixed before, and
/// add up at every bus to what was allocated there.
fn check_commitments(
    rules: &Rules,
    award: &AwardRecord,
    sites: &[SiteDelivery],
    found: &[&SiteRule],
) -> Result<(), DeliveryRefusal> {
    let leaf = |site: &SiteDelivery| SumLeaf {
        account: site.account.clone(),
        bid_hash: site.bid_hash,
        allocation: site.commitment,
        reactive: site.reactive,
    };
    let leaves: Vec<SumLeaf> = sites.iter().map(leaf).collect();
    let root = SumRoot { hash: award.allocations_root, import: award.import, export: award.export };
    check_leaves(rules, (&leaves, found), (&root, &award.bids_root), &award.buses)?;
    match reactive::differs(award, sites, found) {
        Some((bus, committed, allocated)) => {
            let bus = rules.feeder.buses[bus as usize].clone();
            Err(DeliveryRefusal::Reactive { bus, committed, allocated })
        }
        None => Ok(()),
    }
}

/// The leaves, given with their sites, are those of the tree with this root, over the bids with theirs, and
/// add up at every bus to what was allocated there: none can be moved to a bus with another price.
pub(super) fn check_leaves(
    rules: &Rules,
    (leaves, found): (&[SumLeaf], &[&SiteRule]),
    (root, bids_root): (&SumRoot, &Hash32),
    buses: &BTreeMap<u32, Milliwatt>,
) -> Result<(), DeliveryRefusal> {
    if SumTree::build(leaves).root() != *root {
        return Err(DeliveryRefusal::Root);
    }
    let bids: Vec<Hash32> = leaves.iter().map(|leaf| merkle::leaf_hash(&leaf.bid_hash.0)).collect();
    if merkle::root(&bids) != *bids_root {
        return Err(DeliveryRefusal::Bids);
    }
    let mut committed: BTreeMap<u32, i128> = buses.keys().map(|bus| (*bus, 0)).collect();
    for (leaf, rule) in leaves.iter().zip(found) {
        *committed.entry(rule.bus).or_default() += i128::from(leaf.allocation.0);
    }
    for (bus, committed) in committed {
        let allocated = buses.get(&bus).copied().unwrap_or_default();
        if committed != i128::from(allocated.0) {
            let bus = rules.feeder.buses[bus as usize].clone();
            return Err(DeliveryRefusal::Bus { bus, committed, allocated });
        }
    }
    Ok(())
}

/// What one site is settled for: its bus, its day-ahead position, its commitment and what it delivered.
struct Owed {
    bus: u32,
    position: Milliwatt,
    commitment: Milliwatt,
    reactive: Millivar,
    energy: Option<Millijoule>,
}

/// Every site with a commitment, a position or both, by account. One that holds a position and bid nothing in
/// real time was committed to nothing then.
fn owed<'a>(
    sites: &'a [SiteDelivery],
    found: &[&SiteRule],
    positions: &Positions<'a>,
) -> BTreeMap<&'a Id, Owed> {
    let nothing = |bus| Owed {
        bus,
        position: Milliwatt::ZERO,
        commitment: Milliwatt::ZERO,
        reactive: Millivar::ZERO,
        energy: None,
    };
    let mut owed = BTreeMap::new();
    for (account, rule, position) in &positions.sites {
        owed.insert(*account, Owed { position: *position, ..nothing(rule.bus) });
    }
    for (site, rule) in sites.iter().zip(found) {
        let owed = owed.entry(&site.account).or_insert_with(|| nothing(rule.bus));
        (owed.commitment, owed.reactive, owed.energy) = (site.commitment, site.reactive, site.energy);
    }
    owed
}

/// What a delivery that fits settles each of its sites for.
pub(super) fn settled(rules: &Rules, entry: &DeliveryEntry) -> BTreeMap<Id, SettledSite> {
    let bus = |account: &Id| rules.sites.get(account).map_or(u32::MAX, |site| site.bus);
    let mut settled: BTreeMap<Id, SettledSite> = BTreeMap::new();
    for held in &entry.positions {
        let at = SettledSite { bus: bus(&held.account), position: held.position, ..SettledSite::default() };
        settled.insert(held.account.clone(), at);
    }
    for site in &entry.sites {
        let at = settled.entry(site.account.clone()).or_default();
        (at.bus, at.commitment, at.reactive, at.energy) =
            (bus(&site.account), site.commitment, site.reactive, site.energy);
    }
    settled
}

fn settle(
    rules: &Rules,
    (record, award): (&IntervalRecord, &AwardRecord),
    aggregator_account: &Id,
    owed: &BTreeMap<&Id, Owed>,
    positions: &Positions<'_>,
    payments: &mut BTreeMap<Id, NanoEur>,
) -> Result<(), DeliveryRefusal> {
    let price_at = |bus: usize| record.prices.get(bus).copied().unwrap_or_default();
    let root = rules.tree.order[0];
    for (account, owed) in owed {
        let account = *account;
        let bus = owed.bus as usize;
        let prices = SitePrices { bus: price_at(bus), root: price_at(root) };
        let held = Position { power: owed.position, prices: positions.prices_at(bus, root) };
        let amount = |source| DeliveryRefusal::Amount { account: account.clone(), source };
        let settled = settle_site_beyond(&rules.parameters, &held, prices, owed.commitment, owed.energy)
            .map_err(amount)?;
        let reactive_price = award.reactive.get(&owed.bus).map_or(PicoEurPerWh::ZERO, |record| record.price);
        let received = settle_reactive(&rules.parameters, reactive_price, owed.reactive).map_err(amount)?;
        let carbon = carbon_part(&rules.parameters, record.carbon_adder, owed.commitment, owed.energy)
            .map_err(amount)?;
        let penalty = penalty_of(rules, owed).map_err(amount)?;
        let carbon_account = rules.carbon.as_ref().map_or(&rules.tso_account, |(_, account)| account);
        let penalties = [(account, NanoEur(penalty.0.saturating_neg())), (&rules.penalties_account, penalty)];
        let penalties = penalties.into_iter().filter(|_| penalty != NanoEur::ZERO);
        let shares = [
            (&rules.tso_account, NanoEur(carbon.0.saturating_neg())),
            (carbon_account, carbon),
            (account, received),
            (&rules.dso_account, NanoEur(received.0.saturating_neg())),
            (account, settled.site),
            (aggregator_account, settled.aggregator),
            (&rules.tso_account, settled.tso),
            (&rules.dso_account, settled.dso),
            (&rules.rounding_account, settled.rounding),
        ];
        for (account, amount) in shares.into_iter().chain(penalties) {
            let sum = payments.entry(account.clone()).or_default();
            *sum = sum
                .checked_add(amount)
                .ok_or_else(|| DeliveryRefusal::Payments { account: account.clone() })?;
        }
    }
    Ok(())
}

/// What a site pays for delivering something else than it was committed to, besides the imbalance price.
fn penalty_of(rules: &Rules, owed: &Owed) -> Result<NanoEur, SettlementError> {
    let Owed { commitment, energy, .. } = *owed;
    let Some(delivered) = energy else { return Ok(NanoEur::ZERO) };
    let committed = commitment.0.checked_mul(rules.parameters.interval_s).map(Millijoule);
    let penalty = committed.and_then(|committed| rules.parameters.charges.penalty(committed, delivered));
    penalty.ok_or(SettlementError { commitment, delivered: energy, part: "the penalty" })
}
