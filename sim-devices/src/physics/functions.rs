//! What an inverter does by itself when the grid is not as it should be (IEEE 1547-2018, 5 and 6): volt-var,
//! volt-watt, watt-var, frequency droop, and trips. Curves are pairs that ascend in the first; hundredths of a percent
//! and thousandths of a hertz throughout. No protocol, no clock.

use super::grid::Grid;
use market::interval::UnixSeconds;

/// Hundredths of a percent in the whole.
const WHOLE: i64 = 10_000;

/// A curve: value by place.
pub type Curve = Vec<(i64, i64)>;

/// Less power the further the frequency is above its dead band (IEEE 1547-2018, 6.5.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Droop {
    /// Dead band above nominal, in thousandths of a hertz.
    pub dead_band: i64,
    /// Per-unit frequency change for all of its power, in thousandths.
    pub slope: i64,
}

/// Which of a grid's two figures a trip is about, and on which side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Voltage too low.
    LowVoltage,
    /// Voltage too high.
    HighVoltage,
    /// Frequency too low.
    LowFrequency,
    /// Frequency too high.
    HighFrequency,
}

/// Every side, in the order of models 707 to 710.
pub const SIDES: [Side; 4] = [Side::LowVoltage, Side::HighVoltage, Side::LowFrequency, Side::HighFrequency];

/// Levels beyond which a device must trip, each with how long it may stay: hundredths of a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// What it is about.
    pub side: Side,
    /// Level and time; none where it is switched off.
    pub points: Curve,
}

impl Trip {
    /// For how many hundredths of a second a device may stay at this grid; none where it is within.
    pub fn stays(&self, grid: Grid) -> Option<i64> {
        let (low, value) = match self.side {
            Side::LowVoltage => (true, grid.voltage),
            Side::HighVoltage => (false, grid.voltage),
            Side::LowFrequency => (true, grid.frequency),
            Side::HighFrequency => (false, grid.frequency),
        };
        let beyond = |level: i64| if low { value < level } else { value > level };
        self.points.iter().filter(|(level, _)| beyond(*level)).map(|(_, stays)| *stays).min()
    }
}

/// What is switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    /// Reactive power given by voltage, of the most it can.
    pub volt_var: Option<Curve>,
    /// Most power by voltage, of the nameplate.
    pub volt_watt: Option<Curve>,
    /// Reactive power given by power given, of the most it can and the nameplate.
    pub watt_var: Option<Curve>,
    /// Frequency droop.
    pub droop: Option<Droop>,
    /// When it trips.
    pub trips: Vec<Trip>,
}

impl Functions {
    /// Most it may give at this grid, in hundredths of a percent of its nameplate.
    pub fn most(&self, grid: Grid) -> i64 {
        let by_voltage = self.volt_watt.as_ref().map_or(WHOLE, |curve| along(curve, grid.voltage));
        let nominal = super::grid::NOMINAL.frequency;
        let by_frequency = self.droop.map_or(WHOLE, |droop| {
            let beyond = (grid.frequency - nominal - droop.dead_band).max(0);
            WHOLE - beyond * WHOLE * 1_000 / (nominal * droop.slope.max(1))
        });
        by_voltage.min(by_frequency).clamp(0, WHOLE)
    }

    /// Reactive power given (negative: absorbed) at this grid while it gives `power` of its nameplate, of the most it
    /// can; none where nothing says.
    pub fn reactive(&self, grid: Grid, power: i64) -> Option<i64> {
        let by_voltage = self.volt_var.as_ref().map(|curve| along(curve, grid.voltage));
        by_voltage.or_else(|| self.watt_var.as_ref().map(|curve| along(curve, power)))
    }
}

/// Since when the grid has been beyond each trip's levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond([Option<UnixSeconds>; 4]);

impl Beyond {
    /// Takes the grid at `now`; whether a trip's time is over.
    pub fn observe(&mut self, now: UnixSeconds, grid: Grid, trips: &[Trip]) -> bool {
        let mut trip = false;
        for (since, of) in self.0.iter_mut().zip(trips) {
            match of.stays(grid) {
                None => *since = None,
                Some(stays) => {
                    let since = since.get_or_insert(now);
                    trip |= (now.0 - since.0) * 100 >= stays;
                }
            }
        }
        trip
    }

    /// When the next trip is due, should the grid stay as it is.
    pub fn due(&self, grid: Grid, trips: &[Trip]) -> Option<UnixSeconds> {
        let of = |(since, trip): (&Option<UnixSeconds>, &Trip)| {
            // Whole seconds pass here: a trip of less comes with the next.
            Some((*since)?.plus((trip.stays(grid)? + 99) / 100))
        };
        self.0.iter().zip(trips).filter_map(of).min()
    }
}

/// The curve's value at `place`: straight between its points, level beyond them.
fn along(curve: &Curve, place: i64) -> i64 {
    let Some(after) = curve.iter().position(|(at, _)| *at >= place) else {
        return curve.last().map_or(0, |(_, value)| *value);
    };
    let (right, value) = curve[after];
    match after.checked_sub(1).map(|before| curve[before]) {
        Some((left, start)) if right > left => start + (value - start) * (place - left) / (right - left),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_straight_between_its_points_and_level_beyond() {
        let curve = vec![(9_200, 4_400), (9_800, 0), (10_200, 0), (10_800, -4_400)];
        let check = |place, value| assert_eq!(along(&curve, place), value, "at {place}");
        check(8_000, 4_400);
        check(9_500, 2_200);
        check(10_000, 0);
        check(10_500, -2_200);
        check(12_000, -4_400);
        assert_eq!(along(&Vec::new(), 1), 0);
    }

    #[test]
    fn power_goes_down_with_voltage_and_frequency_above_their_bounds() {
        let functions = Functions {
            volt_watt: Some(vec![(10_600, 10_000), (11_000, 2_000)]),
            droop: Some(Droop { dead_band: 36, slope: 50 }),
            ..Functions::default()
        };
        let check = |voltage, frequency, most| {
            assert_eq!(functions.most(Grid { voltage, frequency }), most, "{voltage} {frequency}");
        };
        check(10_000, 50_000, 10_000);
        check(10_800, 50_000, 6_000);
        check(10_000, 50_036, 10_000);
        check(10_000, 51_286, 5_000);
        check(12_000, 53_000, 0);
    }

    #[test]
    fn a_trip_comes_when_its_time_is_over_and_not_before() {
        let trips = [Trip { side: Side::LowVoltage, points: vec![(4_500, 16), (7_000, 1_000)] }];
        let mut beyond = Beyond::default();
        let mut check = |now, voltage, trip, due: Option<i64>| {
            let grid = Grid { voltage, frequency: 50_000 };
            assert_eq!(beyond.observe(UnixSeconds(now), grid, &trips), trip, "at {now}");
            assert_eq!(beyond.due(grid, &trips), due.map(UnixSeconds));
        };
        check(0, 10_000, false, None);
        check(1, 6_000, false, Some(11));
        check(10, 6_000, false, Some(11));
        check(11, 6_000, true, Some(11));
        check(12, 10_000, false, None);
        check(13, 4_000, false, Some(14));
        check(14, 4_000, true, Some(14));
    }
}
