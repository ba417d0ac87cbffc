//! Entering service (IEEE 1547-2018, 4.10): only while voltage and frequency lie within their bounds, and for
//! so long a time that they have. Decides from what was measured; reads no clock and no register.

use market::units::Milliwatt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a device may enter service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnterServiceRules {
    /// Lowest voltage, in thousandths of nominal.
    pub voltage_min_permille: u32,
    /// Highest voltage, in thousandths of nominal.
    pub voltage_max_permille: u32,
    /// Lowest frequency, in millihertz.
    pub frequency_min_millihertz: u32,
    /// Highest frequency, in millihertz.
    pub frequency_max_millihertz: u32,
    /// Seconds for which both must have been within.
    pub delay_s: u32,
    /// Seconds over which it then comes back to its full power, evenly; 0 for at once.
    #[serde(default = "five_minutes")]
    pub ramp_s: u32,
}

fn five_minutes() -> u32 {
    300
}

/// IEEE 1547-2018, table 4, and the ramp of 4.10.3: defaults for 60 Hz.
pub const IEEE_1547: EnterServiceRules = EnterServiceRules {
    voltage_min_permille: 917,
    voltage_max_permille: 1_050,
    frequency_min_millihertz: 59_500,
    frequency_max_millihertz: 60_100,
    delay_s: 300,
    ramp_s: 300,
};

/// EN 50549-1:2019, 4.10.2: defaults for reconnection after tripping, 50 Hz; its gradient is a tenth a minute.
pub const EN_50549: EnterServiceRules = EnterServiceRules {
    voltage_min_permille: 850,
    voltage_max_permille: 1_100,
    frequency_min_millihertz: 49_500,
    frequency_max_millihertz: 50_200,
    delay_s: 60,
    ramp_s: 600,
};

/// The grid as measured at a device; none where it doesn't say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// Voltage in thousandths of nominal.
    pub voltage_permille: Option<u32>,
    /// Frequency in millihertz.
    pub frequency_millihertz: Option<u32>,
}

/// Whether a device may be in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// It may.
    Permitted,
    /// The grid is outside the bounds.
    Outside,
    /// The grid is back, and not for long enough.
    Waiting {
        /// Seconds still to wait.
        left_s: u64,
    },
    /// It has entered, and comes back to its full power.
    Ramping {
        /// How much of it it may give or take by now, in thousandths.
        permille: u32,
    },
}

impl Service {
    /// How much of its power a device may give or take, in thousandths.
    pub fn permille(self) -> u32 {
        match self {
            Self::Permitted => 1_000,
            Self::Outside | Self::Waiting { .. } => 0,
            Self::Ramping { permille } => permille,
        }
    }

    /// What of `power` it may give or take.
    pub fn of(self, power: Milliwatt) -> Milliwatt {
        let share = i128::from(power.0) * i128::from(self.permille()) / 1_000;
        Milliwatt(i64::try_from(share).unwrap_or(power.0))
    }
}

/// Watches the grid at one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnterService {
    rules: Option<EnterServiceRules>,
    /// Since when, in milliseconds, the grid has been back; none where it was never out.
    back_since_ms: Option<u64>,
    outside: bool,
}

impl EnterService {
    /// By these rules; without any by those of the frequency met: [`EN_50549`] at 50 Hz, [`IEEE_1547`] at 60.
    pub fn new(rules: Option<EnterServiceRules>) -> Self {
        Self { rules, back_since_ms: None, outside: false }
    }

    /// Takes what was measured at `now_ms`. A device met in service within the bounds stays in it.
    pub fn observe(&mut self, now_ms: u64, grid: Grid) -> Service {
        let Some(rules) = self.rules.or_else(|| grid.frequency_millihertz.and_then(of_frequency)) else {
            return Service::Permitted;
        };
        let within = |value: Option<u32>, min, max| value.is_none_or(|value| (min..=max).contains(&value));
        let inside = within(grid.voltage_permille, rules.voltage_min_permille, rules.voltage_max_permille)
            && within(
                grid.frequency_millihertz,
                rules.frequency_min_millihertz,
                rules.frequency_max_millihertz,
            );
        if !inside {
            (self.outside, self.back_since_ms) = (true, None);
            return Service::Outside;
        }
        if !self.outside {
            return Service::Permitted;
        }
        let waited_ms = now_ms.saturating_sub(*self.back_since_ms.get_or_insert(now_ms));
        let delay_ms = u64::from(rules.delay_s) * 1000;
        if waited_ms < delay_ms {
            return Service::Waiting { left_s: (delay_ms - waited_ms).div_ceil(1000) };
        }
        let (ramped_ms, ramp_ms) = (waited_ms - delay_ms, u64::from(rules.ramp_s) * 1000);
        if ramped_ms < ramp_ms {
            return Service::Ramping { permille: (ramped_ms * 1000 / ramp_ms) as u32 };
        }
        (self.outside, self.back_since_ms) = (false, None);
        Service::Permitted
    }
}

fn of_frequency(millihertz: u32) -> Option<EnterServiceRules> {
    match millihertz {
        40_000..=55_000 => Some(EN_50549),
        55_001..=70_000 => Some(IEEE_1547),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rules: Option<EnterServiceRules>, steps: &[(u64, u32, u32, Service)]) {
        let mut service = EnterService::new(rules);
        for (second, volt, hertz, expected) in steps {
            let grid = Grid { voltage_permille: Some(*volt), frequency_millihertz: Some(*hertz) };
            assert_eq!(service.observe(second * 1000, grid), *expected, "after {second} s");
        }
    }

    #[test]
    fn a_device_returns_after_the_delay_and_not_a_second_before() {
        use Service::{Outside, Permitted, Ramping, Waiting};
        check(
            Some(IEEE_1547),
            &[
                (0, 1_000, 60_000, Permitted),
                (10, 1_000, 60_101, Outside),
                (20, 1_000, 60_100, Waiting { left_s: 300 }),
                (319, 1_050, 59_500, Waiting { left_s: 1 }),
                (320, 917, 60_000, Ramping { permille: 0 }),
                (410, 917, 60_000, Ramping { permille: 300 }),
                (619, 917, 60_000, Ramping { permille: 996 }),
                (620, 917, 60_000, Permitted),
                (630, 916, 60_000, Outside),
                (640, 1_000, 60_000, Waiting { left_s: 300 }),
                (800, 1_051, 60_000, Outside),
                (810, 1_000, 60_000, Waiting { left_s: 300 }),
                (1_110, 1_000, 60_000, Ramping { permille: 0 }),
                (1_260, 1_051, 60_000, Outside),
            ],
        );
        // By the frequency met.
        check(None, &[(0, 900, 50_000, Permitted), (1, 900, 50_300, Outside), (2, 900, 49_000, Outside)]);
        check(None, &[(0, 900, 60_000, Outside)]);
        assert_eq!(EnterService::new(None).observe(0, Grid::default()), Permitted);
        check(
            Some(EnterServiceRules { ramp_s: 0, ..IEEE_1547 }),
            &[
                (0, 900, 60_000, Outside),
                (1, 1_000, 60_000, Waiting { left_s: 300 }),
                (301, 1_000, 60_000, Permitted),
            ],
        );
    }
}
