//! A charge point with one connector, and the cars that come and go: when, with what need, and what
//! they draw under the limits the charge point holds. No protocol and no clock lives here.

use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use thiserror::Error;

/// Longest stretch over which power is taken as constant, in seconds.
const SUBSTEP_S: i64 = 60;
/// Least charging current per phase (IEC 61851-1, control pilot).
const CURRENT_MIN_AMPERE: i64 = 6;
/// Nominal phase voltage.
const VOLTAGE: i64 = 230;
/// Above this state of charge, in thousandths, the battery takes less and less.
const TAPER_FROM_PERMILLE: i64 = 800;

/// One stay of a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarStay {
    /// When it is plugged in.
    pub arrival: UnixSeconds,
    /// When it is unplugged, after `arrival`.
    pub departure: UnixSeconds,
    /// What its battery takes until it is full, from nothing to its capacity.
    pub energy_need: Millijoule,
}

/// A charge point, the car that uses it, and the car's stays in order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargerConfig {
    /// Phases it charges on, 1 to 3.
    pub phases: u8,
    /// Most power charge point and car agree on, at least 6 A on its phases.
    pub power_max: Milliwatt,
    /// Usable capacity of the car's battery, positive.
    pub battery_capacity: Millijoule,
    /// The stays, none overlapping another.
    pub stays: Vec<CarStay>,
}

/// A charger that can't be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChargerConfigError {
    /// Other than one to three phases.
    #[error("{0} phases; a charge point has 1 to 3")]
    Phases(u8),
    /// Less than 6 A on all phases, or beyond what a connector carries (1 MW).
    #[error("power_max of {0} is not between 6 A on its phases and 1 MW")]
    PowerMax(Milliwatt),
    /// A battery without capacity, or of more than 1 MWh.
    #[error("battery capacity of {0} is not between 0 and 1 MWh")]
    Capacity(Millijoule),
    /// A stay that ends before it begins, overlaps the one before, or needs more than fits.
    #[error("stay {0} ends before it begins, overlaps the one before, or needs more than the battery holds")]
    Stay(usize),
}

/// From an instant on, what charging is limited to; none where nothing limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitFrom {
    /// First second it holds.
    pub from: UnixSeconds,
    /// Most power; none for no limit.
    pub power: Option<Milliwatt>,
}

/// What the charge point would say of its connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorStatus {
    /// No car.
    Available,
    /// Energy flows.
    Charging,
    /// The car takes nothing: it is full.
    SuspendedEv,
    /// The charge point gives nothing: its limit is below 6 A.
    SuspendedEvse,
}

/// A stay as it went, for the protocol's transactions and for statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StayRecord {
    /// The stay as planned.
    pub stay: CarStay,
    /// The energy counter when the car was plugged in.
    pub register_at_start: Millijoule,
    /// The energy counter when it was unplugged; none while it is here.
    pub register_at_end: Option<Millijoule>,
}

/// The charge point's state. Whoever owns it steps it; protocol servers read it and set limits.
#[derive(Clone, Debug)]
pub struct ChargerSim {
    config: ChargerConfig,
    now: UnixSeconds,
    power: Milliwatt,
    register: Millijoule,
    limits: Vec<LimitFrom>,
    stays: Vec<StayRecord>,
    unmet: Millijoule,
}

impl ChargerSim {
    /// A charge point at `start`, with no limit. Stays that ended before are forgotten; one under
    /// way at `start` begins there.
    ///
    /// # Errors
    /// A configuration that can't be.
    pub fn new(mut config: ChargerConfig, start: UnixSeconds) -> Result<Self, ChargerConfigError> {
        check(&config)?;
        config.stays.retain(|stay| stay.departure > start);
        let mut sim = Self {
            config,
            now: start,
            power: Milliwatt::ZERO,
            register: Millijoule::ZERO,
            limits: Vec::new(),
            stays: Vec::new(),
            unmet: Millijoule::ZERO,
        };
        sim.come_and_go();
        sim.power = sim.power_now();
        Ok(sim)
    }

    /// Lets `seconds` pass.
    pub fn step(&mut self, seconds: u32) {
        let end = self.now.plus(i64::from(seconds));
        while self.now < end {
            self.come_and_go();
            let span_s = (self.next_change().min(end).0 - self.now.0).min(SUBSTEP_S);
            let power = self.power_now();
            let wanted = power.over_seconds(span_s);
            let given = wanted.min(self.remaining());
            self.register += given;
            self.now = self.now.plus(span_s);
        }
        self.come_and_go();
        self.power = self.power_now();
    }

    /// Sets what limits charging from now on: the last entry at or before an instant holds. An
    /// empty list lifts every limit. Entries must be in order of time.
    pub fn set_limits(&mut self, limits: Vec<LimitFrom>) {
        self.limits = limits;
        self.power = self.power_now();
    }

    /// What limits charging, as last set.
    pub fn limits(&self) -> &[LimitFrom] {
        &self.limits
    }

    /// The instant the state is of.
    pub fn now(&self) -> UnixSeconds {
        self.now
    }

