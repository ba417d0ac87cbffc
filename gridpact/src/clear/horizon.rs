//! A case of several intervals: posed interval by interval as single ones are, cleared together with its
//! storages and deferrables, and shown as lists.

use super::case::{Case, Corner, DeferrableCase, OneOrMany, StorageCase};
use super::convert::{convert, Room};
use super::figures::{check_figures, check_schema};
use super::horizon_result;
use super::problem::{pose, Posed};
use super::refusal::Refusal;
use super::Outcome;
use market::feeder::Tree;
use market::grid::problem::GridProblem;
use market::horizon::error::HorizonError;
use market::horizon::problem::{DeferrableOrder, HorizonProblem, OfferCurve, ProfiledOffer, StorageOrder};
use market::horizon::{clear_certified, MAX_INTERVALS};

/// A case whose several intervals are posed.
pub struct Day {
    /// The case; its sites' and import's curves are those of the interval last looked at.
    pub case: Case,
    changing: Changing,
    pub tree: Tree,
    /// One for each interval.
    pub posed: Vec<Posed>,
    pub problem: HorizonProblem,
}

/// What changes from interval to interval.
struct Changing {
    intervals: usize,
    supplies: Vec<Vec<Corner>>,
    emissions: Vec<f64>,
    /// By site: its curve before it is scaled, and the scales.
    sites: Vec<(Vec<Corner>, Option<Vec<f64>>)>,
}

/// Whether a case has anything that only makes sense over several intervals.
pub fn spans(case: &Case) -> bool {
    case.intervals.is_some_and(|n| n != 1)
        || case.tso.curves.is_some()
        || matches!(case.tso.emission_t_per_mwh, Some(OneOrMany::Many(_)))
        || case.sites.iter().any(|site| site.profile.is_some())
        || !case.storages.is_empty()
        || !case.deferrables.is_empty()
}

/// Clears a case that [`spans`] several intervals.
///
/// # Errors
/// [`Refusal`] where it is not a valid case, asks for what is not built, or nothing certified was found.
pub fn clear(case: Case) -> Result<Outcome, Refusal> {
    check_schema(&case)?;
    check_figures(&case)?;
    check_supported(&case)?;
    let mut day = Day::pose(case)?;
    match clear_certified(&day.problem) {
        Ok((clearing, verdict)) => {
            Ok(Outcome::Optimal(horizon_result::optimal(&mut day, &clearing, &verdict)))
        }
        Err(HorizonError::Infeasible(unmet)) => {
            let (result, words) = horizon_result::infeasible(&day, unmet);
            Ok(Outcome::Infeasible(result, words))
        }
        Err(error) => Err(error.into()),
    }
}

fn check_supported(case: &Case) -> Result<(), Refusal> {
    let policy = &case.policy;
    let priced = [
        ("policy.voltage_deviation_price", policy.voltage_deviation_price),
        ("policy.reserve_up_kw", policy.reserve_up_kw),
        ("policy.reserve_down_kw", policy.reserve_down_kw),
    ];
    for (place, figure) in priced {
        if figure.is_some_and(|figure| figure != 0.0) {
            return Err(Refusal::unsupported(place, "together with several intervals"));
        }
    }
    if case.model == "branchflow_socp" {
        return Err(Refusal::unsupported("model", "branch flow over several intervals"));
    }
    if let Some(line) = case.lines.iter().position(|line| line.taps.is_some()) {
        return Err(Refusal::unsupported(format!("lines[{line}].taps"), "together with several intervals"));
    }
    Ok(())
}

impl Day {
    fn pose(mut case: Case) -> Result<Self, Refusal> {
        let changing = Changing::take(&mut case)?;
        changing.set(&mut case, 0);
        let first = convert(&case, Room::NONE)?;
        let (tree, bus_of) = (first.tree, first.bus_of);
        let mut posed = Vec::with_capacity(changing.intervals);
        for interval in 0..changing.intervals {
            changing.set(&mut case, interval);
            // What is wrong with a curve is found, and named, as in a single interval.
            convert(&case, Room::NONE)?;
            posed.push(pose(&case, &tree, &bus_of)?);
        }
        let problem = problem(&case, &tree, &posed)?;
        Ok(Self { case, changing, tree, posed, problem })
    }

    /// The case as it is in one interval.
    pub fn at(&mut self, interval: usize) -> &Case {
        self.changing.set(&mut self.case, interval);
        &self.case
    }
}

