//! Whether a problem's figures make sense, before anything is computed from them; and whether each order
//! could be met if it were alone.

use super::error::{HorizonError, Unmet};
use super::losses;
use super::problem::{DeferrableOrder, HorizonProblem, OfferCurve, ProfiledOffer, StorageOrder};
use crate::grid::problem::{Branch, Network, Piece, Reactive, VoltageBand};

/// Most intervals: four days of quarter hours, or a day and a third of 5-minute ones.
pub const MAX_INTERVALS: usize = 384;

/// Most places of the feeder.
pub const MAX_PLACES: usize = 20_000;

/// Most power of anyone, in kW or kvar.
const POWER_BOUND: f64 = 1e9;

/// Greatest price either way, in EUR/MWh.
const PRICE_BOUND: f64 = 1e6;

/// Greatest figure of anything else.
const BOUND: f64 = 1e12;

/// Part of an energy that rounding may amount to.
const ROUNDING: f64 = 1e-9;

/// Figures of one thing, named when one of them is wrong.
struct Figures(String);

impl Figures {
    fn within(&self, name: &str, value: f64, least: f64, most: f64) -> Result<(), HorizonError> {
        if value >= least && value <= most {
            return Ok(());
        }
        Err(self.wrong(name, value, "which is out of bounds"))
    }

    fn wrong(&self, name: &str, value: f64, reason: &'static str) -> HorizonError {
        HorizonError::Figure { what: format!("{}: {name}", self.0), value, reason }
    }

    fn power(&self, name: &str, value: f64) -> Result<(), HorizonError> {
        self.within(name, value, -POWER_BOUND, POWER_BOUND)
    }

    fn range(&self, names: (&str, &str), least: f64, most: f64) -> Result<(), HorizonError> {
        if least > most {
            return Err(HorizonError::Figure {
                what: format!("{}: {}", self.0, names.0),
                value: least,
                reason: "which lies above the most",
            });
        }
        Ok(())
    }
}

fn shape(what: impl Into<String>, count: usize, expected: usize) -> Result<(), HorizonError> {
    if count == expected {
        return Ok(());
    }
    Err(HorizonError::Shape { what: what.into(), count, expected })
}

/// Checks every figure, and each order on its own.
pub fn validate(problem: &HorizonProblem) -> Result<(), HorizonError> {
    let most = |what, count, most| match count > most {
        true => Err(HorizonError::TooMany { what, count, most }),
        false => Ok(()),
    };
    most("intervals", problem.intervals(), MAX_INTERVALS)?;
    most("places", problem.network.parent.len(), MAX_PLACES)?;
    if problem.intervals() == 0 {
        return shape("supplies", 0, 1);
    }
    Figures("the horizon".into()).within("interval_hours", problem.interval_hours, 1e-3, 1e3)?;
    network(&problem.network)?;
    Figures("the horizon".into()).within("price of losses", problem.loss_price, 0.0, PRICE_BOUND)?;
    losses::check(problem)?;
    for (t, supply) in problem.supplies.iter().enumerate() {
        let figures = Figures(format!("supply of interval {t}"));
        figures.power("import_min_kw", supply.import_min_kw)?;
        pieces(&figures, &supply.pieces)?;
        let pairs = supply.pieces.windows(2);
        ordered(&figures, pairs.map(|pair| (pair[0].price_high, pair[1].price_low)))?;
    }
    for (i, stated) in problem.offers.iter().enumerate() {
        offer(problem, i, stated)?;
    }
    for (i, order) in problem.storages.iter().enumerate() {
        storage(problem, i, order)?;
    }
    problem.deferrables.iter().enumerate().try_for_each(|(i, order)| deferrable(problem, i, order))
}

