//! What a device offers a day ahead: a curve for each interval, or an order that the market itself schedules.
//!
//! A battery is offered whole, and so is a car's stay where it is known; what such an order does in one interval
//! depends on all others, and the market weighs them together. A heat pump's comfort and a plant's sun are told
//! by curves, each made for the state that the prices expected lead to.

use super::preferences::{
    pico_per_wh, BatteryPreferences, ChargerPreferences, GeneratorPreferences, Preferences,
};
use super::{battery, charger, generator, passage, watt, watt_hours};
use super::{AgentError, DeviceAgent, Outlook, Reading};
use hw_adapters::device::{BatteryState, ChargerState, GeneratorState};
use market::curve::FlexCurve;
use market::day_ahead::orders::{DeferrableOffer, StorageOffer};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, PicoEurPerWh};
use wire::message::Quantiles;

/// Intervals to come, as they are expected now.
#[derive(Clone, Debug, PartialEq)]
pub struct Ahead {
    /// What to look ahead with in each: first those until the session, from the next on, then the session's.
    pub outlooks: Vec<Outlook>,
    /// How many come before the session.
    pub lead: usize,
    /// The sun expected in each of the session's, where it is forecast.
    pub suns: Vec<Option<Quantiles<u32>>>,
}

/// What one device offers.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceOffer {
    /// Its net power as a function of price in each interval of the session.
    Curves(Vec<FlexCurve>),
    /// A store that the market fills and empties.
    Storage(StorageOffer),
    /// Energy that the market takes at the cheapest times of a window, one for each car.
    Deferrable(Vec<DeferrableOffer>),
}

impl DeviceAgent {
    /// What the device offers for the session of `ahead`, told from its reading now.
    ///
    /// # Errors
    /// As [`DeviceAgent::bid`]; the device is then left out.
    pub fn offer_ahead(&self, reading: &Reading, ahead: &Ahead) -> Result<DeviceOffer, AgentError> {
        let (lead, session) = ahead.outlooks.split_at(ahead.lead.min(ahead.outlooks.len()));
        let mut expecting = self.clone();
        Ok(match &self.preferences {
            Preferences::Battery(wish) => {
                let (_, at_start) = expecting.walk(*reading, lead)?;
                let Reading::Battery(state) = at_start else { return Err(AgentError::OtherKind) };
                DeviceOffer::Storage(storage(&state, wish)?)
            }
            Preferences::Charger(wish) => {
                let (_, at_start) = expecting.walk(*reading, lead)?;
                let Reading::Charger(state) = at_start else { return Err(AgentError::OtherKind) };
                DeviceOffer::Deferrable(stays(&state, wish, session)?)
            }
            Preferences::HeatPump(_) | Preferences::Plug(_) => {
                let (curves, _) = expecting.walk(*reading, &ahead.outlooks)?;
                DeviceOffer::Curves(curves.into_iter().skip(lead.len()).collect())
            }
            Preferences::Generator(wish) => {
                let Reading::Generator(state) = reading else { return Err(AgentError::OtherKind) };
                DeviceOffer::Curves(sunny(state, wish, &ahead.suns)?)
            }
        })
    }

    /// Goes through intervals as they are expected: what would be bid in each, taken at the median price. Gives
    /// the curves and the reading at the end.
    fn walk(&mut self, from: Reading, outlooks: &[Outlook]) -> Result<(Vec<FlexCurve>, Reading), AgentError> {
        let mut reading = from;
        let mut curves = Vec::with_capacity(outlooks.len());
        for outlook in outlooks {
            let curve = self.bid(&reading, outlook)?.curve;
            let power = curve.power_at(outlook.price.map_or(PicoEurPerWh::ZERO, |price| price.median()));
            reading = passage::after(&reading, &self.preferences, power, outlook);
            curves.push(curve);
        }
        Ok((curves, reading))
    }
}