impl Changing {
    fn take(case: &mut Case) -> Result<Self, Refusal> {
        let intervals = case.intervals.unwrap_or(1);
        if intervals == 0 || intervals > MAX_INTERVALS as u64 {
            let reason = format!("{intervals} is not from 1 to {MAX_INTERVALS}");
            return Err(Refusal::invalid("intervals", reason));
        }
        let intervals = intervals as usize;
        let as_many = |place: String, count: usize| match count == intervals {
            true => Ok(()),
            false => Err(Refusal::invalid(place, format!("{count} figures for {intervals} intervals"))),
        };
        let supplies = match (case.tso.curves.take(), case.tso.curve.take()) {
            (Some(curves), None) => curves,
            (None, Some(curve)) => vec![curve; intervals],
            (None, None) => return Err(Refusal::invalid("tso.curves", "it is missing")),
            (Some(_), Some(_)) => return Err(Refusal::invalid("tso", "it has both curve and curves")),
        };
        as_many("tso.curves".to_owned(), supplies.len())?;
        let emissions = match case.tso.emission_t_per_mwh.take() {
            Some(OneOrMany::Many(emissions)) => emissions,
            Some(OneOrMany::One(emission)) => vec![emission; intervals],
            None => vec![0.0; intervals],
        };
        as_many("tso.emission_t_per_mwh".to_owned(), emissions.len())?;
        let mut sites = Vec::with_capacity(case.sites.len());
        for (i, site) in case.sites.iter_mut().enumerate() {
            let profile = site.profile.take();
            if let Some(profile) = &profile {
                as_many(format!("sites[{i}].profile"), profile.len())?;
                if let Some(t) = profile.iter().position(|scale| !(0.0..=1e9).contains(scale)) {
                    return Err(Refusal::invalid(format!("sites[{i}].profile[{t}]"), "not from 0 to 1e9"));
                }
            }
            sites.push((std::mem::take(&mut site.curve), profile));
        }
        Ok(Self { intervals, supplies, emissions, sites })
    }

    fn set(&self, case: &mut Case, interval: usize) {
        case.tso.curve = Some(self.supplies[interval].clone());
        case.tso.emission_t_per_mwh = Some(OneOrMany::One(self.emissions[interval]));
        for (site, (curve, profile)) in case.sites.iter_mut().zip(&self.sites) {
            let scale = profile.as_ref().map_or(1.0, |profile| profile[interval]);
            site.curve = curve.iter().map(|[price, power]| [*price, power * scale]).collect();
        }
    }
}

/// All intervals' problems as one.
fn problem(case: &Case, tree: &Tree, posed: &[Posed]) -> Result<HorizonProblem, Refusal> {
    let first: &GridProblem = &posed[0].problem;
    let offer = |i: usize| ProfiledOffer {
        place: first.offers[i].place,
        reactive: first.offers[i].reactive,
        curves: posed
            .iter()
            .map(|posed| &posed.problem.offers[i])
            .map(|offer| OfferCurve { power_min_kw: offer.power_min_kw, pieces: offer.pieces.clone() })
            .collect(),
    };
    let place = |list: &str, i: usize, node: &str| {
        let bus = case.nodes.iter().position(|known| known.id == node);
        let missing = || Refusal::invalid(format!("{list}[{i}].node"), format!("there is no node {node:?}"));
        bus.map(|bus| tree.place[bus]).ok_or_else(missing)
    };
    let storages = case
        .storages
        .iter()
        .enumerate()
        .map(|(i, order)| Ok(storage(order, place("storages", i, &order.node)?)));
    let deferrables = case
        .deferrables
        .iter()
        .enumerate()
        .map(|(i, order)| Ok(deferrable(order, place("deferrables", i, &order.node)?)));
    Ok(HorizonProblem {
        network: first.network.clone(),
        interval_hours: case.interval_h.unwrap_or(1.0),
        supplies: posed.iter().map(|posed| posed.problem.supply.clone()).collect(),
        offers: (0..first.offers.len()).map(offer).collect(),
        storages: storages.collect::<Result<_, Refusal>>()?,
        deferrables: deferrables.collect::<Result<_, Refusal>>()?,
        loss_price: case.policy.loss_price.unwrap_or(0.0),
    })
}

fn storage(order: &StorageCase, place: usize) -> StorageOrder {
    StorageOrder {
        place,
        charge_max_kw: order.p_ch_max_kw,
        discharge_max_kw: order.p_dis_max_kw,
        energy_min_kwh: order.e_min_kwh,
        energy_max_kwh: order.e_max_kwh,
        energy_start_kwh: order.e0_kwh,
        energy_end_min_kwh: order.e_end_min_kwh,
        charge_efficiency: order.eta_ch,
        discharge_efficiency: order.eta_dis,
        wear_eur_per_mwh: order.wear_eur_per_mwh,
    }
}

fn deferrable(order: &DeferrableCase, place: usize) -> DeferrableOrder {
    DeferrableOrder {
        place,
        energy_kwh: order.energy_kwh,
        power_max_kw: order.p_max_kw,
        start: order.t_start,
        end: order.t_end,
    }
}
