//! What a market that knows the grid goes by, besides the feeder: limits of voltage and loading, the
//! objective's weights, and reactive power as planned. Integers, as they stand in a ledger's genesis.

use super::certificate::{
    self, CertificateError, GridClearing, PartyDemand, ReactiveTerms, Terms, Tolerances,
};
use super::dlmp;
use super::problem::{Branch, Losses, Network, Objective, VoltageBand};
use super::volt_var::{self, PlacedReactive};
use crate::dlmp::BusDlmp;
use crate::feeder::{Feeder, Line, Tree};
use crate::share::Demand;
use crate::supply::SupplyCurve;
use crate::units::{MicroEurPerTonne, MicrogramPerWh, Millivar, Milliwatt, PicoEurPerWh};
use crate::units::{POWER_BOUND, PRICE_BOUND};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The rules. What is left out neither limits nor weighs anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridRules {
    /// Voltage at the grid supply point, in 1e-6 p.u.
    pub root_voltage_micro_pu: i64,
    /// Limits of voltage at every other bus.
    #[serde(default)]
    pub voltage: VoltageLimits,
    /// Limits at single buses, by name, in place of these.
    #[serde(default)]
    pub voltage_at: BTreeMap<String, VoltageLimits>,
    /// Most apparent power of a line in percent of its rating.
    #[serde(default)]
    pub loading_max_percent: Option<u32>,
    /// What a lost watt-hour is weighed with.
    #[serde(default)]
    pub loss_price: PicoEurPerWh,
    /// What is weighed against `(V - 1)^2`, `V` a bus's squared voltage: 1e-6 EUR/h per p.u.^4 and bus.
    #[serde(default)]
    pub voltage_deviation_micro_eur_per_h: i64,
    /// Reactive power planned for, by bus name.
    #[serde(default)]
    pub reactive: BTreeMap<String, Millivar>,
    /// Price of reactive power at which all of an inverter's range is used, as [`super::volt_var`] has it. None
    /// where reactive power is planned only and nobody's offer is cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactive_full_price: Option<PicoEurPerWh>,
    /// What a tonne emitted for the import costs besides. None where the import's price is all there is to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carbon_price: Option<MicroEurPerTonne>,
}

/// Limits of a bus's voltage in 1e-6 p.u.; none where unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoltageLimits {
    /// Least.
    pub min_micro_pu: Option<i64>,
    /// Most.
    pub max_micro_pu: Option<i64>,
}

/// Why rules and feeder make no market that knows its grid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GridRulesError {
    /// A bus the feeder does not have.
    #[error("the grid rules' {what} names the bus {bus:?}, which is not on the feeder")]
    UnknownBus {
        /// voltage or reactive power.
        what: &'static str,
        /// The bus.
        bus: String,
    },
    /// A figure that cannot be.
    #[error("the grid rules' {what} can't be {value}")]
    Figure {
        /// Which one.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// A least voltage above its most.
    #[error("the grid rules' least voltage, {min}e-6 p.u., is above the most, {max}e-6 p.u.")]
    Reversed {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// Impedances mean nothing without it.
    #[error("a feeder without a voltage has no impedances in p.u.")]
    NoVoltage,
}

/// Feeder and rules, as the problem and its certificate have them.
#[derive(Clone, Debug, PartialEq)]
pub struct GridTerms {
    /// The feeder by place.
    pub network: Network,
    /// The objective's weights.
    pub objective: Objective,
    /// Reactive power planned for, by place.
    pub reactive: Vec<Millivar>,
    /// Price of reactive power at which all of an inverter's range is used.
    pub reactive_full_price: Option<PicoEurPerWh>,
    /// How closely a clearing's certificate must hold.
    pub tolerances: Tolerances,
}

/// What a party asks for from the price tolerance above its bus's price to as much below, and was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedDemand {
    /// Where it stands.
    pub place: usize,
    /// What it asks for.
    pub range: Demand,
    /// What it was given.
    pub allocation: Milliwatt,
}

/// Voltages are planned between these, in 1e-6 p.u.
const VOLTAGE_RANGE: (i64, i64) = (500_000, 1_500_000);

/// Weights of voltage deviation are at most this.
const DEVIATION_BOUND: i64 = 1_000_000_000_000_000;

