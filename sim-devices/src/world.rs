//! Sites with everything in them, stepped together in simulated time. Nothing here knows a protocol:
//! servers read this state and write controls into it. Where nobody ever does, every device follows
//! its own habit, so the same world replays a day without coordination.

use crate::physics::battery::{Battery, BatterySpec};
use crate::physics::car::{ChargerConfig, ChargerConfigError, ChargerSim};
use crate::physics::connection::ConnectionMeter;
use crate::physics::heat_pump::{HeatPumpConfig, HeatPumpConfigError, HeatPumpSim};
use crate::physics::profile::Profile;
use crate::physics::pv::{Pv, PvSpec};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// One sample a minute.
pub const SAMPLE_S: i64 = 60;
/// Samples kept by site: a day's.
pub const SAMPLES_MAX: usize = 1440;

/// A site and what is in it. Plain data.
#[derive(Clone, Debug)]
pub struct SiteSpec {
    /// Its name, for messages.
    pub name: String,
    /// What is neither named below nor steered.
    pub load: LoadSpec,
    /// Its PV system.
    pub pv: Option<PvSpec>,
    /// Its battery.
    pub battery: Option<BatterySpec>,
    /// Its charge point and the car that comes there.
    pub charger: Option<ChargerConfig>,
    /// Its heat pump.
    pub heat_pump: Option<HeatPumpSpec>,
}

/// A load that follows profiles.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadSpec {
    /// What `active` is in fractions of, positive.
    pub peak: Milliwatt,
    /// Active power.
    pub active: Profile,
    /// What `reactive` is in fractions of, in millivars.
    pub reactive_peak_mvar: i64,
    /// Reactive power, absorbed positive.
    pub reactive: Profile,
}

/// A heat pump and its weather.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatPumpSpec {
    /// The heat pump and its room.
    pub config: HeatPumpConfig,
    /// Outdoor temperature in degrees Celsius.
    pub outdoor_celsius: Profile,
}

/// A site that can't be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The PV system's nameplate is not positive.
    #[error("{0}: the PV nameplate is not positive")]
    Pv(String),
    /// A battery's figure is out of range.
    #[error("{0}: the battery needs positive capacity and powers, and an efficiency of 1 to 1000 permille")]
    Battery(String),
    /// The charger can't be.
    #[error("{0}: {1}")]
    Charger(String, ChargerConfigError),
    /// The heat pump can't be.
    #[error("{0}: {1}")]
    HeatPump(String, HeatPumpConfigError),
}

/// A minute at a site's connection, averaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its first second.
    pub start: UnixSeconds,
    /// Net active power, import positive.
    pub power: Milliwatt,
    /// Net reactive power in millivars, absorbed positive.
    pub reactive_mvar: i64,
}

/// A charge point's state, shared with the server that speaks for it.
pub type SharedCharger = Arc<Mutex<ChargerSim>>;
/// A heat pump's state, shared with the server that speaks for it.
pub type SharedHeatPump = Arc<Mutex<HeatPumpSim>>;
/// The world, shared with every server.
pub type SharedWorld = Arc<Mutex<World>>;

/// Locks what is shared. A panic elsewhere leaves numbers that are still numbers, so it is ignored.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

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
    /// Energy and reactive energy (millivar-seconds) since the last full minute.
    minute: (Millijoule, i64),
}

/// All sites at one instant.
pub struct World {
    now: UnixSeconds,
    sites: Vec<Site>,
}

impl World {
    /// Sites as they are at `start`.
    ///
    /// # Errors
    /// A site that can't be.
    pub fn new(start: UnixSeconds, specs: Vec<SiteSpec>) -> Result<Self, SpecError> {
        let sites = specs.into_iter().map(|spec| Site::new(spec, start)).collect::<Result<_, _>>()?;
        Ok(Self { now: start, sites })
    }

    /// Lets time pass until `now`; an instant that has passed already changes nothing.
    pub fn advance_to(&mut self, now: UnixSeconds) {
        for site in &mut self.sites {
            site.advance(self.now, now);
        }
        self.now = self.now.max(now);
    }

    /// The instant its state is of.
    pub fn now(&self) -> UnixSeconds {
        self.now
    }

    /// Every site, in the order given.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// One site, to write a control into.
    pub fn site_mut(&mut self, index: usize) -> Option<&mut Site> {
        self.sites.get_mut(index)
    }
}

