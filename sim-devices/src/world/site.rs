//! One site: its devices stepped together, and its meter.

use super::lock;
use super::spec::{HeatPumpSpec, SiteSpec, SpecError};
use crate::physics::battery::{Battery, BatterySpec};
use crate::physics::car::ChargerSim;
use crate::physics::connection::ConnectionMeter;
use crate::physics::heat_pump::HeatPumpSim;
use crate::physics::pv::Pv;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// One sample a minute.
pub const SAMPLE_S: i64 = 60;
/// Samples kept by site: a day's.
pub const SAMPLES_MAX: usize = 1440;

/// A minute at a site's connection, averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its first second.
    pub start: UnixSeconds,
    /// Net active power, import positive.
    pub power: Milliwatt,
    /// Net reactive power in millivars, absorbed positive.
    pub reactive_mvar: i64,
    /// What its PV gave, as a positive power.
    pub generated: Milliwatt,
}

/// What has flowed since the last full minute.
#[derive(Clone, Copy, Debug, Default)]
struct Flowed {
    net: Millijoule,
    reactive_mvar_s: i64,
    generated: Millijoule,
}

/// A charge point's state, shared with the server that speaks for it.
pub type SharedCharger = Arc<Mutex<ChargerSim>>;
/// A heat pump's state, shared with the server that speaks for it.
pub type SharedHeatPump = Arc<Mutex<HeatPumpSim>>;
/// One site's state.
pub struct Site {
    spec: SiteSpec,
    meter: ConnectionMeter,
    /// Its PV system.
    pub pv: Option<Pv>,
    /// Its battery.
    pub battery: Option<Battery>,
    charger: Option<SharedCharger>,
    heat_pump: Option<SharedHeatPump>,
    samples: VecDeque<Sample>,
    minute: Flowed,
}

impl Site {
    pub(super) fn new(spec: SiteSpec, start: UnixSeconds) -> Result<Self, SpecError> {
        let name = || spec.name.clone();
        if spec.pv.as_ref().is_some_and(|pv| pv.nameplate <= Milliwatt::ZERO) {
            return Err(SpecError::Pv(name()));
        }
        if spec.battery.as_ref().is_some_and(|battery| !can_be(battery)) {
            return Err(SpecError::Battery(name()));
        }
        let charger = match spec.charger.clone() {
            Some(config) => Some(ChargerSim::new(config, start).map_err(|e| SpecError::Charger(name(), e))?),
            None => None,
        };
        let heat_pump = match &spec.heat_pump {
            Some(HeatPumpSpec { config, outdoor_celsius }) => {
                let sim = HeatPumpSim::new(config.clone(), start, outdoor_celsius.of(1000, start));
                Some(sim.map_err(|e| SpecError::HeatPump(name(), e))?)
            }
            None => None,
        };
        Ok(Self {
            meter: ConnectionMeter::default(),
            pv: spec.pv.clone().map(|pv| Pv::new(pv, start)),
            battery: spec.battery.clone().map(Battery::new),
            charger: charger.map(|sim| Arc::new(Mutex::new(sim))),
            heat_pump: heat_pump.map(|sim| Arc::new(Mutex::new(sim))),
            samples: VecDeque::new(),
            minute: Flowed::default(),
            spec,
        })
    }

    pub(super) fn advance(&mut self, mut now: UnixSeconds, until: UnixSeconds) {
        while now < until {
            let minute_end = now.plus(SAMPLE_S - now.0.rem_euclid(SAMPLE_S));
            let end = self.next_change(now).min(minute_end).min(until);
            self.step(now, end.0 - now.0);
            now = end;
            if now == minute_end {
                self.sample(now.plus(-SAMPLE_S));
            }
        }
    }

