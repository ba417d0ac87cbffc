//! From a case's kilowatts and EUR/MWh to the market's integers.

use super::case::{Case, Corner, Line, OneOrMany};
use super::figures::clip;
use super::refusal::Refusal;
use market::clearing::book::Book;
use market::clearing::Infeasible;
use market::curve::{Breakpoint, FlexCurve};
use market::feeder::{Feeder, Tree};
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh, POWER_BOUND};
use std::collections::HashMap;

/// Finest powers of ten a case is cleared enlarged by.
const FINEST: u32 = 6;

/// A case as the market clears it. It is cleared enlarged: every power is multiplied by one power of
/// ten, which changes no price, so that figures finer than a milliwatt keep their digits and a small
/// feeder's prices are as exact as a large one's.
pub struct Converted {
    pub feeder: Feeder,
    pub tree: Tree,
    pub supply: SupplyCurve,
    /// By site, in the case's order, carbon price included.
    pub curves: Vec<FlexCurve>,
    /// By site: index of its bus.
    pub bus_of: Vec<usize>,
    /// Sites in order of bus, as they stand in the book.
    pub order: Vec<usize>,
    pub book: Book,
    enlarged: f64,
}

/// Extra room for every limit, as a power: none, or as much as rounding the figures can amount to.
#[derive(Clone, Copy)]
pub struct Room(Milliwatt);

impl Room {
    /// Limits as they stand.
    pub const NONE: Self = Self(Milliwatt::ZERO);
}

impl Converted {
    /// Room for what rounding amounts to, if that is all a limit lacks: figures that meet it exactly
    /// in the case, and not quite once each is rounded, are not infeasible.
    pub fn room_for(&self, infeasible: &Infeasible) -> Option<Room> {
        let (needed, allowed) = figures(infeasible);
        let room = self.curves.len() as i64 + 1;
        ((needed.0 - allowed.0).abs() <= room).then_some(Room(Milliwatt(room)))
    }

    /// Back to the case's own kilowatts.
    pub fn kw(&self, power: Milliwatt) -> f64 {
        power.kw() / self.enlarged
    }

    /// The case's figures of a limit that can't be met.
    pub fn limit_kw(&self, infeasible: &Infeasible) -> (f64, f64) {
        let (needed, allowed) = figures(infeasible);
        (self.kw(needed), self.kw(allowed))
    }
}

fn figures(infeasible: &Infeasible) -> (Milliwatt, Milliwatt) {
    let (Infeasible::LineMax { needed, allowed, .. }
    | Infeasible::LineMin { needed, allowed, .. }
    | Infeasible::SupplyMax { needed, allowed }
    | Infeasible::SupplyMin { needed, allowed }) = infeasible;
    (*needed, *allowed)
}

/// Converts a case whose figures were checked.
pub fn convert(case: &Case, room: Room) -> Result<Converted, Refusal> {
    let supply_points = case.tso.curve.as_deref();
    let supply_points = supply_points.ok_or_else(|| Refusal::invalid("tso.curve", "it is missing"))?;
    let enlarged = enlargement(case, supply_points)?;
    let feeder = feeder(case, enlarged, room)?;
    let tree = feeder.tree().map_err(|error| Refusal::invalid("lines", error))?;
    let carbon_price = figure("policy.carbon_price", case.policy.carbon_price)?;
    let emission = match case.tso.emission_t_per_mwh {
        Some(OneOrMany::One(emission)) => figure("tso.emission_t_per_mwh", Some(emission))?,
        _ => 0.0,
    };
    let mut corners = corners("tso.curve", supply_points, carbon_price * emission, enlarged)?;
    if supply_points.windows(2).any(|pair| pair[1][0] < pair[0][0] || pair[1][1] < pair[0][1]) {
        return Err(Refusal::invalid("tso.curve", "price or import decreases"));
    }
    if let [first, .., last] = corners.as_mut_slice() {
        (first.power, last.power) = (first.power - room.0, last.power + room.0);
    }
    let supply = SupplyCurve::new(corners).map_err(|error| Refusal::invalid("tso.curve", error))?;
    let (curves, bus_of) = sites(case, &feeder, carbon_price, enlarged)?;
    let mut order: Vec<usize> = (0..curves.len()).collect();
    order.sort_by_key(|site| bus_of[*site]);
    let mut book = Book::new(feeder.buses.len());
    for site in &order {
        let pushed = book.push(bus_of[*site], curves[*site].points());
        pushed.map_err(|error| Refusal::invalid(format!("sites[{site}].curve"), error))?;
    }
    Ok(Converted { feeder, tree, supply, curves, bus_of, order, book, enlarged })
}

