//! From a grid file to the market's feeder: a tree rooted at the medium-voltage bus, impedances
//! referred to the low-voltage side, ratings, and the real power a capacity-only clearing may use.

use super::simbench::{GridFile, GridLine, Transformer};
use market::feeder::{Feeder, FeederError, Line};
use market::units::Milliwatt;
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;

/// Share of a rating kept free for what a capacity-only clearing doesn't see: losses on the way and
/// sites that take more than committed. The reactive power is taken off on top of it.
pub const KEPT_FREE: f64 = 0.2;

/// A grid that is no single radial low-voltage feeder.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeederBuildError {
    /// Something refers to a bus that isn't there.
    #[error("{what} names bus {bus}, which the grid does not have")]
    UnknownBus {
        /// What refers to it.
        what: String,
        /// The number.
        bus: usize,
    },
    /// Two buses joined by a closed switch, which no grid carried has.
    #[error("a closed switch joins two buses; such grids are not supported")]
    BusSwitch,
    /// A switch names a line that isn't there.
    #[error("a switch names row {element} of {et:?}, which the grid does not have")]
    UnknownElement {
        /// The kind of element.
        et: String,
        /// Its row.
        element: usize,
    },
    /// A figure that can't be, or beyond what the market can hold.
    #[error("{what} of {element} can't be {value}")]
    Figure {
        /// Which figure.
        what: &'static str,
        /// Of what.
        element: String,
        /// The value, in words.
        value: String,
    },
    /// The lines in service make no tree.
    #[error(transparent)]
    Tree(#[from] FeederError),
}

/// The feeder without limits on real power; [`limit`] adds them. The transformer is its first line.
///
/// # Errors
/// Where the grid is not one radial feeder behind one transformer.
pub fn build(grid: &GridFile) -> Result<Feeder, FeederBuildError> {
    let voltage_kv = grid.transformer.vn_lv_kv;
    let names: HashMap<usize, &str> = grid.buses.iter().map(|bus| (bus.id, bus.name.as_str())).collect();
    let name = |what: &str, bus: usize| {
        let unknown = || FeederBuildError::UnknownBus { what: what.to_owned(), bus };
        names.get(&bus).map(|name| (*name).to_owned()).ok_or_else(unknown)
    };
    let mut lines = vec![transformer(&grid.transformer, &name)?];
    for (parent, child, line) in outward(grid)? {
        let figure = |what, value: f64, scale: f64| scaled(what, &line.name, value, scale);
        let rating_va = line.max_i_a * 3f64.sqrt() * voltage_kv * 1e3;
        lines.push(Line {
            id: line.name.clone(),
            from: name(&line.name, parent)?,
            to: name(&line.name, child)?,
            power_max: None,
            power_min: None,
            resistance_microohm: figure("resistance", line.r_ohm_per_km * line.length_km, 1e6)? as u64,
            reactance_microohm: figure("reactance", line.x_ohm_per_km * line.length_km, 1e6)? as u64,
            rating_millivoltampere: Some(figure("rating", rating_va, 1e3)?),
        });
    }
    let lv_buses = grid.buses.iter().filter(|bus| bus.id != grid.transformer.hv_bus);
    let root = name("the transformer", grid.transformer.hv_bus)?;
    let feeder = Feeder {
        voltage_millivolt: scaled("voltage", "the transformer", voltage_kv, 1e6)? as u64,
        buses: std::iter::once(root.clone()).chain(lv_buses.map(|bus| bus.name.clone())).collect(),
        root,
        lines,
    };
    feeder.tree()?;
    Ok(feeder)
}

/// Limits each line's real power, both ways, to what leaves its apparent power within the rating:
/// `sqrt((rating * (1 - KEPT_FREE))^2 - q^2)`, `q` being the most reactive power its customers take at
/// one time. `reactive_var` has, by bus name, their reactive power by interval, in var.
///
/// # Errors
/// Where the feeder is no tree.
pub fn limit(feeder: &mut Feeder, reactive_var: &BTreeMap<String, Vec<f64>>) -> Result<(), FeederError> {
    let tree = feeder.tree()?;
    let intervals = reactive_var.values().map(Vec::len).max().unwrap_or(0);
    let mut below = vec![vec![0.0f64; intervals]; tree.order.len()];
    for (place, bus) in tree.order.iter().enumerate() {
        if let Some(series) = reactive_var.get(&feeder.buses[*bus]) {
            below[place].copy_from_slice(series);
        }
    }
    for place in (1..tree.order.len()).rev() {
        let series = std::mem::take(&mut below[place]);
        let peak_var = series.iter().fold(0.0f64, |most, q| most.max(q.abs()));
        let line = &mut feeder.lines[tree.line[place]];
        if let Some(rating) = line.rating_millivoltampere {
            let usable_va = rating as f64 / 1e3 * (1.0 - KEPT_FREE);
            let real_w = (usable_va * usable_va - peak_var * peak_var).max(0.0).sqrt();
            line.power_max = Some(Milliwatt((real_w * 1e3) as i64));
            line.power_min = line.power_max.map(|most| -most);
        }
        for (sum, q) in below[tree.parent[place]].iter_mut().zip(&series) {
            *sum += q;
        }
    }
    Ok(())
}