/// A battery as it is at the session's start. It ends as it began: the market sees no price beyond the session,
/// so a store should neither be sold out nor filled for then.
fn storage(state: &BatteryState, wish: &BatteryPreferences) -> Result<StorageOffer, AgentError> {
    battery::check(state)?;
    let stored = state.stored.max(Millijoule::ZERO).min(state.capacity);
    let reserve_wh = watt_hours(state.capacity) * wish.reserve_percent / 100.0;
    let reserve = Millijoule::from_wh(reserve_wh).unwrap_or_default();
    let one_way_ppm = (wish.efficiency.sqrt() * 1e6).round() as u32;
    Ok(StorageOffer {
        charge_max: state.charge_max,
        discharge_max: state.discharge_max,
        energy_min: reserve.min(stored),
        energy_max: state.capacity,
        energy_start: stored,
        energy_end_min: stored,
        charge_efficiency_ppm: one_way_ppm,
        discharge_efficiency_ppm: one_way_ppm,
        wear: PicoEurPerWh((pico_per_wh(wish.wear_eur_per_mwh) / 2.0).round() as i64),
    })
}

/// The stays at a charge point that the session sees: that of the car which is there at its start, and those of
/// cars whose driver states when they come.
fn stays(
    state: &ChargerState,
    wish: &ChargerPreferences,
    session: &[Outlook],
) -> Result<Vec<DeferrableOffer>, AgentError> {
    charger::check(state)?;
    let (Some(first), Some(last)) = (session.first(), session.last()) else { return Ok(Vec::new()) };
    let (start, end) = (first.interval.start(), last.interval.end(last.interval_s));
    let window = Window { start, interval_s: first.interval_s, count: session.len() };
    let mut orders = Vec::new();
    // What was read may be from before the session's start.
    let mut free_from = first.read_at;
    if state.plugged {
        free_from = wish.departure.next_after(first.read_at);
        let needed_wh = wish.energy_need_wh - watt_hours(state.session);
        orders.extend(window.order(start, free_from, needed_wh, state.power_max));
    }
    while let Some(comes) = wish.arrival.map(|arrival| arrival.next_after(free_from)).filter(|at| *at < end) {
        let leaves = wish.departure.next_after(comes);
        orders.extend(window.order(comes, leaves, wish.energy_need_wh, state.power_max));
        free_from = leaves;
    }
    Ok(orders)
}

/// The session in which a stay is looked for.
struct Window {
    start: UnixSeconds,
    interval_s: i64,
    count: usize,
}

impl Window {
    /// The order of a stay. Only whole intervals count, and no more energy than they can bring; what can be
    /// charged after the session's end is the next session's.
    fn order(
        &self,
        comes: UnixSeconds,
        leaves: UnixSeconds,
        needed_wh: f64,
        power_max: Milliwatt,
    ) -> Option<DeferrableOffer> {
        let after_start_s = (comes.0 - self.start.0).max(0);
        let from = usize::try_from((after_start_s + self.interval_s - 1) / self.interval_s).ok()?;
        let all = usize::try_from((leaves.0 - self.start.0) / self.interval_s).ok()?;
        let until = all.min(self.count);
        if from >= until {
            return None;
        }
        let hours = |intervals: usize| super::hours(self.interval_s * intervals as i64);
        let can_wait_wh = watt(power_max) * hours(all - until);
        let needed_wh = (needed_wh - can_wait_wh).max(0.0);
        let most = power_max.over_seconds(self.interval_s * (until - from) as i64);
        let energy = Millijoule::from_wh(needed_wh)?.min(most);
        let (start, end) = (u32::try_from(from).ok()?, u32::try_from(until).ok()?);
        (energy > Millijoule::ZERO).then_some(DeferrableOffer { energy, power_max, start, end })
    }
}