impl Site {
    fn new(spec: SiteSpec, start: UnixSeconds) -> Result<Self, SpecError> {
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
            minute: (Millijoule::ZERO, 0),
            spec,
        })
    }

    fn advance(&mut self, mut now: UnixSeconds, until: UnixSeconds) {
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
        let battery = self.battery.as_ref().and_then(|battery| battery.bounds.lapses());
        pv.into_iter().chain(battery).filter(|change| *change > now).fold(load, UnixSeconds::min)
    }

    fn step(&mut self, now: UnixSeconds, seconds: i64) {
        let load = &self.spec.load;
        let mut energy = Milliwatt(load.active.of(load.peak.0, now)).over_seconds(seconds);
        if let Some(pv) = &mut self.pv {
            energy += pv.step(now, seconds).over_seconds(seconds);
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
        let reactive_mvar = load.reactive.of(load.reactive_peak_mvar, now);
        self.meter.count(energy, reactive_mvar, seconds);
        self.minute.0 += energy;
        self.minute.1 += reactive_mvar * seconds;
    }

    fn sample(&mut self, start: UnixSeconds) {
        let (energy, reactive) = std::mem::take(&mut self.minute);
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        let power = Milliwatt(energy.0 / SAMPLE_S);
        self.samples.push_back(Sample { start, power, reactive_mvar: reactive / SAMPLE_S });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::battery::Bounds;
    use crate::physics::car::CarStay;

    const KW: i64 = 1_000_000;
    const KWH: i64 = 3_600_000_000;

    fn site() -> SiteSpec {
        SiteSpec {
            name: "site".into(),
            load: LoadSpec {
                peak: Milliwatt(2 * KW),
                active: Profile {
                    start: UnixSeconds(0),
                    step_s: 900,
                    values: Arc::new(vec![0.5, 1.0, 0.25]),
                },
                reactive_peak_mvar: 300_000,
                reactive: Profile::constant(1.0),
            },
            pv: Some(PvSpec { nameplate: Milliwatt(4 * KW), sun: Profile::constant(0.5) }),
            battery: None,
            charger: None,
            heat_pump: None,
        }
    }

    fn battery() -> BatterySpec {
        BatterySpec {
            capacity: Millijoule(10 * KWH),
            stored: Millijoule(5 * KWH),
            charge_max: Milliwatt(5 * KW),
            discharge_max: Milliwatt(5 * KW),
            efficiency_permille: 950,
        }
    }

    fn world(spec: SiteSpec) -> World {
        World::new(UnixSeconds(0), vec![spec]).unwrap()
    }

    #[test]
    fn the_meter_counts_what_everything_behind_it_adds_up_to() {
        let mut world = world(site());
        world.advance_to(UnixSeconds(2700));
        // 1, 2 and 0.5 kW of load less 2 kW of sun, a quarter of an hour each.
        let meter = *world.sites()[0].meter();
        assert_eq!(meter.power, Milliwatt(-1_500_000));
        assert_eq!(meter.imported, Millijoule::ZERO);
        assert_eq!(meter.exported, Millijoule((KW + 1_500_000) * 900));
        assert_eq!(meter.reactive_mvar, 300_000);
    }

    #[test]
    fn how_often_time_is_advanced_changes_nothing() {
        let spec = SiteSpec {
            battery: Some(battery()),
            charger: Some(ChargerConfig {
                phases: 3,
                power_max: Milliwatt(11 * KW),
                battery_capacity: Millijoule(60 * KWH),
                stays: vec![CarStay {
                    arrival: UnixSeconds(1000),
                    departure: UnixSeconds(30_000),
                    energy_need: Millijoule(12 * KWH),
                }],
            }),
            heat_pump: Some(HeatPumpSpec {
                config: HeatPumpConfig::default(),
                outdoor_celsius: Profile::constant(-3.0),
            }),
            ..site()
        };
        let (mut one, mut many) = (world(spec.clone()), world(spec));
        one.advance_to(UnixSeconds(36_000));
        (1..=600).for_each(|minute| many.advance_to(UnixSeconds(minute * 60)));
        let (one, many) = (&one.sites()[0], &many.sites()[0]);
        assert_eq!(one.meter(), many.meter());
        assert!(one.samples().eq(many.samples()));
        assert_eq!(one.samples().count(), 600);
        let energy: i64 = one.samples().map(|sample| sample.power.0 * SAMPLE_S).sum();
        let counted = (one.meter().imported - one.meter().exported).0;
        assert!((energy - counted).abs() <= 600 * SAMPLE_S, "{energy} against {counted}");
    }

    #[test]
    fn a_timer_that_ends_within_a_minute_ends_to_the_second() {
        let mut world = world(SiteSpec { battery: Some(battery()), ..site() });
        let bounds = Bounds { bound_charge: true, bound_discharge: true, charge: 2000, discharge: -2000 };
        let site = world.site_mut(0).unwrap();
        site.battery.as_mut().unwrap().bounds.write(UnixSeconds(0), bounds, 90, true);
        site.pv.as_mut().unwrap().limit.write(UnixSeconds(0), 0, 30, true);
        world.advance_to(UnixSeconds(120));
        // 1 kW of load, no sun for 30 s, and 1 kW into the battery for 90 s; then the battery takes
        // all of the sun's surplus.
        let (imported, exported) = (Millijoule(2 * KW * 30), Millijoule::ZERO);
        let meter = world.sites()[0].meter();
        assert_eq!((meter.imported, meter.exported), (imported, exported));
    }

    #[test]
    fn only_the_last_day_is_kept() {
        let mut world = world(site());
        world.advance_to(UnixSeconds(2 * 86_400));
        let samples: Vec<_> = world.sites()[0].samples().collect();
        assert_eq!(samples.len(), SAMPLES_MAX);
        assert_eq!(samples[0].start, UnixSeconds(86_400));
    }

    #[test]
    fn a_site_that_cannot_be_is_refused_by_name() {
        let spec = SiteSpec { battery: Some(BatterySpec { efficiency_permille: 0, ..battery() }), ..site() };
        assert_eq!(World::new(UnixSeconds(0), vec![spec]).err(), Some(SpecError::Battery("site".into())));
    }
}
