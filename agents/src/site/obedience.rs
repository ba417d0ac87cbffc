//! Whether devices do what they took: judged after a while by their own measurement, and by the site's meter, which
//! is nobody's to lie for. One that twice does not is out of the bid for some intervals, and then on probation.

use super::bidding::OwnBid;
use super::schedule::Setpoint;
use crate::device::Reading;
use hw_adapters::device::BatteryState;
use market::interval::UnixSeconds;
use market::units::Milliwatt;
use std::collections::BTreeMap;

/// Judged so many parts of an interval after it was told, and again after twice as many.
const JUDGED_AFTER_PART: i64 = 5;
/// How often it must have disobeyed on end.
const STRIKES: u32 = 2;
/// Bids it is then left out of; once it is back, the first strike counts.
const OUT_OF_BIDS: u32 = 4;
/// What is let pass: so much, or a tenth of what was asked.
const TOLERANCE: Milliwatt = Milliwatt(300_000);
const TOLERANCE_PART: i64 = 10;
/// Changes below this are lost in what a house does anyway.
const SEEN_AT_METER: Milliwatt = Milliwatt(1_000_000);

/// What was made of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does something else than it took.
    Disobeys {
        /// Its place.
        place: usize,
        /// What it took.
        asked: Milliwatt,
        /// What it does, as far as can be told.
        does: Milliwatt,
    },
    /// It does what it is told again.
    Obeys {
        /// Its place.
        place: usize,
    },
}

/// What a device was told, and when that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    setpoint: Milliwatt,
    judged_at: [UnixSeconds; 2],
    judged: usize,
    /// What it did when it was last read for a bid.
    before: Option<Milliwatt>,
}

/// What devices were told, and who did not do it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Obedience {
    told: BTreeMap<usize, Told>,
    before: BTreeMap<usize, Milliwatt>,
    base_load: Option<Milliwatt>,
    strikes: BTreeMap<usize, u32>,
    /// How many bids each was left out of.
    left_out: BTreeMap<usize, u32>,
}

impl Obedience {
    /// Devices were read for a bid, beside this base load. Who was out for long enough gets another chance.
    pub fn read(&mut self, readings: &[Result<Reading, String>], base_load: Option<Milliwatt>) {
        for (place, strikes) in self.strikes.iter_mut().filter(|(_, strikes)| **strikes >= STRIKES) {
            let bids = self.left_out.entry(*place).or_default();
            *bids += 1;
            if *bids > OUT_OF_BIDS {
                *strikes = STRIKES - 1;
                *bids = 0;
            }
        }
        let power = |reading: &Result<Reading, String>| reading.as_ref().ok().map(Reading::power);
        self.before = readings
            .iter()
            .enumerate()
            .filter_map(|(place, reading)| Some((place, power(reading)?)))
            .collect();
        self.base_load = base_load;
    }

    /// New orders are out: the old ones are nobody's to obey any more.
    pub fn ordered(&mut self) {
        self.told.clear();
    }

    /// A device took a setpoint at `now`.
    pub fn took(&mut self, now: UnixSeconds, interval_s: i64, place: usize, setpoint: Setpoint) {
        match setpoint {
            Setpoint::Power(setpoint) => {
                let after = (interval_s / JUDGED_AFTER_PART).max(1);
                let judged_at = [now.plus(after), now.plus(2 * after)];
                let before = self.before.get(&place).copied();
                self.told.insert(place, Told { setpoint, judged_at, judged: 0, before });
            }
            Setpoint::OwnDefault => {
                self.told.remove(&place);
            }
            Setpoint::Reactive(_) => {}
        }
    }

    /// Whether somebody is to be judged at `now`; says so once for each time.
    pub fn is_due(&mut self, now: UnixSeconds) -> bool {
        let mut due = false;
        for told in self.told.values_mut() {
            while told.judged_at.get(told.judged).is_some_and(|at| *at <= now) {
                told.judged += 1;
                due = true;
            }
        }
        due
    }

    /// Whether it is out of the bid.
    pub fn is_out(&self, place: usize) -> bool {
        self.strikes.get(&place).is_some_and(|strikes| *strikes >= STRIKES)
    }

    /// Judges by what meter and devices say now.
    pub fn judge(
        &mut self,
        meter: Option<Milliwatt>,
        readings: &[Result<Reading, String>],
        span_s: i64,
    ) -> Vec<Verdict> {
        let unexplained = self.unexplained(meter, readings);
        let mut verdicts = Vec::new();
        for (place, told) in &self.told {
            let Some(Ok(reading)) = readings.get(*place) else { continue };
            let Some(obeys) = obeys(told, reading, span_s) else { continue };
            let lies = unexplained.is_some_and(|power| explains(told, reading.power(), power));
            let before = self.strikes.get(place).copied().unwrap_or(0);
            if obeys && !lies {
                if before >= STRIKES {
                    verdicts.push(Verdict::Obeys { place: *place });
                }
                self.strikes.remove(place);
                continue;
            }
            self.strikes.insert(*place, before.saturating_add(1));
            if before + 1 == STRIKES {
                // A liar goes on as it did before.
                let does = if lies { told.before.unwrap_or_default() } else { reading.power() };
                verdicts.push(Verdict::Disobeys { place: *place, asked: told.setpoint, does });
            }
        }
        verdicts
    }