fn network(network: &Network) -> Result<(), HorizonError> {
    if network.losses.carries() {
        return Err(HorizonError::LossesCarried);
    }
    let places = network.parent.len();
    shape("places", places.min(1), 1)?;
    shape("branches", network.branches.len(), places)?;
    shape("bands", network.bands.len(), places)?;
    Figures("the root".into()).within("squared voltage", network.root_voltage_square_pu, 1e-6, 1e6)?;
    for place in 1..places {
        let figures = Figures(format!("place {place}"));
        if network.parent[place] >= place {
            return Err(figures.wrong("parent", network.parent[place] as f64, "which does not come before"));
        }
        let Branch { resistance_pu_per_kva, reactance_pu_per_kva, ratio_square, .. } =
            network.branches[place];
        let Branch { power_min_kw, power_max_kw, apparent_max_kva, .. } = network.branches[place];
        figures.within("resistance", resistance_pu_per_kva, 0.0, BOUND)?;
        figures.within("reactance", reactance_pu_per_kva, 0.0, BOUND)?;
        figures.within("squared ratio", ratio_square, 1e-2, 1e2)?;
        figures.within("least power", power_min_kw, f64::NEG_INFINITY, BOUND)?;
        figures.within("most power", power_max_kw, -BOUND, f64::INFINITY)?;
        figures.range(("least power", "most power"), power_min_kw, power_max_kw)?;
        figures.within("most apparent power", apparent_max_kva, 0.0, f64::INFINITY)?;
        let VoltageBand { min_square_pu, max_square_pu } = network.bands[place];
        figures.within("least squared voltage", min_square_pu, f64::NEG_INFINITY, BOUND)?;
        figures.within("most squared voltage", max_square_pu, -BOUND, f64::INFINITY)?;
        figures.range(("least squared voltage", "most"), min_square_pu, max_square_pu)?;
    }
    Ok(())
}

fn pieces(figures: &Figures, pieces: &[Piece]) -> Result<(), HorizonError> {
    for Piece { width_kw, price_high, price_low } in pieces {
        figures.within("width of a piece", *width_kw, f64::MIN_POSITIVE, POWER_BOUND)?;
        figures.within("price", *price_high, -PRICE_BOUND, PRICE_BOUND)?;
        figures.within("price", *price_low, -PRICE_BOUND, PRICE_BOUND)?;
        figures.range(("lower price of a piece", "higher"), *price_low, *price_high)?;
    }
    Ok(())
}

/// Refuses pieces of which one follows another that it should come before.
fn ordered(figures: &Figures, mut pairs: impl Iterator<Item = (f64, f64)>) -> Result<(), HorizonError> {
    match pairs.find(|(first, second)| first > second) {
        Some((first, _)) => Err(figures.wrong("price of a piece", first, "which is out of order")),
        None => Ok(()),
    }
}

fn place(figures: &Figures, problem: &HorizonProblem, place: usize) -> Result<(), HorizonError> {
    if place < problem.network.parent.len() {
        return Ok(());
    }
    Err(figures.wrong("place", place as f64, "which does not exist"))
}

fn offer(problem: &HorizonProblem, index: usize, offer: &ProfiledOffer) -> Result<(), HorizonError> {
    let figures = Figures(format!("offer {index}"));
    place(&figures, problem, offer.place)?;
    shape(format!("curves of offer {index}"), offer.curves.len(), problem.intervals())?;
    match offer.reactive {
        Reactive::Fixed { reactive_kvar } => figures.power("reactive power", reactive_kvar)?,
        Reactive::Proportional { tan_phi } => figures.within("tan_phi", tan_phi, -1e3, 1e3)?,
        Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
            figures.power("least reactive power", min_kvar)?;
            figures.power("most reactive power", max_kvar)?;
            figures.range(("least reactive power", "most"), min_kvar, max_kvar)?;
            figures.within("cost of reactive power", cost_eur_per_mvar2_h, 0.0, PRICE_BOUND)?;
        }
    }
    for OfferCurve { power_min_kw, pieces: curve } in &offer.curves {
        figures.power("power_min_kw", *power_min_kw)?;
        pieces(&figures, curve)?;
        ordered(&figures, curve.windows(2).map(|pair| (pair[1].price_high, pair[0].price_low)))?;
    }
    Ok(())
}