/// A carbon price is at most 1e5 EUR/t.
const CARBON_PRICE_BOUND: i64 = 100_000_000_000;

impl GridRules {
    /// What the carbon price adds to the price of import that emits so much; none where that is beyond the
    /// market's prices.
    pub fn carbon_adder(&self, emission: MicrogramPerWh) -> Option<PicoEurPerWh> {
        self.carbon_price.map_or(Some(PicoEurPerWh::ZERO), |price| price.adder(emission))
    }

    /// The rules applied to a feeder.
    ///
    /// # Errors
    /// Names the first figure that can't be, or the bus that isn't there.
    pub fn terms(&self, feeder: &Feeder, tree: &Tree) -> Result<GridTerms, GridRulesError> {
        self.check(feeder)?;
        let bus = |place: usize| &feeder.buses[tree.order[place]];
        let places = 0..tree.order.len();
        let band = |place: usize| self.voltage_at.get(bus(place)).unwrap_or(&self.voltage).band();
        let root_pu = self.root_voltage_micro_pu as f64 / 1e6;
        let kilovolt = feeder.voltage_millivolt as f64 / 1e6;
        let branch = |place: usize| self.branch(&feeder.lines[tree.line[place]], kilovolt);
        let idle = Branch { power_min_kw: f64::NEG_INFINITY, ..Branch::open() };
        Ok(GridTerms {
            network: Network {
                parent: tree.parent.clone(),
                branches: places.clone().map(|place| if place == 0 { idle } else { branch(place) }).collect(),
                bands: places.clone().map(band).collect(),
                root_voltage_square_pu: root_pu * root_pu,
                losses: Losses::Neglected,
            },
            objective: Objective {
                loss_price: self.loss_price.eur_per_mwh(),
                voltage_deviation_price: self.voltage_deviation_micro_eur_per_h as f64 / 1e6,
                ..Objective::default()
            },
            reactive: places
                .map(|place| self.reactive.get(bus(place)).copied().unwrap_or_default())
                .collect(),
            reactive_full_price: self.reactive_full_price,
            tolerances: Tolerances::default(),
        })
    }

    fn check(&self, feeder: &Feeder) -> Result<(), GridRulesError> {
        if feeder.voltage_millivolt == 0 {
            return Err(GridRulesError::NoVoltage);
        }
        let named = self.voltage_at.keys().map(|bus| ("voltage", bus));
        let named = named.chain(self.reactive.keys().map(|bus| ("reactive power", bus)));
        for (what, bus) in named {
            if !feeder.buses.contains(bus) {
                return Err(GridRulesError::UnknownBus { what, bus: bus.clone() });
            }
        }
        for limits in std::iter::once(&self.voltage).chain(self.voltage_at.values()) {
            limits.check()?;
        }
        let within = |what, value: i64, (least, most): (i64, i64)| {
            let holds = (least..=most).contains(&value);
            holds.then_some(()).ok_or(GridRulesError::Figure { what, value })
        };
        within("root_voltage_micro_pu", self.root_voltage_micro_pu, VOLTAGE_RANGE)?;
        within("loss_price", self.loss_price.0, (0, PRICE_BOUND.0))?;
        let full = self.reactive_full_price.map_or(1, |price| price.0);
        within("reactive_full_price", full, (1, PRICE_BOUND.0))?;
        let carbon = self.carbon_price.map_or(0, |price| price.0);
        within("carbon_price", carbon, (0, CARBON_PRICE_BOUND))?;
        let deviation = self.voltage_deviation_micro_eur_per_h;
        within("voltage_deviation_micro_eur_per_h", deviation, (0, DEVIATION_BOUND))?;
        let loading = i64::from(self.loading_max_percent.unwrap_or(100));
        within("loading_max_percent", loading, (1, 1_000))?;
        let bound = (-POWER_BOUND.0, POWER_BOUND.0);
        self.reactive.values().try_for_each(|reactive| within("reactive", reactive.0, bound))
    }