/// A plant's curves. An interval whose sun nobody forecasts is left to real time.
fn sunny(
    state: &GeneratorState,
    wish: &GeneratorPreferences,
    suns: &[Option<Quantiles<u32>>],
) -> Result<Vec<FlexCurve>, AgentError> {
    let dark = Quantiles::certain(0);
    let curve = |sun: &Option<Quantiles<u32>>| {
        generator::curve_ahead(state.nameplate, wish, sun.as_ref().unwrap_or(&dark))
    };
    Ok(suns.iter().map(curve).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{outlook, price};
    use super::super::PriceQuantiles;
    use super::*;
    use hw_adapters::device::HeatPumpState;
    use market::interval::Interval;
    use market::units::MILLIJOULE_PER_WH;

    /// Hours from `from` on, the session's after `lead` of them, at these prices.
    fn ahead(from: i64, lead: usize, prices: &[f64]) -> Ahead {
        let hour = |place: usize| {
            let mut outlook = outlook(&prices[place + 1..]);
            outlook.interval = Interval(UnixSeconds((from + place as i64) * 3_600));
            outlook.read_at = outlook.interval.start();
            outlook.price = Some(PriceQuantiles::certain(price(prices[place])));
            outlook
        };
        let sun = |place: usize| (place > 0).then(|| Quantiles::new(100_000, 300_000, 400_000).unwrap());
        Ahead {
            outlooks: (0..prices.len()).map(hour).collect(),
            lead,
            suns: (0..prices.len() - lead).map(sun).collect(),
        }
    }

    fn offer(wish: Preferences, reading: Reading, ahead: &Ahead) -> DeviceOffer {
        DeviceAgent::new(wish).offer_ahead(&reading, ahead).unwrap()
    }

    fn kwh(energy: i64) -> Millijoule {
        Millijoule(energy * 1_000 * MILLIJOULE_PER_WH)
    }

    fn battery(reserve_percent: f64, stored_kwh: i64) -> (Preferences, Reading) {
        let state = BatteryState {
            power: Milliwatt::ZERO,
            stored: kwh(stored_kwh),
            capacity: kwh(10),
            charge_max: Milliwatt(4_000_000),
            discharge_max: Milliwatt(3_000_000),
        };
        let wish = BatteryPreferences { reserve_percent, wear_eur_per_mwh: 20.0, efficiency: 0.81 };
        (Preferences::Battery(wish), Reading::Battery(state))
    }

    #[test]
    fn a_battery_is_offered_whole_as_it_will_be_at_the_session_s_start() {
        let check = |reserve_percent, stored, lead, prices: &[f64], (least, start)| {
            let (wish, reading) = battery(reserve_percent, stored);
            let DeviceOffer::Storage(order) = offer(wish, reading, &ahead(0, lead, prices)) else { panic!() };
            assert_eq!((order.energy_min, order.energy_start), (kwh(least), kwh(start)));
            assert_eq!((order.energy_max, order.energy_end_min), (kwh(10), order.energy_start));
            assert_eq!((order.charge_efficiency_ppm, order.wear), (900_000, price(10.0)));
            order.validate((prices.len() - lead) as u32, 3_600).unwrap();
        };
        check(20.0, 5, 0, &[50.0, 50.0], (2, 5));
        // Below its reserve it isn't asked for what it hasn't got.
        check(20.0, 1, 0, &[50.0, 50.0], (1, 1));
        // The hour before the session is the dearest by far: 3 kW are sold then, 2.7 kWh of it from 5 at 0.9.
        let (wish, reading) = battery(0.0, 9);
        let dear = ahead(0, 1, &[900.0, 50.0, 50.0]);
        let DeviceOffer::Storage(order) = offer(wish, reading, &dear) else { panic!() };
        assert!((order.energy_start.kwh() - (9.0 - 3.0 / 0.9)).abs() < 1e-3, "{order:?}");
    }

    /// A session of 12 hours from `from` on; a car of 10 kW that needs 20 kWh comes at 18:00 where it says so
    /// and leaves at 07:00.
    fn check_car(
        (plugged, charged_kwh): (bool, i64),
        arrival: Option<&str>,
        from: i64,
        expected: &[(u32, u32, i64)],
    ) {
        let state = ChargerState {
            plugged,
            power: Milliwatt::ZERO,
            session: kwh(charged_kwh),
            power_min: Milliwatt(1_000_000),
            power_max: Milliwatt(10_000_000),
        };
        let time = |text: &str| text.to_owned().try_into().unwrap();
        let wish = Preferences::Charger(ChargerPreferences {
            departure: time("07:00"),
            arrival: arrival.map(time),
            energy_need_wh: 20_000.0,
            unmet_eur_per_mwh: 1_000.0,
            slows_over_wh: None,
        });
        let offered = offer(wish, Reading::Charger(state), &ahead(from, 0, &[50.0; 12]));
        let DeviceOffer::Deferrable(orders) = offered else { panic!("{offered:?}") };
        orders.iter().for_each(|order| order.validate(12, 3_600).unwrap());
        let orders: Vec<(u32, u32, i64)> =
            orders.iter().map(|o| (o.start, o.end, o.energy.0 / 1_000 / MILLIJOULE_PER_WH)).collect();
        assert_eq!(orders, expected, "from {from}");
    }

    #[test]
    fn a_car_s_stay_is_an_order_where_it_is_known() {
        check_car((true, 5), None, 0, &[(0, 7, 15)]);
        check_car((false, 0), None, 0, &[]);
        check_car((true, 20), None, 0, &[]);
        // Of the stay from 18:00 on six hours lie in the session from noon on, and seven more than suffice.
        check_car((false, 0), Some("18:00"), 12, &[]);
        check_car((false, 0), Some("18:30"), 20, &[]);
        check_car((true, 0), Some("04:00"), 20, &[(0, 11, 20)]);
        check_car((false, 0), Some("05:30"), 0, &[(6, 7, 10)]);
        check_car((true, 0), Some("06:00"), 6, &[(0, 1, 10)]);
    }

    #[test]
    fn a_car_may_come_or_leave_between_the_reading_and_the_session() {
        let check = |plugged, from: i64, expected: usize| {
            let state = ChargerState {
                plugged,
                power: Milliwatt::ZERO,
                session: Millijoule::ZERO,
                power_min: Milliwatt::ZERO,
                power_max: Milliwatt(10_000_000),
            };
            let time = |text: &str| text.to_owned().try_into().unwrap();
            let wish = Preferences::Charger(ChargerPreferences {
                departure: time("07:00"),
                arrival: Some(time("00:00")),
                energy_need_wh: 5_000.0,
                unmet_eur_per_mwh: 1_000.0,
                slows_over_wh: None,
            });
            let mut ahead = ahead(from, 0, &[50.0; 8]);
            ahead.outlooks[0].read_at = UnixSeconds(from * 3_600 - 900);
            let offered = offer(wish, Reading::Charger(state), &ahead);
            let DeviceOffer::Deferrable(orders) = offered else { panic!("{offered:?}") };
            assert_eq!(orders.len(), expected, "{orders:?}");
        };
        check(false, 24, 1);
        check(true, 7, 0);
        check(true, 6, 1);
    }

    #[test]
    fn a_plant_promises_its_sun_and_leaves_what_nobody_forecasts_to_real_time() {
        let state = GeneratorState {
            power: Milliwatt::ZERO,
            available: None,
            nameplate: Milliwatt(5_000_000),
            reactive_max: None,
        };
        let wish = Preferences::Generator(GeneratorPreferences { quantile_percent: 50.0 });
        let offered = offer(wish, Reading::Generator(state), &ahead(0, 1, &[50.0; 3]));
        let DeviceOffer::Curves(curves) = offered else { panic!("{offered:?}") };
        assert_eq!(curves.iter().map(|c| c.power_min().0).collect::<Vec<_>>(), [0, -1_500_000]);
        assert_eq!(curves[1].power_at(price(-1.0)), Milliwatt::ZERO);
    }

    #[test]
    fn a_heat_pump_heats_before_dear_hours_and_not_in_them() {
        let state = HeatPumpState {
            power: Milliwatt::ZERO,
            power_max: Milliwatt(3_000_000),
            room_millicelsius: 20_500,
            outdoor_millicelsius: 0,
        };
        let wish = Preferences::HeatPump(super::super::preferences::HeatPumpPreferences {
            comfort_min_celsius: 20.0,
            comfort_max_celsius: 22.0,
            heat_loss_w_per_kelvin: 150.0,
            heat_capacity_wh_per_kelvin: 5_000.0,
            performance_at_7_celsius: 3.0,
            performance_per_kelvin: 0.0,
            other_gains_w: 0.0,
            discomfort_eur_per_kelvin_hour: 1.0,
        });
        let prices: Vec<f64> = [vec![50.0; 6], vec![200.0; 3], vec![60.0; 8]].concat();
        let offered = offer(wish, Reading::HeatPump(state), &ahead(0, 2, &prices));
        let DeviceOffer::Curves(curves) = offered else { panic!("{offered:?}") };
        assert_eq!(curves.len(), 15);
        let taken_kw = |hours: std::ops::Range<usize>| -> f64 {
            hours.map(|hour| curves[hour].power_at(price(prices[hour + 2])).kw()).sum()
        };
        let (before, dear) = (taken_kw(0..4), taken_kw(4..7));
        assert!(before > 4.0 && dear < 0.5 * before, "{before} kWh before, {dear} in dear hours");
    }
}