/// The transformer as a line: series impedance of its short-circuit test, at the low-voltage side.
fn transformer(
    unit: &Transformer,
    name: &impl Fn(&str, usize) -> Result<String, FeederBuildError>,
) -> Result<Line, FeederBuildError> {
    let base_ohm = unit.vn_lv_kv * unit.vn_lv_kv * 1e3 / unit.sn_kva;
    let impedance_ohm = unit.vk_percent / 100.0 * base_ohm;
    let resistance_ohm = unit.vkr_percent / 100.0 * base_ohm;
    let reactance_ohm = (impedance_ohm * impedance_ohm - resistance_ohm * resistance_ohm).sqrt();
    let figure = |what, value: f64, scale: f64| scaled(what, &unit.name, value, scale);
    Ok(Line {
        id: unit.name.clone(),
        from: name(&unit.name, unit.hv_bus)?,
        to: name(&unit.name, unit.lv_bus)?,
        power_max: None,
        power_min: None,
        resistance_microohm: figure("resistance", resistance_ohm, 1e6)? as u64,
        reactance_microohm: figure("reactance", reactance_ohm, 1e6)? as u64,
        rating_millivoltampere: Some(figure("rating", unit.sn_kva, 1e6)?),
    })
}

/// Lines in service as (parent, child, line), walked from the transformer outwards: the file's own
/// direction means nothing. A loop shows as a bus fed twice, which the tree's check then names.
fn outward(grid: &GridFile) -> Result<Vec<(usize, usize, &GridLine)>, FeederBuildError> {
    let mut in_service: Vec<bool> = grid.lines.iter().map(|line| line.in_service).collect();
    for switch in &grid.switches {
        match (switch.et.as_str(), switch.closed) {
            ("l", false) => {
                let line = in_service.get_mut(switch.element).ok_or_else(|| {
                    FeederBuildError::UnknownElement { et: switch.et.clone(), element: switch.element }
                })?;
                *line = false;
            }
            ("b", true) => return Err(FeederBuildError::BusSwitch),
            _ => {}
        }
    }
    let mut walked = Vec::new();
    let mut frontier = vec![grid.transformer.lv_bus];
    while let Some(parent) = frontier.pop() {
        for (line, waiting) in grid.lines.iter().zip(&mut in_service) {
            let touches = line.from_bus == parent || line.to_bus == parent;
            if touches && std::mem::take(waiting) {
                let child = if line.from_bus == parent { line.to_bus } else { line.from_bus };
                walked.push((parent, child, line));
                frontier.push(child);
            }
        }
    }
    Ok(walked)
}

fn scaled(what: &'static str, element: &str, value: f64, scale: f64) -> Result<i64, FeederBuildError> {
    let scaled = (value * scale).round();
    let refused = || FeederBuildError::Figure { what, element: element.to_owned(), value: value.to_string() };
    ((0.0..=1e15).contains(&scaled)).then_some(scaled as i64).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::super::dataset::{DataFile, Dataset};
    use super::super::simbench::Grid;
    use super::*;

    fn feeder(grid: Grid) -> Feeder {
        let text = Dataset::Embedded.text(DataFile::Grid(grid)).unwrap();
        build(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    /// Buses and rating as the data set's own page states them.
    fn check(grid: Grid, buses: usize, rating_kva: i64) {
        let feeder = feeder(grid);
        assert_eq!(feeder.buses.len(), buses);
        assert_eq!(feeder.lines.len(), buses - 1);
        assert_eq!(feeder.lines[0].rating_millivoltampere, Some(rating_kva * 1_000_000));
    }

    #[test]
    fn every_grid_carried_is_a_tree_behind_its_transformer() {
        check(Grid::Rural1, 15, 160);
        check(Grid::Semiurb4, 44, 400);
        check(Grid::Urban6, 59, 630);
    }

    #[test]
    fn the_transformers_impedance_is_that_of_its_short_circuit_test() {
        // 160 kVA, 4 %, 1.46875 % at 400 V: 1 ohm base, so 40 mohm and 14.6875 mohm, and
        // sqrt(40^2 - 14.6875^2) = 37.2059 mohm.
        let transformer = &feeder(Grid::Rural1).lines[0];
        assert_eq!((transformer.resistance_microohm, transformer.reactance_microohm), (14_688, 37_206));
        // 270 A at 400 V: 187.061 kVA.
        assert_eq!(feeder(Grid::Rural1).lines[1].rating_millivoltampere.unwrap() / 1_000_000, 187);
    }

    #[test]
    fn reactive_power_and_the_share_kept_free_come_off_the_rating() {
        let mut feeder = feeder(Grid::Rural1);
        let bus = feeder.lines[0].to.clone();
        limit(&mut feeder, &BTreeMap::from([(bus, vec![-20_000.0, 90_000.0])])).unwrap();
        // (160 * 0.8)^2 - 90^2 = 91.0165^2, in kVA.
        let most = feeder.lines[0].power_max.unwrap();
        assert_eq!(most.0 / 100_000, 910);
        assert_eq!(feeder.lines[0].power_min, Some(-most));
        let other = feeder.lines[1].power_max.unwrap().kw();
        assert!((other - 187.061 * 0.8).abs() < 0.001, "{other}");
    }
}
