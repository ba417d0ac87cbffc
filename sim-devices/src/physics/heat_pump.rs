//! A room, the weather outside it, and the heat pump that warms it: its own thermostat, or an
//! electrical power it was asked for within the comfort its guard keeps. No protocol, no clock.

use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use thiserror::Error;

/// Longest stretch over which temperatures are taken as constant, in seconds.
const SUBSTEP_S: i64 = 60;

/// A heat pump and its room. Temperatures in thousandths of a degree Celsius.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatPumpConfig {
    /// Electrical power when running, positive.
    pub power_max: Milliwatt,
    /// Heat that warms the room by one degree, in joules per kelvin.
    pub capacitance_j_per_k: f64,
    /// Heat lost per degree of difference to the outside, in watts per kelvin.
    pub loss_w_per_k: f64,
    /// Heat that people, sun and appliances bring, in watts.
    pub gains_w: f64,
    /// Heat per electricity at 0 degrees outside.
    pub cop_at_zero: f64,
    /// By how much that grows per degree outside.
    pub cop_per_kelvin: f64,
    /// Room temperature the thermostat keeps, give or take `hysteresis_millikelvin`.
    pub set_millicelsius: i64,
    /// Half the width of the thermostat's band.
    pub hysteresis_millikelvin: i64,
    /// Below this the room is uncomfortable, and the guard heats whatever was asked.
    pub room_min_millicelsius: i64,
    /// Above this the guard stops heating whatever was asked.
    pub room_max_millicelsius: i64,
    /// A power asked for is forgotten after so many seconds, and the thermostat takes over again.
    pub setpoint_hold_s: u32,
    /// Room temperature at the start.
    pub room_millicelsius: i64,
}

impl Default for HeatPumpConfig {
    /// A detached house of the 1990s with a 3 kW air-source heat pump: time constant about 40 h,
    /// coefficient of performance 3.0 at 0 degrees (the order of EN 14511 data sheets at A2/W35).
    fn default() -> Self {
        Self {
            power_max: Milliwatt(3_000_000),
            capacitance_j_per_k: 25e6,
            loss_w_per_k: 170.0,
            gains_w: 400.0,
            cop_at_zero: 3.0,
            cop_per_kelvin: 0.06,
            set_millicelsius: 20_500,
            hysteresis_millikelvin: 500,
            room_min_millicelsius: 19_000,
            room_max_millicelsius: 23_000,
            setpoint_hold_s: 7200,
            room_millicelsius: 20_500,
        }
    }
}

/// A heat pump that can't be: the named figure is out of range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("heat pump's {0} is out of range")]
pub struct HeatPumpConfigError(pub &'static str);

/// What steers the heat pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Its own thermostat.
    Thermostat,
    /// Electrical power it was asked for, met on average by switching.
    Setpoint(Milliwatt),
}

/// Room and heat pump. Whoever owns it steps it; the protocol server reads and steers it.
#[derive(Clone, Debug)]
pub struct HeatPumpSim {
    config: HeatPumpConfig,
    now: UnixSeconds,
    room_celsius: f64,
    outdoor_millicelsius: i64,
    heating: bool,
    control: Control,
    control_until: UnixSeconds,
    power: Milliwatt,
    register: Millijoule,
    below_comfort_s: i64,
}

impl HeatPumpSim {
    /// A heat pump under its own thermostat at `start`, with so warm a day outside.
    ///
    /// # Errors
    /// A configuration that can't be, by the name of the first field.
    pub fn new(
        config: HeatPumpConfig,
        start: UnixSeconds,
        outdoor_millicelsius: i64,
    ) -> Result<Self, HeatPumpConfigError> {
        check(&config)?;
        Ok(Self {
            now: start,
            room_celsius: config.room_millicelsius as f64 / 1000.0,
            outdoor_millicelsius,
            heating: config.room_millicelsius < config.set_millicelsius,
            control: Control::Thermostat,
            control_until: start,
            power: Milliwatt::ZERO,
            register: Millijoule::ZERO,
            below_comfort_s: 0,
            config,
        })
    }

    /// Lets `seconds` pass with this temperature outside.
    pub fn step(&mut self, seconds: u32, outdoor_millicelsius: i64) {
        self.outdoor_millicelsius = outdoor_millicelsius;
        let end = self.now.plus(i64::from(seconds));
        while self.now < end {
            if self.now >= self.control_until {
                self.control = Control::Thermostat;
            }
            self.power = self.power_now();
            let mut span_s = (end.0 - self.now.0).min(SUBSTEP_S);
            if self.control != Control::Thermostat {
                span_s = span_s.min(self.control_until.0 - self.now.0);
            }
            self.pass(span_s);
        }
    }

