//! Sites with everything in them, stepped together in simulated time. Nothing here knows a protocol:
//! servers read this state and write controls into it. Where nobody ever does, every device follows
//! its own habit, so the same world replays a day without coordination.

mod site;
mod spec;

pub use site::{Sample, SharedCharger, SharedHeatPump, Site, SAMPLES_MAX, SAMPLE_S};
pub use spec::{HeatPumpSpec, LoadSpec, SiteSpec, SpecError};

use market::interval::UnixSeconds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The world, shared with every server.
pub type SharedWorld = Arc<Mutex<World>>;

/// Locks what is shared. A panic elsewhere leaves numbers that are still numbers, so it is ignored.
pub fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::battery::BatterySpec;
    use crate::physics::battery::Bounds;
    use crate::physics::car::CarStay;
    use crate::physics::car::ChargerConfig;
    use crate::physics::heat_pump::HeatPumpConfig;
    use crate::physics::profile::Profile;
    use crate::physics::pv::PvSpec;
    use market::units::{Millijoule, Milliwatt};

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
