//! A site's offer for a day-ahead session: its base load and its devices' curves added up by interval, and the
//! orders of its stores and cars, all of it within the connection whatever the market makes of the orders.

use crate::device::ahead::{Ahead, DeviceOffer};
use crate::device::base_load::{self, BaseLoad};
use crate::device::{DeviceAgent, Reading};
use crate::site::bidding::LeftOut;
use market::curve::{CurveError, FlexCurve};
use market::curve_ops::{clamp, coarsen, sum};
use market::day_ahead::orders::{DeferrableOffer, StorageOffer};
use market::units::{Millijoule, Milliwatt};

/// Most corners of an interval's curve: a day of quarter hours then fits a message many times.
const MAX_CORNERS: usize = 48;

/// What a site offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SiteOffer {
    /// One curve for each interval of the session.
    pub curves: Vec<FlexCurve>,
    /// Its stores.
    pub storages: Vec<StorageOffer>,
    /// Its cars' stays.
    pub deferrables: Vec<DeferrableOffer>,
}

/// Makes the offer from what the devices said now and from the base load expected in each interval of the session
/// of `ahead`. Devices that did not answer, or not sensibly, are left out.
///
/// # Errors
/// [`CurveError::OutOfBounds`] where a sum leaves what the market accepts.
pub fn make_offer(
    agents: &[DeviceAgent],
    readings: &[Result<Reading, String>],
    bases: &[BaseLoad],
    connection: Milliwatt,
    ahead: &Ahead,
) -> Result<(SiteOffer, Vec<LeftOut>), CurveError> {
    let mut left_out = Vec::new();
    let mut profiles: Vec<Vec<FlexCurve>> = Vec::new();
    let mut offer = SiteOffer::default();
    for (place, agent) in agents.iter().enumerate() {
        let offered = match readings.get(place) {
            Some(Ok(reading)) => agent.offer_ahead(reading, ahead).map_err(|e| e.to_string()),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("it was not read".to_owned()),
        };
        match offered {
            Ok(DeviceOffer::Curves(curves)) => profiles.push(curves),
            Ok(DeviceOffer::Storage(order)) => offer.storages.push(order),
            Ok(DeviceOffer::Deferrable(orders)) => offer.deferrables.extend(orders),
            Err(reason) => left_out.push((place, reason)),
        }
    }
    for (place, (base, outlook)) in bases.iter().zip(&ahead.outlooks[ahead.lead..]).enumerate() {
        let base = base_load::curve(base, outlook.range)?;
        let devices = profiles.iter().filter_map(|curves| curves.get(place));
        let total = clamp(sum(std::iter::once(&base).chain(devices))?, -connection, connection)?;
        offer.curves.push(FlexCurve::new(coarsen(total.points().to_vec(), MAX_CORNERS))?);
    }
    offer.keep_within(connection, ahead.outlooks.first().map_or(0, |outlook| outlook.interval_s));
    Ok((offer, left_out))
}