    /// The first instant after `now` at which something steps by itself. Charger and heat pump keep
    /// their own.
    fn next_change(&self, now: UnixSeconds) -> UnixSeconds {
        let load = self.spec.load.active.next_change(now).min(self.spec.load.reactive.next_change(now));
        let pv = self.pv.as_ref().map(|pv| pv.next_change(now));
        let battery = self.battery.iter().flat_map(|b| [b.bounds.lapses(), b.service.next_change(now)]);
        let battery = battery.flatten();
        pv.into_iter().chain(battery).filter(|change| *change > now).fold(load, UnixSeconds::min)
    }

    fn step(&mut self, now: UnixSeconds, seconds: i64) {
        let load = &self.spec.load;
        let mut energy = Milliwatt(load.active.of(load.peak.0, now)).over_seconds(seconds);
        if let Some(pv) = &mut self.pv {
            let generated = pv.step(now, seconds).over_seconds(seconds);
            energy += generated;
            self.minute.generated -= generated;
        }
        // At most a minute, so it fits.
        let span = seconds as u32;
        if let Some(charger) = &self.charger {
            let mut charger = lock(charger);
            let before = charger.register();
            charger.step(span);
            energy += charger.register() - before;
        }
        if let (Some(heat_pump), Some(spec)) = (&self.heat_pump, &self.spec.heat_pump) {
            let mut heat_pump = lock(heat_pump);
            let before = heat_pump.register();
            heat_pump.step(span, spec.outdoor_celsius.of(1000, now));
            energy += heat_pump.register() - before;
        }
        if let Some(battery) = &mut self.battery {
            let others = Milliwatt(energy.0 / seconds);
            energy += battery.step(now, seconds, others).over_seconds(seconds);
        }
        let of_pv = self.pv.as_ref().map_or(0, |pv| pv.reactive_mvar(now));
        let reactive_mvar = load.reactive.of(load.reactive_peak_mvar, now) + of_pv;
        self.meter.count(energy, reactive_mvar, seconds);
        self.minute.net += energy;
        self.minute.reactive_mvar_s += reactive_mvar * seconds;
    }

    fn sample(&mut self, start: UnixSeconds) {
        let flowed = std::mem::take(&mut self.minute);
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            start,
            power: Milliwatt(flowed.net.0 / SAMPLE_S),
            reactive_mvar: flowed.reactive_mvar_s / SAMPLE_S,
            generated: Milliwatt(flowed.generated.0 / SAMPLE_S),
        });
    }

    /// What it was built from.
    pub fn spec(&self) -> &SiteSpec {
        &self.spec
    }

    /// Its meter.
    pub fn meter(&self) -> &ConnectionMeter {
        &self.meter
    }

    /// Its charge point.
    pub fn charger(&self) -> Option<&SharedCharger> {
        self.charger.as_ref()
    }

    /// Its heat pump.
    pub fn heat_pump(&self) -> Option<&SharedHeatPump> {
        self.heat_pump.as_ref()
    }

    /// Its last full minutes, at most [`SAMPLES_MAX`], in order.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter()
    }

    /// Most power either way its parts can add up to.
    pub fn power_max(&self) -> Milliwatt {
        let load = &self.spec.load;
        let most = load.active.values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        let pv = self.pv.as_ref().map_or(0, |pv| pv.nameplate().0);
        let battery = self.spec.battery.as_ref().map_or(0, |b| b.charge_max.0.max(b.discharge_max.0));
        let charger = self.spec.charger.as_ref().map_or(0, |charger| charger.power_max.0);
        let heat_pump = self.spec.heat_pump.as_ref().map_or(0, |heat_pump| heat_pump.config.power_max.0);
        Milliwatt((load.peak.0 as f64 * most) as i64 + pv + battery + charger + heat_pump)
    }
}

fn can_be(battery: &BatterySpec) -> bool {
    battery.capacity > Millijoule::ZERO
        && battery.charge_max > Milliwatt::ZERO
        && battery.discharge_max > Milliwatt::ZERO
        && (1..=1000).contains(&battery.efficiency_permille)
}