    /// Asks for an electrical power, bounded to what it can; none hands it back to its thermostat.
    pub fn set_power(&mut self, power: Option<Milliwatt>) {
        self.control = match power {
            None => Control::Thermostat,
            Some(power) => Control::Setpoint(power.clamp(Milliwatt::ZERO, self.config.power_max)),
        };
        self.control_until = self.now.plus(i64::from(self.config.setpoint_hold_s));
    }

    /// Sets its own thermostat, within the comfort its guard keeps.
    pub fn set_thermostat(&mut self, millicelsius: i64) {
        let (least, most) = (self.config.room_min_millicelsius, self.config.room_max_millicelsius - 1);
        self.config.set_millicelsius = millicelsius.clamp(least, most);
    }

    /// What its thermostat is set to, in thousandths of a degree Celsius.
    pub fn thermostat_millicelsius(&self) -> i64 {
        self.config.set_millicelsius
    }

    /// The instant the state is of.
    pub fn now(&self) -> UnixSeconds {
        self.now
    }

    /// Electrical power over the last stretch.
    pub fn power(&self) -> Milliwatt {
        self.power
    }

    /// Electrical power when running.
    pub fn power_max(&self) -> Milliwatt {
        self.config.power_max
    }

    /// Electricity used since the start.
    pub fn register(&self) -> Millijoule {
        self.register
    }

    /// Room temperature, in thousandths of a degree Celsius.
    pub fn room_millicelsius(&self) -> i64 {
        (self.room_celsius * 1000.0).round() as i64
    }

    /// Outdoor temperature, in thousandths of a degree Celsius.
    pub fn outdoor_millicelsius(&self) -> i64 {
        self.outdoor_millicelsius
    }

    /// What steers it now.
    pub fn control(&self) -> Control {
        self.control
    }

    /// Whole minutes the room was below its lower limit.
    pub fn minutes_below_comfort(&self) -> i64 {
        self.below_comfort_s / 60
    }

    fn pass(&mut self, span_s: i64) {
        let outdoor = self.outdoor_millicelsius as f64 / 1000.0;
        let cop = (self.config.cop_at_zero + self.config.cop_per_kelvin * outdoor).clamp(1.0, 6.0);
        let heat_w = self.power.0 as f64 / 1000.0 * cop + self.config.gains_w
            - self.config.loss_w_per_k * (self.room_celsius - outdoor);
        self.room_celsius += heat_w * span_s as f64 / self.config.capacitance_j_per_k;
        self.register += self.power.over_seconds(span_s);
        if self.room_millicelsius() < self.config.room_min_millicelsius {
            self.below_comfort_s += span_s;
        }
        self.now = self.now.plus(span_s);
    }

    fn power_now(&mut self) -> Milliwatt {
        let room = self.room_millicelsius();
        let (set, band) = (self.config.set_millicelsius, self.config.hysteresis_millikelvin);
        if room <= set - band {
            self.heating = true;
        } else if room >= set + band {
            self.heating = false;
        }
        match self.control {
            _ if room >= self.config.room_max_millicelsius => Milliwatt::ZERO,
            _ if room < self.config.room_min_millicelsius => self.config.power_max,
            Control::Thermostat if self.heating => self.config.power_max,
            Control::Thermostat => Milliwatt::ZERO,
            Control::Setpoint(power) => power,
        }
    }
}

