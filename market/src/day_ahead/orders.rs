//! Orders that tie a session's intervals together and that the market itself schedules, in integers:
//! storage offered whole, and energy to be taken within a window.

use crate::units::{Millijoule, Milliwatt, PicoEurPerWh, POWER_BOUND, PRICE_BOUND};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Least efficiency of storage in either direction, in parts per million.
pub const EFFICIENCY_MIN_PPM: u32 = 1_000;

/// Efficiency of storage that loses nothing, in parts per million.
pub const LOSSLESS_PPM: u32 = 1_000_000;

/// Most energy of an order, either sign: 1 TWh would be some four times as much.
const ENERGY_BOUND: Millijoule = Millijoule(1_000_000_000_000_000_000);

/// Storage offered whole. With `c` charged and `d` discharged over an interval of `s` seconds, its energy
/// rises by `s (charge_efficiency c - d / discharge_efficiency)`; the grid sees `c - d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageOffer {
    /// Most power taken from the grid.
    pub charge_max: Milliwatt,
    /// Most power given to the grid, as a positive power.
    pub discharge_max: Milliwatt,
    /// Least energy at the end of any interval.
    pub energy_min: Millijoule,
    /// Most energy at the end of any interval.
    pub energy_max: Millijoule,
    /// Energy before the session's first interval.
    pub energy_start: Millijoule,
    /// Least energy after its last.
    pub energy_end_min: Millijoule,
    /// Part of what is taken that is stored, in millionths.
    pub charge_efficiency_ppm: u32,
    /// Part of what leaves the store that reaches the grid, in millionths.
    pub discharge_efficiency_ppm: u32,
    /// Cost of wear for each watt-hour charged and each discharged.
    pub wear: PicoEurPerWh,
}

/// Energy to be taken within `[start, end)`, in intervals of the session, whatever it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferrableOffer {
    /// Energy taken in all.
    pub energy: Millijoule,
    /// Most power at any time.
    pub power_max: Milliwatt,
    /// First interval in which it may be taken, counted from the session's first.
    pub start: u32,
    /// First interval in which it may no longer be taken.
    pub end: u32,
}

/// An order at a place of the feeder ([`crate::feeder::Tree`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed<O> {
    /// Where.
    pub place: usize,
    /// The order.
    pub order: O,
}

/// All orders of a session, in an order that everyone agrees on: schedules stand in the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Storage.
    pub storages: Vec<Placed<StorageOffer>>,
    /// Energy within a window.
    pub deferrables: Vec<Placed<DeferrableOffer>>,
}

/// Why an order is none, or can't be met even if it were alone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OrderError {
    /// A figure out of bounds, or at odds with another.
    #[error("{what} is {value}, {reason}")]
    Figure {
        /// Which figure.
        what: &'static str,
        /// Its value.
        value: i64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Storage that cannot come into a state it must be in.
    #[error(
        "at the end of interval {interval} its energy can be {reachable} at best, and {needed} is its limit"
    )]
    Unreachable {
        /// Counted from the session's first.
        interval: usize,
        /// The nearest it can come.
        reachable: Millijoule,
        /// The limit.
        needed: Millijoule,
    },
    /// A window too short for its energy.
    #[error("its window delivers {deliverable} at most, and it needs {needed}")]
    Undeliverable {
        /// What the window delivers at the most power.
        deliverable: Millijoule,
        /// What is needed.
        needed: Millijoule,
    },
}

fn within(what: &'static str, value: i64, (least, most): (i64, i64)) -> Result<(), OrderError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(OrderError::Figure { what, value, reason: "which is out of bounds" })
}

/// Millionths of a millijoule, exact where a millijoule is not: an efficiency has six digits.
pub(super) const MICRO: i128 = 1_000_000;