    /// What the meter shows beyond base load and what the devices say of themselves.
    fn unexplained(
        &self,
        meter: Option<Milliwatt>,
        readings: &[Result<Reading, String>],
    ) -> Option<Milliwatt> {
        let all = readings.iter().map(|reading| reading.as_ref().ok().map(|reading| reading.power().0));
        let devices = all.sum::<Option<i64>>()?;
        Some(Milliwatt(meter?.0.saturating_sub(self.base_load?.0).saturating_sub(devices)))
    }
}

/// Whether a device does what it was told, over a span in seconds; none for kinds that need not.
fn obeys(told: &Told, reading: &Reading, span_s: i64) -> Option<bool> {
    let asked = told.setpoint;
    let tolerance = TOLERANCE.max(Milliwatt(asked.0.abs() / TOLERANCE_PART));
    match reading {
        // A limit on feeding in.
        Reading::Generator(state) => Some(state.power >= asked - tolerance),
        Reading::Battery(state) if at_its_end(state, asked, span_s) => None,
        Reading::Battery(state) => Some((state.power - asked).0.abs() <= tolerance.0),
        // What hangs on it may take nothing while it is on.
        Reading::Plug(state) if asked > Milliwatt::ZERO => Some(state.on),
        Reading::Plug(state) => Some(!state.on && state.power <= tolerance),
        // A car takes what it likes below its limit, and a thermostat has its own mind.
        Reading::Charger(_) | Reading::HeatPump(_) => None,
    }
}

/// Whether it may have become full or empty within the span.
fn at_its_end(state: &BatteryState, asked: Milliwatt, span_s: i64) -> bool {
    let moved = Milliwatt(asked.0.abs()).over_seconds(span_s);
    match asked.0.signum() {
        1 => state.capacity - state.stored <= moved,
        -1 => state.stored <= moved,
        _ => false,
    }
}

/// Whether the meter shows that the change a device says it made was not made.
fn explains(told: &Told, now: Milliwatt, unexplained: Milliwatt) -> bool {
    let Some(before) = told.before else { return false };
    let change = now.0.saturating_sub(before.0);
    change.abs() >= SEEN_AT_METER.0 && unexplained.0.saturating_add(change).abs() <= change.abs() / 4
}