    fn branch(&self, line: &Line, kilovolt: f64) -> Branch {
        // Ohm at 1 kVA and this voltage make 1 p.u.
        let ohm_per_pu = kilovolt * kilovolt * 1e3;
        let apparent_kva = |rating: i64, percent: u32| rating as f64 / 1e6 * f64::from(percent) / 100.0;
        let limit = line.rating_millivoltampere.zip(self.loading_max_percent);
        Branch {
            resistance_pu_per_kva: line.resistance_microohm as f64 / 1e6 / ohm_per_pu,
            reactance_pu_per_kva: line.reactance_microohm as f64 / 1e6 / ohm_per_pu,
            power_min_kw: line.power_min.map_or(f64::NEG_INFINITY, Milliwatt::kw),
            power_max_kw: line.power_max.map_or(f64::INFINITY, Milliwatt::kw),
            apparent_max_kva: limit.map_or(f64::INFINITY, |(rating, percent)| apparent_kva(rating, percent)),
            ..Branch::open()
        }
    }
}

impl Branch {
    /// A line without impedance or limits.
    fn open() -> Self {
        Self {
            resistance_pu_per_kva: 0.0,
            reactance_pu_per_kva: 0.0,
            ratio_square: 1.0,
            power_min_kw: f64::NEG_INFINITY,
            power_max_kw: f64::INFINITY,
            apparent_max_kva: f64::INFINITY,
        }
    }
}

impl VoltageLimits {
    fn band(&self) -> VoltageBand {
        let square = |micro_pu: i64| {
            let pu = micro_pu as f64 / 1e6;
            pu * pu
        };
        VoltageBand {
            min_square_pu: self.min_micro_pu.map_or(f64::NEG_INFINITY, square),
            max_square_pu: self.max_micro_pu.map_or(f64::INFINITY, square),
        }
    }

    fn check(&self) -> Result<(), GridRulesError> {
        let (least, most) = VOLTAGE_RANGE;
        for value in [self.min_micro_pu, self.max_micro_pu].into_iter().flatten() {
            if !(least..=most).contains(&value) {
                return Err(GridRulesError::Figure { what: "voltage limit", value });
            }
        }
        match (self.min_micro_pu, self.max_micro_pu) {
            (Some(min), Some(max)) if min > max => Err(GridRulesError::Reversed { min, max }),
            _ => Ok(()),
        }
    }
}

impl GridTerms {
    /// As [`GridTerms::check_with_reactive`], where nobody offers reactive power.
    ///
    /// # Errors
    /// The certificate's first condition that fails.
    pub fn check(
        &self,
        supply: &SupplyCurve,
        clearing: &GridClearing,
        demands: &[PlacedDemand],
    ) -> Result<(), CertificateError> {
        self.check_with_reactive(supply, clearing, demands, &[])
    }

    /// Checks a clearing against what the parties ask for at its prices, the reactive power on offer, and what
    /// is planned for besides.
    ///
    /// # Errors
    /// The certificate's first condition that fails; where reactive power is on offer in a market that clears
    /// none, or in no range, as if the terms were none.
    pub fn check_with_reactive(
        &self,
        supply: &SupplyCurve,
        clearing: &GridClearing,
        demands: &[PlacedDemand],
        offered: &[PlacedReactive],
    ) -> Result<(), CertificateError> {
        let GridTerms { network, objective, reactive, tolerances, reactive_full_price } = self;
        let terms = Terms { network, supply, objective, tolerances: *tolerances };
        let price = |place: usize| clearing.prices.get(place).copied().unwrap_or_default();
        let taken = |demand: &PlacedDemand, reactive: Millivar| PartyDemand {
            place: demand.place,
            answered: price(demand.place),
            range: demand.range,
            allocation: demand.allocation,
            reactive: ReactiveTerms::Fixed { reactive },
            reactive_allocation: reactive,
            reserve_up: None,
            reserve_down: None,
        };
        let mut parties: Vec<PartyDemand> =
            demands.iter().map(|demand| taken(demand, Millivar::ZERO)).collect();
        let nothing = (Demand::default(), Milliwatt::ZERO);
        let planned = reactive.iter().enumerate().filter(|(_, reactive)| **reactive != Millivar::ZERO);
        parties.extend(planned.map(|(place, reactive)| {
            taken(&PlacedDemand { place, range: nothing.0, allocation: nothing.1 }, *reactive)
        }));
        for PlacedReactive { place, range, allocation } in offered {
            let none = CertificateError::Terms { what: "reactive power on offer", place: *place };
            let full = reactive_full_price.filter(|_| *range > Millivar::ZERO).ok_or(none)?;
            let placed = PlacedDemand { place: *place, range: nothing.0, allocation: nothing.1 };
            parties.push(PartyDemand {
                reactive: volt_var::terms(full, *range),
                reactive_allocation: *allocation,
                ..taken(&placed, Millivar::ZERO)
            });
        }
        certificate::check(&terms, clearing, &parties)
    }

