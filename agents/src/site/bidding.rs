//! A site's bid: its devices' curves and its base load, added and kept within its connection.

use crate::device::base_load::{self, BaseLoad};
use crate::device::{DeviceAgent, DeviceBid, Outlook, Reading};
use market::curve::{CurveError, FlexCurve};
use market::curve_ops::{clamp, sum};
use market::grid::volt_var::RANGE_MIN;
use market::interval::Interval;
use market::units::{Millivar, Milliwatt};
use wire::entry::SignedEnvelope;

/// One bid with the parts it was made of, kept to split the allocation over them later.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnBid {
    /// The interval it was made for; as a forward bid it may stand for later ones.
    pub interval: Interval,
    /// What was bid: the sum of the parts within the connection.
    pub curve: FlexCurve,
    /// The base load's part.
    pub base: FlexCurve,
    /// Each device's part, in order of device; none where it was left out.
    pub devices: Vec<Option<DeviceBid>>,
    /// Reactive power on offer, by the place of the device that has it.
    pub reactive: Vec<(usize, Millivar)>,
    /// The signed bid as it went out, once it did.
    pub envelope: Option<SignedEnvelope>,
    /// Whether the aggregator has said that it has it.
    pub taken: bool,
}

impl OwnBid {
    /// Reactive power on offer, all devices together.
    pub fn reactive_range(&self) -> Millivar {
        self.reactive.iter().map(|(_, range)| *range).sum()
    }
}

/// A device left out of a bid, by its place, and why.
pub type LeftOut = (usize, String);

/// Makes the bid for the interval of `outlook` from what the devices said. Devices that did not
/// answer, or not sensibly, are left out; what they take is then part of `base_load`.
///
/// # Errors
/// [`CurveError::OutOfBounds`] where the sum leaves what the market accepts.
pub fn make_bid(
    agents: &mut [DeviceAgent],
    readings: &[Result<Reading, String>],
    base_load: impl Into<BaseLoad>,
    connection: Milliwatt,
    outlook: &Outlook,
) -> Result<(OwnBid, Vec<LeftOut>), CurveError> {
    let mut left_out = Vec::new();
    let mut devices = vec![None; agents.len()];
    for (place, agent) in agents.iter_mut().enumerate() {
        let bid = match readings.get(place) {
            Some(Ok(reading)) => agent.bid(reading, outlook).map_err(|e| e.to_string()),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it was not read".to_owned()),
        };
        match bid {
            Ok(bid) => devices[place] = Some(bid),
            Err(reason) => left_out.push((place, reason)),
        }
    }
    let base = base_load::curve(&base_load.into(), outlook.range)?;
    let total = sum(std::iter::once(&base).chain(devices.iter().flatten().map(|bid| &bid.curve)))?;
    let curve = clamp(total, -connection, connection)?;
    Ok((
        OwnBid {
            interval: outlook.interval,
            curve,
            base,
            devices,
            reactive: Vec::new(),
            envelope: None,
            taken: false,
        },
        left_out,
    ))
}

/// Reactive power that the devices among the bid can give or absorb whatever their real power, each within the
/// site's connection; nothing where that is too little to count.
pub fn reactive_offer(
    devices: &[Option<DeviceBid>],
    readings: &[Result<Reading, String>],
    connection: Milliwatt,
) -> Vec<(usize, Millivar)> {
    let able = devices.iter().zip(readings).enumerate().filter_map(|(place, (bid, reading))| match reading {
        Ok(reading) if bid.is_some() => Some((place, reading.reactive_range())),
        _ => None,
    });
    let mut left = connection.0;
    let mut offer = Vec::new();
    for (place, range) in able {
        let range = Millivar(range.0.clamp(0, left));
        left -= range.0;
        if range > Millivar::ZERO {
            offer.push((place, range));
        }
    }
    if connection.0 - left < RANGE_MIN.0 {
        offer.clear();
    }
    offer
}