/// The orders with `excess` (what is taken beyond what was planned) moved to the other devices, within what each
/// bid; `is_out` says who can't be moved.
pub fn shed(
    excess: Milliwatt,
    orders: &[(usize, Setpoint)],
    bid: &OwnBid,
    is_out: impl Fn(usize) -> bool,
) -> Vec<(usize, Setpoint)> {
    let mut left = excess.0;
    let mut moved = Vec::new();
    for (place, setpoint) in orders {
        let (Setpoint::Power(power), Some(Some(device))) = (setpoint, bid.devices.get(*place)) else {
            continue;
        };
        // What comes whole or not at all stays as it was drawn.
        if left == 0 || is_out(*place) || device.block.is_some() {
            continue;
        }
        let (least, most) = (device.curve.power_min().0, device.curve.power_max().0);
        let next = power.0.saturating_sub(left).clamp(least.min(power.0), most.max(power.0));
        left -= power.0 - next;
        if next != power.0 {
            moved.push((*place, Setpoint::Power(Milliwatt(next))));
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceBid;
    use hw_adapters::device::GeneratorState;
    use market::curve::{Breakpoint, FlexCurve};
    use market::interval::Interval;
    use market::units::{Millijoule, PicoEurPerWh};

    const KW: i64 = 1_000_000;
    const KWH: i64 = 3_600_000_000;

    fn battery(power: i64, stored_kwh: i64) -> Result<Reading, String> {
        Ok(Reading::Battery(BatteryState {
            power: Milliwatt(power),
            stored: Millijoule(stored_kwh * KWH),
            capacity: Millijoule(10 * KWH),
            charge_max: Milliwatt(5 * KW),
            discharge_max: Milliwatt(5 * KW),
        }))
    }

    fn generator(power: i64) -> Result<Reading, String> {
        Ok(Reading::Generator(GeneratorState {
            power: Milliwatt(power),
            available: None,
            nameplate: Milliwatt(10 * KW),
            reactive_max: None,
        }))
    }

    /// Told `setpoint` after it did `before`, and then twice does `now` beside a base load of 1 kW and what the meter
    /// shows; whether it is out.
    fn check(
        before: Result<Reading, String>,
        setpoint: i64,
        now: Result<Reading, String>,
        meter: i64,
        out: bool,
    ) {
        let mut obedience = Obedience::default();
        obedience.read(&[before], Some(Milliwatt(KW)));
        obedience.took(UnixSeconds(0), 900, 0, Setpoint::Power(Milliwatt(setpoint)));
        assert!(!obedience.is_due(UnixSeconds(179)));
        for at in [180, 360] {
            assert!(obedience.is_due(UnixSeconds(at)) && !obedience.is_due(UnixSeconds(at)));
            let readings = [now.clone()];
            let verdicts = obedience.judge(Some(Milliwatt(meter)), &readings, 360);
            assert_eq!(!verdicts.is_empty(), out && at == 360, "{now:?}");
        }
        assert_eq!(obedience.is_out(0), out, "{now:?}");
    }

    #[test]
    fn who_does_something_else_twice_is_out() {
        check(battery(0, 5), 2 * KW, battery(2 * KW, 5), 3 * KW, false);
        check(battery(0, 5), 2 * KW, battery(0, 5), KW, true);
        check(battery(0, 5), 2 * KW, battery(-2 * KW, 5), -KW, true);
        check(battery(0, 5), 2 * KW, battery(0, 10), KW, false);
        check(battery(0, 5), -2 * KW, battery(0, 0), KW, false);
        check(generator(-6 * KW), -2 * KW, generator(-2 * KW), -KW, false);
        check(generator(-6 * KW), -2 * KW, generator(-KW), 0, false);
        check(generator(-6 * KW), -2 * KW, generator(-6 * KW), -5 * KW, true);
    }

    #[test]
    fn who_says_it_obeys_and_the_meter_does_not_see_it_is_out() {
        check(generator(-6 * KW), -2 * KW, generator(-2 * KW), -5 * KW, true);
        check(battery(0, 5), 3 * KW, battery(3 * KW, 5), KW, true);
        // The house took something else meanwhile.
        check(battery(0, 5), 3 * KW, battery(3 * KW, 5), 6 * KW, false);
    }

    #[test]
    fn who_obeys_again_is_back() {
        let mut obedience = Obedience::default();
        obedience.took(UnixSeconds(0), 900, 0, Setpoint::Power(Milliwatt(2 * KW)));
        for _ in 0..3 {
            obedience.judge(None, &[battery(0, 5)], 360);
        }
        assert!(obedience.is_out(0));
        assert_eq!(obedience.judge(None, &[battery(2 * KW, 5)], 360), [Verdict::Obeys { place: 0 }]);
        assert!(!obedience.is_out(0));
        obedience.took(UnixSeconds(0), 900, 0, Setpoint::OwnDefault);
        assert!(!obedience.is_due(UnixSeconds(900)));
    }

    #[test]
    fn who_is_out_gets_another_chance_and_is_out_again_at_the_first_strike() {
        let mut obedience = Obedience::default();
        let told = |obedience: &mut Obedience| {
            obedience.took(UnixSeconds(0), 900, 0, Setpoint::Power(Milliwatt(2 * KW)));
            obedience.judge(None, &[battery(0, 5)], 360).len()
        };
        assert_eq!((told(&mut obedience), told(&mut obedience)), (0, 1));
        for out in [true, true, true, true, false] {
            obedience.ordered();
            obedience.read(&[battery(0, 5)], None);
            assert_eq!(obedience.is_out(0), out);
        }
        assert_eq!((told(&mut obedience), obedience.is_out(0)), (1, true));
    }

    #[test]
    fn what_one_does_not_do_the_others_take_over_within_what_they_bid() {
        let curve = |most: i64, least: i64| {
            let point = |power| Breakpoint { price: PicoEurPerWh(50), power: Milliwatt(power) };
            Some(DeviceBid::from(FlexCurve::new(vec![point(most), point(least)]).unwrap()))
        };
        let bid = OwnBid {
            interval: Interval::default(),
            curve: FlexCurve::inelastic(Milliwatt(0)),
            base: FlexCurve::inelastic(Milliwatt(0)),
            devices: vec![curve(0, -600), curve(400, -400), curve(300, 0), None],
            reactive: Vec::new(),
            envelope: None,
            taken: true,
        };
        let power = |power| Setpoint::Power(Milliwatt(power));
        let orders = [(0, power(-100)), (1, power(100)), (2, power(100)), (3, power(9))];
        let check = |excess, expected: &[(usize, i64)]| {
            let moved = shed(Milliwatt(excess), &orders, &bid, |place| place == 0);
            let expected: Vec<_> = expected.iter().map(|(place, p)| (*place, power(*p))).collect();
            assert_eq!(moved, expected, "{excess}");
        };
        // It feeds in 500 more than it may.
        check(-500, &[(1, 400), (2, 300)]);
        check(-200, &[(1, 300)]);
        check(450, &[(1, -350)]);
        check(0, &[]);
    }
}
