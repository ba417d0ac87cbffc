//! What customers got out of a day: the same with coordination and without, or the comparison of the
//! rest says little.

use super::equipment::Equipment;
use market::units::Millijoule;
use serde::Serialize;
use sim_devices::physics::car::StayRecord;

/// A car that lacks less than this part of its need, in thousandths, counts as charged: what a charger
/// slows down by towards a full battery.
const CHARGED_PERMILLE: i64 = 990;

/// What customers got.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Service {
    /// Cars that came.
    pub cars: u64,
    /// Cars that left with less than 99 % of their need.
    pub cars_short: u64,
    /// What cars that came needed.
    pub ev_needed_kwh: f64,
    /// What they were given.
    pub ev_delivered_kwh: f64,
    /// Heat pumps.
    pub rooms: u64,
    /// Minutes in which a room was below the temperature its heat pump's guard keeps, in sum.
    pub minutes_too_cold: i64,
    /// Coolest room when the day ended; none without heat pumps.
    pub coolest_room_celsius: Option<f64>,
    /// Sum of the rooms' temperatures when the day ended.
    #[serde(skip)]
    rooms_celsius: f64,
    /// What the sun could have given.
    pub pv_available_kwh: f64,
    /// What was fed in of it.
    pub pv_produced_kwh: f64,
    /// What lay in batteries when the day ended. They began it empty.
    pub stored_at_end_kwh: f64,
}

impl Service {
    /// Adds one device's.
    pub fn add(&mut self, device: &Equipment) {
        match device {
            Equipment::Pv(pv) => {
                self.pv_produced_kwh += pv.fed_in().kwh();
                self.pv_available_kwh += (pv.fed_in() + pv.lost()).kwh();
            }
            Equipment::Battery(battery) => self.stored_at_end_kwh += battery.stored().kwh(),
            Equipment::Charger(charger) => {
                charger.stays().iter().for_each(|record| self.add_stay(record, charger.register()));
            }
            Equipment::HeatPump(pump) => {
                let celsius = pump.room_millicelsius() as f64 / 1e3;
                self.rooms += 1;
                self.rooms_celsius += celsius;
                self.minutes_too_cold += pump.minutes_below_comfort();
                let coolest = self.coolest_room_celsius.map_or(celsius, |coolest| coolest.min(celsius));
                self.coolest_room_celsius = Some(coolest);
            }
        }
    }

    fn add_stay(&mut self, record: &StayRecord, register: Millijoule) {
        let needed = record.stay.energy_need;
        let given = record.register_at_end.unwrap_or(register) - record.register_at_start;
        self.cars += 1;
        self.ev_needed_kwh += needed.kwh();
        self.ev_delivered_kwh += given.kwh();
        let charged = i128::from(given.0) * 1_000 >= i128::from(needed.0) * i128::from(CHARGED_PERMILLE);
        if record.register_at_end.is_some() && !charged {
            self.cars_short += 1;
        }
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.cars += other.cars;
        self.cars_short += other.cars_short;
        self.ev_needed_kwh += other.ev_needed_kwh;
        self.ev_delivered_kwh += other.ev_delivered_kwh;
        self.rooms += other.rooms;
        self.minutes_too_cold += other.minutes_too_cold;
        self.rooms_celsius += other.rooms_celsius;
        self.coolest_room_celsius = match (self.coolest_room_celsius, other.coolest_room_celsius) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.pv_available_kwh += other.pv_available_kwh;
        self.pv_produced_kwh += other.pv_produced_kwh;
        self.stored_at_end_kwh += other.stored_at_end_kwh;
    }

    /// Mean temperature of the rooms when the day ended; none without heat pumps.
    pub fn mean_room_celsius(&self) -> Option<f64> {
        (self.rooms > 0).then(|| self.rooms_celsius / self.rooms as f64)
    }
}