/// Whole millijoules of so many millionths.
fn millijoule(micro: i128) -> Millijoule {
    Millijoule((micro / MICRO).clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

impl StorageOffer {
    /// Checks the figures, and that it can keep its energy within its limits over so many intervals of so
    /// many seconds.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn validate(&self, intervals: u32, interval_s: i64) -> Result<(), OrderError> {
        let energy = (-ENERGY_BOUND.0, ENERGY_BOUND.0);
        let efficiency = (i64::from(EFFICIENCY_MIN_PPM), i64::from(LOSSLESS_PPM));
        within("charge_max", self.charge_max.0, (0, POWER_BOUND.0))?;
        within("discharge_max", self.discharge_max.0, (0, POWER_BOUND.0))?;
        within("energy_min", self.energy_min.0, energy)?;
        within("energy_max", self.energy_max.0, energy)?;
        within("energy_start", self.energy_start.0, energy)?;
        within("energy_end_min", self.energy_end_min.0, energy)?;
        within("charge_efficiency_ppm", self.charge_efficiency_ppm.into(), efficiency)?;
        within("discharge_efficiency_ppm", self.discharge_efficiency_ppm.into(), efficiency)?;
        within("wear", self.wear.0, (0, PRICE_BOUND.0))?;
        if self.energy_min > self.energy_max {
            let (what, value) = ("energy_min", self.energy_min.0);
            return Err(OrderError::Figure { what, value, reason: "which lies above energy_max" });
        }
        self.reachable(intervals, interval_s)
    }

    /// What the store gains over an interval, in millionths of a millijoule; what leaves it rounded up.
    pub(super) fn stored_micro(&self, charge: Milliwatt, discharge: Milliwatt, interval_s: i64) -> i128 {
        let energy = |power: Milliwatt| i128::from(power.0) * i128::from(interval_s);
        let charged = energy(charge) * i128::from(self.charge_efficiency_ppm);
        let efficiency = i128::from(self.discharge_efficiency_ppm.max(1));
        let drawn = energy(discharge) * MICRO * MICRO;
        charged - (drawn + efficiency - 1) / efficiency
    }

    /// Least energy at the end of an interval of a session of so many, in millionths of a millijoule.
    pub(super) fn floor_micro(&self, interval: usize, intervals: usize) -> i128 {
        let floor = if interval + 1 == intervals {
            self.energy_min.max(self.energy_end_min)
        } else {
            self.energy_min
        };
        i128::from(floor.0) * MICRO
    }

    /// What it can reach by the end of an interval is again an interval.
    fn reachable(&self, intervals: u32, interval_s: i64) -> Result<(), OrderError> {
        let rise = self.stored_micro(self.charge_max, Milliwatt::ZERO, interval_s);
        let fall = self.stored_micro(Milliwatt::ZERO, self.discharge_max, interval_s);
        let start = i128::from(self.energy_start.0) * MICRO;
        let ceiling = i128::from(self.energy_max.0) * MICRO;
        let (mut least, mut most) = (start, start);
        for interval in 0..intervals as usize {
            (least, most) = (least + fall, most + rise);
            let floor = self.floor_micro(interval, intervals as usize);
            let unreachable = |reachable, needed| {
                let (reachable, needed) = (millijoule(reachable), millijoule(needed));
                Err(OrderError::Unreachable { interval, reachable, needed })
            };
            if most.min(ceiling) < floor {
                return unreachable(most.min(ceiling), floor);
            }
            if least > ceiling {
                return unreachable(least, ceiling);
            }
            (least, most) = (least.max(floor), most.min(ceiling));
        }
        Ok(())
    }
}

impl DeferrableOffer {
    /// Checks the figures, and that the window is long enough, over so many intervals of so many seconds.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn validate(&self, intervals: u32, interval_s: i64) -> Result<(), OrderError> {
        within("power_max", self.power_max.0, (0, POWER_BOUND.0))?;
        within("energy", self.energy.0, (0, ENERGY_BOUND.0))?;
        within("end", self.end.into(), (1, intervals.into()))?;
        within("start", self.start.into(), (0, i64::from(self.end) - 1))?;
        let seconds = i128::from(self.end - self.start) * i128::from(interval_s);
        let deliverable = i128::from(self.power_max.0) * seconds;
        if i128::from(self.energy.0) > deliverable {
            let deliverable = millijoule(deliverable * MICRO);
            return Err(OrderError::Undeliverable { deliverable, needed: self.energy });
        }
        Ok(())
    }

    /// Whether it may take anything in an interval of its session.
    pub fn is_open(&self, interval: usize) -> bool {
        (self.start as usize..self.end as usize).contains(&interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KWH: i64 = 3_600_000_000;
    const KW: i64 = 1_000_000;

    /// 10 kWh, half full, 4 kW either way, nine tenths each way.
    fn storage() -> StorageOffer {
        StorageOffer {
            charge_max: Milliwatt(4 * KW),
            discharge_max: Milliwatt(4 * KW),
            energy_min: Millijoule(0),
            energy_max: Millijoule(10 * KWH),
            energy_start: Millijoule(5 * KWH),
            energy_end_min: Millijoule(0),
            charge_efficiency_ppm: 900_000,
            discharge_efficiency_ppm: 900_000,
            wear: PicoEurPerWh(2_000_000),
        }
    }

    fn deferrable() -> DeferrableOffer {
        DeferrableOffer { energy: Millijoule(6 * KWH), power_max: Milliwatt(4 * KW), start: 1, end: 3 }
    }

    fn check<E: std::fmt::Display>(found: Result<(), E>, expected: &str) {
        let said = found.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(said.contains(expected) && said.is_empty() == expected.is_empty(), "{said}");
    }

    #[test]
    fn storage_that_makes_no_order_is_refused_by_name() {
        let with = |spoil: &dyn Fn(&mut StorageOffer)| {
            let mut order = storage();
            spoil(&mut order);
            order.validate(4, 3_600)
        };
        check(with(&|_| {}), "");
        check(with(&|o| o.charge_max = Milliwatt(-1)), "charge_max is -1");
        check(with(&|o| o.discharge_max = Milliwatt(i64::MAX)), "discharge_max");
        check(with(&|o| o.energy_min = Millijoule(11 * KWH)), "energy_min");
        check(with(&|o| o.energy_start = Millijoule(i64::MIN)), "energy_start");
        check(with(&|o| o.charge_efficiency_ppm = 0), "charge_efficiency_ppm is 0");
        check(with(&|o| o.discharge_efficiency_ppm = 1_000_001), "discharge_efficiency_ppm is 1000001");
        check(with(&|o| o.wear = PicoEurPerWh(-1)), "wear is -1");
    }

    #[test]
    fn storage_that_cannot_reach_its_end_is_refused_with_what_it_can_reach() {
        let ending = |kwh: i64, intervals| {
            let end = Millijoule(kwh * KWH);
            StorageOffer { energy_end_min: end, ..storage() }.validate(intervals, 3_600)
        };
        // From 5 kWh by 3.6 kWh an hour.
        check(ending(8, 1), "");
        check(ending(9, 1), "interval 0 its energy can be 30960000000 mJ at best");
        check(ending(10, 2), "");
        check(ending(11, 4), "interval 3 its energy can be 36000000000 mJ at best, and 39600000000");
        let too_full = StorageOffer { energy_start: Millijoule(15 * KWH), ..storage() };
        check(too_full.validate(1, 3_600), "can be 38000000000 mJ at best, and 36000000000");
        check(StorageOffer { discharge_max: Milliwatt(5 * KW), ..too_full }.validate(1, 3_600), "");
    }

    #[test]
    fn a_window_too_short_for_its_energy_is_refused() {
        let with = |spoil: &dyn Fn(&mut DeferrableOffer)| {
            let mut order = deferrable();
            spoil(&mut order);
            order.validate(4, 3_600)
        };
        check(with(&|_| {}), "");
        check(with(&|o| o.energy = Millijoule(8 * KWH)), "");
        check(with(&|o| o.energy = Millijoule(8 * KWH + 1)), "delivers 28800000000 mJ at most");
        check(with(&|o| o.start = 3), "start is 3");
        check(with(&|o| o.end = 5), "end is 5");
        check(with(&|o| o.energy = Millijoule(-1)), "energy is -1");
    }
}