/// What flows at the connection besides the devices that answered.
pub fn base_load(meter: Milliwatt, readings: &[Result<Reading, String>]) -> Milliwatt {
    let devices = readings.iter().flatten().fold(0i64, |sum, device| sum.saturating_add(device.power().0));
    Milliwatt(meter.0.saturating_sub(devices))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::preferences::{GeneratorPreferences, Preferences};
    use crate::device::testing::{check_corners, outlook};
    use hw_adapters::device::{BatteryState, GeneratorState};
    use market::units::Millijoule;

    fn generating(power_w: i64) -> Result<Reading, String> {
        let power = Milliwatt(-power_w * 1_000);
        Ok(Reading::Generator(GeneratorState {
            power,
            available: Some(power),
            nameplate: Milliwatt(9_000_000),
            reactive_max: Some(Millivar(power_w * 400)),
        }))
    }

    fn check(
        readings: &[Result<Reading, String>],
        base_w: i64,
        connection_w: i64,
        expected: &[(f64, f64)],
        left_out: &[usize],
    ) {
        let agent = || DeviceAgent::new(Preferences::Generator(GeneratorPreferences::default()));
        let mut agents: Vec<DeviceAgent> = readings.iter().map(|_| agent()).collect();
        let limit = Milliwatt(connection_w * 1_000);
        let base = Milliwatt(base_w * 1_000);
        let (bid, out) = make_bid(&mut agents, readings, base, limit, &outlook(&[])).unwrap();
        check_corners(&bid.curve, expected);
        assert_eq!(out.iter().map(|(place, _)| *place).collect::<Vec<_>>(), left_out);
    }

    #[test]
    fn devices_and_base_load_are_added_within_the_connection() {
        let base_end = [(4_000.0, -1_500.0), (4_000.0, -2_000.0)];
        let free = [(0.0, 500.0), (0.0, -1_500.0)];
        check(&[generating(2_000)], 500, 9_000, &[&free[..], &base_end[..]].concat(), &[]);
        check(&[generating(2_000)], 500, 1_000, &[(0.0, 500.0), (0.0, -1_000.0)], &[]);
    }

    #[test]
    fn a_device_that_is_silent_or_another_than_said_is_left_out() {
        let free = [(0.0, 500.0), (0.0, -1_500.0), (4_000.0, -1_500.0), (4_000.0, -2_000.0)];
        check(&[Err("silent".into()), generating(2_000)], 500, 9_000, &free, &[0]);
        let battery = BatteryState {
            power: Milliwatt::ZERO,
            stored: Millijoule::ZERO,
            capacity: Millijoule::ZERO,
            charge_max: Milliwatt::ZERO,
            discharge_max: Milliwatt::ZERO,
        };
        check(&[generating(2_000), Ok(Reading::Battery(battery))], 500, 9_000, &free, &[1]);
    }

    #[test]
    fn reactive_power_is_offered_by_those_that_can_within_the_connection() {
        let check = |readings: &[Result<Reading, String>], connection_w: i64, expected: &[(usize, i64)]| {
            let bids: Vec<_> = readings
                .iter()
                .map(|reading| {
                    reading.as_ref().ok().map(|_| DeviceBid::from(FlexCurve::inelastic(Milliwatt(0))))
                })
                .collect();
            let offer = reactive_offer(&bids, readings, Milliwatt(connection_w * 1_000));
            assert_eq!(offer.iter().map(|(place, q)| (*place, q.0)).collect::<Vec<_>>(), expected);
        };
        let readings = [Err("silent".into()), generating(2_000), generating(1_000)];
        check(&readings, 9_000, &[(1, 800_000), (2, 400_000)]);
        check(&readings, 1_000, &[(1, 800_000), (2, 200_000)]);
        check(&[generating(200)], 9_000, &[]);
        check(&[], 9_000, &[]);
    }

    #[test]
    fn what_a_silent_device_takes_counts_as_base_load() {
        let readings = [generating(2_000), Err("silent".into())];
        assert_eq!(base_load(Milliwatt(-700_000), &readings), Milliwatt(1_300_000));
    }
}