impl SiteOffer {
    /// Cuts orders to what the curves leave of the connection, in order: cars first, which must be served. What
    /// is left without power is no order.
    fn keep_within(&mut self, connection: Milliwatt, interval_s: i64) {
        let most = self.curves.iter().map(FlexCurve::power_max).max().unwrap_or_default();
        let least = self.curves.iter().map(FlexCurve::power_min).min().unwrap_or_default();
        let mut import = (connection - most.max(Milliwatt::ZERO)).max(Milliwatt::ZERO);
        let mut export = (connection + least.min(Milliwatt::ZERO)).max(Milliwatt::ZERO);
        for order in &mut self.deferrables {
            order.power_max = order.power_max.min(import);
            import -= order.power_max;
            let window_s = interval_s * i64::from(order.end.saturating_sub(order.start));
            order.energy = order.energy.min(order.power_max.over_seconds(window_s));
        }
        for order in &mut self.storages {
            order.charge_max = order.charge_max.min(import);
            order.discharge_max = order.discharge_max.min(export);
            import -= order.charge_max;
            export -= order.discharge_max;
        }
        self.deferrables.retain(|order| order.energy > Millijoule::ZERO);
        self.storages.retain(|order| order.charge_max.max(order.discharge_max) > Milliwatt::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::preferences::{BatteryPreferences, GeneratorPreferences, Preferences};
    use crate::device::testing::outlook;
    use hw_adapters::device::{BatteryState, GeneratorState};
    use wire::message::Quantiles;

    const KWH: i64 = 3_600_000_000;

    fn battery() -> (Preferences, Reading) {
        let wish = BatteryPreferences { reserve_percent: 0.0, wear_eur_per_mwh: 20.0, efficiency: 0.9 };
        let state = BatteryState {
            power: Milliwatt::ZERO,
            stored: Millijoule(KWH),
            capacity: Millijoule(10 * KWH),
            charge_max: Milliwatt(4_000_000),
            discharge_max: Milliwatt(4_000_000),
        };
        (Preferences::Battery(wish), Reading::Battery(state))
    }

    fn plant() -> (Preferences, Reading) {
        let state = GeneratorState {
            power: Milliwatt::ZERO,
            available: None,
            nameplate: Milliwatt(8_000_000),
            reactive_max: None,
        };
        (Preferences::Generator(GeneratorPreferences::default()), Reading::Generator(state))
    }

    /// Two hours with base loads in kW and the sun of half a nameplate in the second. Expected: each hour's most
    /// and least power, and the battery's most either way, all in kW.
    fn check(
        connection_kw: i64,
        bases_kw: [i64; 2],
        expected: [(i64, i64); 2],
        battery_kw: Option<(i64, i64)>,
    ) {
        let kw = |kw: i64| Milliwatt(kw * 1_000_000);
        let (wishes, readings): (Vec<_>, Vec<_>) = [battery(), plant()].into_iter().unzip();
        let agents: Vec<DeviceAgent> = wishes.into_iter().map(DeviceAgent::new).collect();
        let readings: Vec<_> = readings.into_iter().map(Ok).collect();
        let ahead = Ahead {
            outlooks: vec![outlook(&[50.0, 60.0]), outlook(&[60.0])],
            lead: 0,
            suns: vec![Some(Quantiles::certain(0)), Some(Quantiles::certain(500_000))],
        };
        let bases = bases_kw.map(|power| BaseLoad::from(kw(power)));
        let (offer, left_out) = make_offer(&agents, &readings, &bases, kw(connection_kw), &ahead).unwrap();
        assert_eq!(left_out, []);
        let ends = |curve: &FlexCurve| (curve.power_max().0 / 1_000_000, curve.power_min().0 / 1_000_000);
        assert_eq!(offer.curves.iter().map(ends).collect::<Vec<_>>(), expected);
        let storage =
            |order: &StorageOffer| (order.charge_max.0 / 1_000_000, order.discharge_max.0 / 1_000_000);
        assert_eq!(offer.storages.first().map(storage), battery_kw);
    }

    #[test]
    fn curves_are_added_by_interval_and_orders_keep_what_is_left_of_the_connection() {
        check(20, [1, 2], [(1, 0), (2, -4)], Some((4, 4)));
        check(5, [1, 2], [(1, 0), (2, -4)], Some((3, 1)));
        check(4, [3, 6], [(3, 0), (4, -4)], None);
    }

    #[test]
    fn a_device_that_is_silent_is_left_out_by_name() {
        let (wish, _) = battery();
        let ahead = Ahead { outlooks: vec![outlook(&[])], lead: 0, suns: vec![None] };
        let silent = [Err("silent".to_owned())];
        let base = [BaseLoad::from(Milliwatt(700))];
        let agents = [DeviceAgent::new(wish)];
        let (offer, left_out) = make_offer(&agents, &silent, &base, Milliwatt(9_000), &ahead).unwrap();
        assert_eq!(left_out, [(0, "silent".to_owned())]);
        assert_eq!((offer.curves.len(), offer.storages.len()), (1, 0));
    }
}