    /// Power now.
    pub fn power(&self) -> Milliwatt {
        self.power
    }

    /// Energy given since the charge point was built.
    pub fn register(&self) -> Millijoule {
        self.register
    }

    /// Least power it charges at: 6 A on its phases.
    pub fn power_min(&self) -> Milliwatt {
        power_min(self.config.phases)
    }

    /// Most power it charges at.
    pub fn power_max(&self) -> Milliwatt {
        self.config.power_max
    }

    /// Phases it charges on.
    pub fn phases(&self) -> u8 {
        self.config.phases
    }

    /// Every stay begun so far, in order, the last one possibly still under way.
    pub fn stays(&self) -> &[StayRecord] {
        &self.stays
    }

    /// What cars that have left still needed, in sum.
    pub fn unmet(&self) -> Millijoule {
        self.unmet
    }

    /// What the connector does now.
    pub fn status(&self) -> ConnectorStatus {
        if self.here().is_none() {
            ConnectorStatus::Available
        } else if self.remaining() <= Millijoule::ZERO {
            ConnectorStatus::SuspendedEv
        } else if self.power > Milliwatt::ZERO {
            ConnectorStatus::Charging
        } else {
            ConnectorStatus::SuspendedEvse
        }
    }

    fn here(&self) -> Option<&StayRecord> {
        self.stays.last().filter(|record| record.register_at_end.is_none())
    }

    fn remaining(&self) -> Millijoule {
        self.here().map_or(Millijoule::ZERO, |record| {
            record.stay.energy_need - (self.register - record.register_at_start)
        })
    }

    fn limit_now(&self) -> Option<Milliwatt> {
        self.limits.iter().rev().find(|limit| limit.from <= self.now).and_then(|limit| limit.power)
    }

    /// Unplugs the car whose time has come, plugs in the next.
    fn come_and_go(&mut self) {
        let leaves = self.here().is_some_and(|record| record.stay.departure <= self.now);
        if leaves {
            self.unmet += self.remaining();
            let register = self.register;
            if let Some(record) = self.stays.last_mut() {
                record.register_at_end = Some(register);
            }
        }
        let next = self.config.stays.get(self.stays.len()).copied();
        if let (None, Some(stay)) = (self.here(), next.filter(|stay| stay.arrival <= self.now)) {
            let register_at_start = self.register;
            self.stays.push(StayRecord { stay, register_at_start, register_at_end: None });
        }
    }

    /// The next instant at which a car comes or goes or another limit begins to hold.
    fn next_change(&self) -> UnixSeconds {
        let departure = self.here().map(|record| record.stay.departure);
        let arrival = self.config.stays.get(self.stays.len()).map(|stay| stay.arrival);
        let limit = self.limits.iter().map(|limit| limit.from);
        departure
            .into_iter()
            .chain(arrival)
            .chain(limit)
            .filter(|instant| *instant > self.now)
            .min()
            .unwrap_or(UnixSeconds(i64::MAX))
    }

    fn power_now(&self) -> Milliwatt {
        let remaining = self.remaining();
        if remaining <= Millijoule::ZERO {
            return Milliwatt::ZERO;
        }
        let limit = self.limit_now().unwrap_or(self.config.power_max);
        if limit < self.power_min() {
            return Milliwatt::ZERO;
        }
        limit.min(self.taken_at(remaining))
    }

    /// What the battery takes with `remaining` to go: full power, falling linearly over the last
    /// fifth of its capacity, never below 6 A while it takes anything.
    fn taken_at(&self, remaining: Millijoule) -> Milliwatt {
        let empty_permille = i128::from(remaining.0) * 1000 / i128::from(self.config.battery_capacity.0);
        let tapered_over = i128::from(1000 - TAPER_FROM_PERMILLE);
        if empty_permille >= tapered_over {
            return self.config.power_max;
        }
        let power = i128::from(self.config.power_max.0) * empty_permille / tapered_over;
        Milliwatt(i64::try_from(power).unwrap_or(0)).max(self.power_min())
    }
}

/// 6 A on `phases` phases at 230 V.
pub fn power_min(phases: u8) -> Milliwatt {
    Milliwatt(CURRENT_MIN_AMPERE * VOLTAGE * 1000 * i64::from(phases))
}