fn check(config: &HeatPumpConfig) -> Result<(), HeatPumpConfigError> {
    let temperatures = -50_000..=60_000;
    let figures = [
        ("power_max", (1..=1_000_000_000).contains(&config.power_max.0)),
        ("capacitance_j_per_k", (1e5..=1e11).contains(&config.capacitance_j_per_k)),
        ("loss_w_per_k", (0.0..=1e5).contains(&config.loss_w_per_k)),
        ("gains_w", (-1e6..=1e6).contains(&config.gains_w)),
        ("cop_at_zero", (1.0..=10.0).contains(&config.cop_at_zero)),
        ("cop_per_kelvin", (0.0..=1.0).contains(&config.cop_per_kelvin)),
        ("set_millicelsius", temperatures.contains(&config.set_millicelsius)),
        ("hysteresis_millikelvin", (1..=10_000).contains(&config.hysteresis_millikelvin)),
        (
            "room_min_millicelsius",
            temperatures.contains(&config.room_min_millicelsius)
                && config.room_min_millicelsius <= config.set_millicelsius,
        ),
        (
            "room_max_millicelsius",
            temperatures.contains(&config.room_max_millicelsius)
                && config.room_max_millicelsius > config.set_millicelsius,
        ),
        ("setpoint_hold_s", config.setpoint_hold_s > 0),
        ("room_millicelsius", temperatures.contains(&config.room_millicelsius)),
    ];
    figures.iter().find(|(_, good)| !good).map_or(Ok(()), |(name, _)| Err(HeatPumpConfigError(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sim(config: HeatPumpConfig) -> HeatPumpSim {
        HeatPumpSim::new(config, UnixSeconds(0), 0).unwrap()
    }

    /// After `hours` at 0 degrees outside, the room lies within `band`.
    fn check_room(setpoint_w: Option<i64>, hours: u32, band: std::ops::RangeInclusive<i64>) {
        let mut sim = sim(HeatPumpConfig { setpoint_hold_s: 1_000_000, ..HeatPumpConfig::default() });
        sim.set_power(setpoint_w.map(|watt| Milliwatt(watt * 1000)));
        sim.step(hours * 3600, 0);
        assert!(band.contains(&sim.room_millicelsius()), "room at {}", sim.room_millicelsius());
    }

    #[test]
    fn the_thermostat_keeps_its_band_and_the_guard_the_comfort() {
        check_room(None, 48, 19_950..=21_050);
        check_room(Some(0), 48, 18_950..=19_100);
        check_room(Some(3000), 48, 22_900..=23_100);
    }

    #[test]
    fn a_room_without_heat_cools_as_the_exponential_says() {
        let config = HeatPumpConfig {
            gains_w: 0.0,
            room_min_millicelsius: -10_000,
            setpoint_hold_s: 1_000_000,
            ..HeatPumpConfig::default()
        };
        let expected = 20_500.0 * (-(config.loss_w_per_k * 86_400.0) / config.capacitance_j_per_k).exp();
        let mut sim = sim(config);
        sim.set_power(Some(Milliwatt::ZERO));
        sim.step(86_400, 0);
        assert!((sim.room_millicelsius() as f64 - expected).abs() < 20.0);
        assert_eq!(sim.register(), Millijoule::ZERO);
    }

    #[test]
    fn a_setpoint_is_followed_to_the_millijoule_and_forgotten_in_time() {
        let mut sim = sim(HeatPumpConfig { setpoint_hold_s: 950, ..HeatPumpConfig::default() });
        sim.set_power(Some(Milliwatt(1_234_567)));
        sim.step(900, 0);
        assert_eq!(sim.register(), Milliwatt(1_234_567).over_seconds(900));
        assert_eq!(sim.control(), Control::Setpoint(Milliwatt(1_234_567)));
        sim.step(100, 0);
        assert_eq!(sim.control(), Control::Thermostat);
        sim.set_power(Some(Milliwatt(9_000_000)));
        assert_eq!(sim.control(), Control::Setpoint(Milliwatt(3_000_000)));
    }

    #[test]
    fn minutes_below_comfort_are_counted() {
        let cold = HeatPumpConfig { room_millicelsius: 18_900, ..HeatPumpConfig::default() };
        let mut sim = sim(HeatPumpConfig { power_max: Milliwatt(1000), ..cold });
        sim.step(7200, -10_000);
        assert_eq!(sim.minutes_below_comfort(), 120);
    }

    #[test]
    fn a_heat_pump_that_cannot_be_is_refused_by_the_field() {
        let bad = HeatPumpConfig { loss_w_per_k: f64::NAN, ..HeatPumpConfig::default() };
        assert_eq!(
            HeatPumpSim::new(bad, UnixSeconds(0), 0).unwrap_err(),
            HeatPumpConfigError("loss_w_per_k")
        );
        let bad = HeatPumpConfig { room_max_millicelsius: 1, ..HeatPumpConfig::default() };
        assert_eq!(
            HeatPumpSim::new(bad, UnixSeconds(0), 0).unwrap_err(),
            HeatPumpConfigError("room_max_millicelsius")
        );
    }

    proptest! {
        #[test]
        fn the_guard_holds_whatever_is_asked(
            steps in prop::collection::vec((1u32..7200, prop::option::of(-10_000i64..10_000), -12_000i64..25_000), 1..60)
        ) {
            let mut sim = sim(HeatPumpConfig::default());
            for (seconds, watt, outdoor) in steps {
                sim.set_power(watt.map(|watt| Milliwatt(watt * 1000)));
                let before = sim.register();
                sim.step(seconds, outdoor);
                let used = sim.register() - before;
                prop_assert!((Millijoule::ZERO..=sim.power_max().over_seconds(i64::from(seconds))).contains(&used));
                prop_assert!((18_900..=25_000).contains(&sim.room_millicelsius()));
            }
        }
    }
}