/// The largest power of ten at which all powers together stay within the market's bound.
fn enlargement(case: &Case, supply: &[Corner]) -> Result<f64, Refusal> {
    let curve = |curve: &[Corner]| curve.iter().map(|corner| corner[1].abs()).fold(0.0, f64::max);
    let limit = |line: &Line| line.p_max_kw.unwrap_or(0.0).abs().max(line.p_min_kw.unwrap_or(0.0).abs());
    let sites: f64 = case.sites.iter().map(|site| curve(&site.curve)).sum();
    let largest = case.lines.iter().map(limit).fold(curve(supply).max(sites), f64::max);
    let bound = POWER_BOUND.kw();
    if largest > bound {
        let reason = format!("powers reach {largest:e} kW, beyond the {bound:e} kW the market accepts");
        return Err(Refusal::invalid("sites, lines, tso", reason));
    }
    let fits = |digits: &u32| largest * 10f64.powi(*digits as i32) <= bound;
    Ok(10f64.powi((0..=FINEST).rev().find(fits).unwrap_or(0) as i32))
}

fn figure(place: &str, figure: Option<f64>) -> Result<f64, Refusal> {
    let figure = figure.unwrap_or(0.0);
    let bounded = figure.abs() <= 1e6;
    bounded.then_some(figure).ok_or_else(|| Refusal::invalid(place, "its magnitude is beyond 1e6"))
}

fn corners(
    place: &str,
    curve: &[Corner],
    shift_eur_per_mwh: f64,
    enlarged: f64,
) -> Result<Vec<Breakpoint>, Refusal> {
    if curve.is_empty() {
        return Err(Refusal::invalid(place, "it has no point"));
    }
    let corner = |(i, [price, power]): (usize, &Corner)| {
        let bad =
            |what: &str| Refusal::invalid(format!("{place}[{i}]"), format!("its {what} is out of bounds"));
        let price = PicoEurPerWh::from_eur_per_mwh(price + shift_eur_per_mwh);
        Ok(Breakpoint {
            price: price.ok_or_else(|| bad("price"))?,
            power: Milliwatt::from_kw(power * enlarged).ok_or_else(|| bad("power"))?,
        })
    };
    curve.iter().enumerate().map(corner).collect()
}

fn feeder(case: &Case, enlarged: f64, Room(room): Room) -> Result<Feeder, Refusal> {
    let limit = |place: String, kw: Option<f64>, room: Milliwatt| match kw {
        None => Ok(None),
        Some(kw) => match Milliwatt::from_kw(kw * enlarged) {
            Some(power) => Ok(Some(power + room)),
            None => Err(Refusal::invalid(place, format!("{kw} kW is out of bounds"))),
        },
    };
    let line = |(i, line): (usize, &Line)| {
        if matches!((line.p_min_kw, line.p_max_kw), (Some(least), Some(most)) if least > most) {
            return Err(Refusal::invalid(format!("lines[{i}]"), "p_min_kw lies above p_max_kw"));
        }
        Ok(market::feeder::Line {
            id: line.id.clone(),
            from: line.from.clone(),
            to: line.to.clone(),
            power_max: limit(format!("lines[{i}].p_max_kw"), line.p_max_kw, room)?,
            power_min: limit(format!("lines[{i}].p_min_kw"), line.p_min_kw, -room)?,
            resistance_microohm: 0,
            reactance_microohm: 0,
            rating_millivoltampere: None,
        })
    };
    Ok(Feeder {
        voltage_millivolt: 0,
        root: case.root.clone(),
        buses: case.nodes.iter().map(|node| node.id.clone()).collect(),
        lines: case.lines.iter().enumerate().map(line).collect::<Result<_, _>>()?,
    })
}

fn sites(
    case: &Case,
    feeder: &Feeder,
    carbon_price: f64,
    enlarged: f64,
) -> Result<(Vec<FlexCurve>, Vec<usize>), Refusal> {
    let buses: HashMap<&str, usize> = feeder.buses.iter().map(String::as_str).zip(0..).collect();
    let mut names = HashMap::new();
    let (mut curves, mut bus_of) = (Vec::new(), Vec::new());
    for (i, site) in case.sites.iter().enumerate() {
        let invalid = |key: &str, reason: String| Refusal::invalid(format!("sites[{i}].{key}"), reason);
        if let Some(other) = names.insert(site.id.as_str(), i) {
            return Err(invalid("id", format!("{:?} is sites[{other}] already", clip(&site.id))));
        }
        let bus = buses.get(site.node.as_str());
        bus_of.push(*bus.ok_or_else(|| invalid("node", format!("there is no node {:?}", clip(&site.node))))?);
        if site.curve.windows(2).any(|pair| pair[1][0] < pair[0][0]) {
            return Err(invalid("curve", "a price decreases".to_owned()));
        }
        if site.curve.windows(2).any(|pair| pair[1][1] > pair[0][1]) {
            return Err(invalid("curve", "power increases with price".to_owned()));
        }
        let emission = figure(&format!("sites[{i}].emission_t_per_mwh"), site.emission_t_per_mwh)?;
        let place = format!("sites[{i}].curve");
        // The site answers the price minus what its carbon costs: its curve moves up by that.
        let corners = corners(&place, &site.curve, carbon_price * emission, enlarged)?;
        curves.push(FlexCurve::new(corners).map_err(|error| Refusal::invalid(place, error))?);
    }
    Ok((curves, bus_of))
}