fn storage(problem: &HorizonProblem, index: usize, order: &StorageOrder) -> Result<(), HorizonError> {
    let figures = Figures(format!("storage order {index}"));
    place(&figures, problem, order.place)?;
    figures.within("charge_max_kw", order.charge_max_kw, 0.0, POWER_BOUND)?;
    figures.within("discharge_max_kw", order.discharge_max_kw, 0.0, POWER_BOUND)?;
    figures.within("energy_min_kwh", order.energy_min_kwh, -BOUND, BOUND)?;
    figures.within("energy_max_kwh", order.energy_max_kwh, -BOUND, BOUND)?;
    figures.range(("energy_min_kwh", "energy_max_kwh"), order.energy_min_kwh, order.energy_max_kwh)?;
    figures.within("energy_start_kwh", order.energy_start_kwh, -BOUND, BOUND)?;
    figures.within("energy_end_min_kwh", order.energy_end_min_kwh, f64::NEG_INFINITY, BOUND)?;
    figures.within("charge_efficiency", order.charge_efficiency, 1e-3, 1.0)?;
    figures.within("discharge_efficiency", order.discharge_efficiency, 1e-3, 1.0)?;
    figures.within("wear_eur_per_mwh", order.wear_eur_per_mwh, 0.0, PRICE_BOUND)?;
    Ok(reachable(problem, index, order)?)
}

/// Whether a storage order can keep its energy within its limits: what it can reach by the end of an
/// interval is again an interval.
fn reachable(problem: &HorizonProblem, index: usize, order: &StorageOrder) -> Result<(), Unmet> {
    let rise = problem.interval_hours * order.charge_efficiency * order.charge_max_kw;
    let fall = problem.interval_hours * order.discharge_max_kw / order.discharge_efficiency;
    let (mut least, mut most) = (order.energy_start_kwh, order.energy_start_kwh);
    let rounding = ROUNDING * (order.energy_max_kwh.abs().max(order.energy_start_kwh.abs()) + rise + fall);
    let last = problem.intervals() - 1;
    for interval in 0..=last {
        (least, most) = (least - fall, most + rise);
        let end = if interval == last { order.energy_end_min_kwh } else { f64::NEG_INFINITY };
        let floor = order.energy_min_kwh.max(end);
        let unmet = |reachable_kwh, needed_kwh| {
            Err(Unmet::StorageEnergy { storage: index, interval, reachable_kwh, needed_kwh })
        };
        if most < floor - rounding {
            return unmet(most, floor);
        }
        if least > order.energy_max_kwh + rounding {
            return unmet(least, order.energy_max_kwh);
        }
        if floor > order.energy_max_kwh + rounding {
            return unmet(order.energy_max_kwh, floor);
        }
        (least, most) = (least.max(floor), most.min(order.energy_max_kwh));
    }
    Ok(())
}

fn deferrable(problem: &HorizonProblem, index: usize, order: &DeferrableOrder) -> Result<(), HorizonError> {
    let figures = Figures(format!("deferrable order {index}"));
    place(&figures, problem, order.place)?;
    figures.within("power_max_kw", order.power_max_kw, 0.0, POWER_BOUND)?;
    figures.within("energy_kwh", order.energy_kwh, 0.0, BOUND)?;
    figures.within("end", order.end as f64, 0.0, problem.intervals() as f64)?;
    figures.range(("start", "end"), order.start as f64, order.end as f64)?;
    let deliverable_kwh = problem.interval_hours * order.power_max_kw * (order.end - order.start) as f64;
    if order.energy_kwh > deliverable_kwh * (1.0 + ROUNDING) {
        let needed_kwh = order.energy_kwh;
        return Err(Unmet::DeferrableEnergy { order: index, deliverable_kwh, needed_kwh }.into());
    }
    Ok(())
}