fn check(config: &ChargerConfig) -> Result<(), ChargerConfigError> {
    if !(1..=3).contains(&config.phases) {
        return Err(ChargerConfigError::Phases(config.phases));
    }
    if config.power_max < power_min(config.phases) || config.power_max > Milliwatt(1_000_000_000) {
        return Err(ChargerConfigError::PowerMax(config.power_max));
    }
    let capacity = config.battery_capacity;
    if capacity <= Millijoule::ZERO || capacity > Millijoule(3_600_000_000_000) {
        return Err(ChargerConfigError::Capacity(capacity));
    }
    let mut free_from = UnixSeconds(i64::MIN);
    for (index, stay) in config.stays.iter().enumerate() {
        let fits = (Millijoule::ZERO..=capacity).contains(&stay.energy_need);
        if stay.departure <= stay.arrival || stay.arrival < free_from || !fits {
            return Err(ChargerConfigError::Stay(index));
        }
        free_from = stay.departure;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KWH: i64 = 3_600_000_000;

    fn stay(arrival: i64, departure: i64, need_kwh: i64) -> CarStay {
        CarStay {
            arrival: UnixSeconds(arrival),
            departure: UnixSeconds(departure),
            energy_need: Millijoule(need_kwh * KWH),
        }
    }

    fn charger(stays: Vec<CarStay>) -> ChargerSim {
        let config = ChargerConfig {
            phases: 3,
            power_max: Milliwatt(11_040_000),
            battery_capacity: Millijoule(60 * KWH),
            stays,
        };
        ChargerSim::new(config, UnixSeconds(0)).unwrap()
    }

    fn from(instant: i64, watt: i64) -> LimitFrom {
        LimitFrom { from: UnixSeconds(instant), power: Some(Milliwatt(watt * 1000)) }
    }

    /// An hour after a car that needs 30 kWh was plugged in under `limits`.
    fn check_hour(limits: Vec<LimitFrom>, status: ConnectorStatus, wh: i64) {
        let mut sim = charger(vec![stay(0, 36_000, 30)]);
        sim.set_limits(limits);
        sim.step(3600);
        assert_eq!(sim.status(), status);
        assert_eq!(sim.register(), Millijoule(wh * 3_600_000));
    }

    #[test]
    fn a_car_charges_at_once_and_at_the_limit_in_force() {
        check_hour(vec![], ConnectorStatus::Charging, 11_040);
        check_hour(vec![from(0, 6000)], ConnectorStatus::Charging, 6000);
        check_hour(vec![from(0, 4139)], ConnectorStatus::SuspendedEvse, 0);
        check_hour(vec![from(0, 0), from(1800, 8000)], ConnectorStatus::Charging, 4000);
        check_hour(
            vec![LimitFrom { from: UnixSeconds(0), power: None }, from(3600, 0)],
            ConnectorStatus::SuspendedEvse,
            11_040,
        );
    }

    #[test]
    fn what_a_leaving_car_still_needed_is_recorded() {
        let mut sim = charger(vec![stay(60, 3660, 30), stay(7200, 72_000, 5)]);
        assert_eq!(sim.status(), ConnectorStatus::Available);
        sim.step(3660);
        assert_eq!(sim.status(), ConnectorStatus::Available);
        assert_eq!(sim.unmet(), Millijoule(30 * KWH - 11_040 * 3_600_000));
        sim.step(40_000);
        assert_eq!(sim.status(), ConnectorStatus::SuspendedEv);
        assert_eq!(sim.stays().len(), 2);
        assert_eq!(sim.register(), sim.stays()[1].register_at_start + Millijoule(5 * KWH));
    }

    #[test]
    fn charging_slows_towards_a_full_battery() {
        let mut sim = charger(vec![stay(0, 100_000, 12)]);
        assert_eq!(sim.power(), Milliwatt(11_040_000));
        sim.step(1800);
        assert!(sim.power() < Milliwatt(11_040_000) && sim.power() >= sim.power_min());
    }

    #[test]
    fn a_configuration_that_cannot_be_is_refused() {
        let good = charger(vec![]).config;
        let bad = |change: fn(&mut ChargerConfig)| {
            let mut config = good.clone();
            change(&mut config);
            ChargerSim::new(config, UnixSeconds(0)).unwrap_err()
        };
        assert_eq!(bad(|c| c.phases = 4), ChargerConfigError::Phases(4));
        assert_eq!(
            bad(|c| c.power_max = Milliwatt(4_000_000)),
            ChargerConfigError::PowerMax(Milliwatt(4_000_000))
        );
        assert_eq!(bad(|c| c.stays = vec![stay(0, 10, 1), stay(9, 20, 1)]), ChargerConfigError::Stay(1));
        assert_eq!(bad(|c| c.stays = vec![stay(0, 10, 61)]), ChargerConfigError::Stay(0));
    }

    proptest! {
        #[test]
        fn energy_never_exceeds_the_need_nor_power_the_limit(
            steps in prop::collection::vec((1u32..4000, prop::option::of(0i64..12_000)), 1..60)
        ) {
            let mut sim = charger(vec![stay(500, 20_000, 20), stay(30_000, 90_000, 60)]);
            for (seconds, watt) in steps {
                let limit = watt.map(|watt| Milliwatt(watt * 1000));
                sim.set_limits(vec![LimitFrom { from: sim.now(), power: limit }]);
                let before = sim.register();
                sim.step(seconds);
                let cap = limit.unwrap_or(sim.power_max());
                prop_assert!(sim.register() - before <= cap.over_seconds(i64::from(seconds)));
                prop_assert!(sim.power() == Milliwatt::ZERO || (sim.power_min()..=cap).contains(&sim.power()));
                for record in sim.stays() {
                    let end = record.register_at_end.unwrap_or(sim.register());
                    prop_assert!(end - record.register_at_start <= record.stay.energy_need);
                }
            }
        }
    }
}