    /// What the prices of a published clearing are made of, by place; as [`dlmp::published`].
    pub fn dlmps(&self, clearing: &GridClearing) -> Option<Vec<BusDlmp>> {
        dlmp::published(&self.network, &self.objective, clearing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feeder() -> Feeder {
        let line = Line {
            id: "l".to_owned(),
            from: "a".to_owned(),
            to: "b".to_owned(),
            power_max: Some(Milliwatt(70_000_000)),
            power_min: None,
            resistance_microohm: 80_000,
            reactance_microohm: 16_000,
            rating_millivoltampere: Some(100_000_000),
        };
        let buses = vec!["b".to_owned(), "a".to_owned()];
        Feeder { voltage_millivolt: 400_000, root: "a".to_owned(), buses, lines: vec![line] }
    }

    fn rules() -> GridRules {
        GridRules {
            root_voltage_micro_pu: 1_020_000,
            voltage: VoltageLimits { min_micro_pu: Some(950_000), max_micro_pu: None },
            voltage_at: BTreeMap::new(),
            loading_max_percent: Some(90),
            loss_price: PicoEurPerWh(50_000_000),
            voltage_deviation_micro_eur_per_h: 0,
            reactive: BTreeMap::from([("b".to_owned(), Millivar(3_000_000))]),
            reactive_full_price: None,
            carbon_price: None,
        }
    }

    #[test]
    fn figures_become_per_unit_by_place() {
        let feeder = feeder();
        let terms = rules().terms(&feeder, &feeder.tree().unwrap()).unwrap();
        // 0.08 ohm of 160 ohm (400 V squared over 1 kVA).
        assert!((terms.network.branches[1].resistance_pu_per_kva - 0.0005).abs() < 1e-15);
        assert!((terms.network.branches[1].apparent_max_kva - 90.0).abs() < 1e-12);
        assert_eq!((terms.network.branches[1].power_max_kw, terms.objective.loss_price), (70.0, 50.0));
        assert!((terms.network.root_voltage_square_pu - 1.0404).abs() < 1e-12);
        assert!((terms.network.bands[1].min_square_pu - 0.9025).abs() < 1e-12);
        assert_eq!(terms.reactive, [Millivar(0), Millivar(3_000_000)]);
    }

    #[test]
    fn what_makes_no_market_is_refused_by_name() {
        let feeder = feeder();
        let check = |spoil: &dyn Fn(&mut GridRules), expected: &str| {
            let mut rules = rules();
            spoil(&mut rules);
            let said = rules.terms(&feeder, &feeder.tree().unwrap()).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}");
        };
        check(&|r| r.root_voltage_micro_pu = 0, "root_voltage_micro_pu can't be 0");
        check(&|r| r.voltage.max_micro_pu = Some(i64::MAX), "voltage limit can't be");
        check(&|r| r.voltage.max_micro_pu = Some(940_000), "is above the most");
        check(&|r| r.voltage_at = [("c".into(), VoltageLimits::default())].into(), "names the bus \"c\"");
        check(&|r| r.reactive = [("d".into(), Millivar(1))].into(), "names the bus \"d\"");
        check(&|r| r.reactive = [("a".into(), Millivar(i64::MIN))].into(), "reactive can't be");
        check(&|r| r.loss_price = PicoEurPerWh(-1), "loss_price can't be -1");
        check(&|r| r.carbon_price = Some(MicroEurPerTonne(-1)), "carbon_price can't be -1");
        check(&|r| r.reactive_full_price = Some(PicoEurPerWh(0)), "reactive_full_price can't be 0");
        check(&|r| r.loading_max_percent = Some(0), "loading_max_percent can't be 0");
        check(&|r| r.voltage_deviation_micro_eur_per_h = -1, "voltage_deviation_micro_eur_per_h");
    }
}
