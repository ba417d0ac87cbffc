//! What the simulated world did over a day, taken from its own state: exact, whatever meters and messages
//! made of it.

use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use serde::Serialize;
use sim_devices::world::{lock, Sample, World};

/// A day of every site, minute by minute, and what its customers got out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DayRecord {
    /// Each site's minutes, from the day's first to its last.
    pub minutes: Vec<Vec<Sample>>,
    /// What customers got.
    pub service: Service,
}

/// What customers got: the same on both days, or the comparison of their costs says little.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Service {
    /// What the sun could have given.
    pub pv_available_kwh: f64,
    /// What was fed in of it.
    pub pv_produced_kwh: f64,
    /// What cars needed that left, or are due, within the day.
    pub ev_needed_kwh: f64,
    /// What they were given.
    pub ev_delivered_kwh: f64,
    /// Minutes rooms were colder than their lower limit, summed over rooms.
    pub minutes_too_cold: i64,
    /// Mean temperature of the rooms when the day ended; none without heat pumps.
    pub rooms_at_end_celsius: Option<f64>,
    /// What lay in batteries when the day ended. They began it empty.
    pub stored_at_end_kwh: f64,
}

impl DayRecord {
    /// The record of `world` from `start` until now.
    pub fn of(world: &World, start: UnixSeconds) -> Self {
        let within = |sample: &&Sample| sample.start >= start;
        let minutes =
            world.sites().iter().map(|site| site.samples().filter(within).copied().collect()).collect();
        Self { minutes, service: service(world) }
    }
}

fn service(world: &World) -> Service {
    let mut service = Service::default();
    let mut rooms_celsius = Vec::new();
    for site in world.sites() {
        if let Some(pv) = &site.pv {
            service.pv_produced_kwh += pv.fed_in().kwh();
            service.pv_available_kwh += (pv.fed_in() + pv.lost()).kwh();
        }
        if let Some(battery) = &site.battery {
            service.stored_at_end_kwh += battery.stored().kwh();
        }
        if let Some(charger) = site.charger() {
            let charger = lock(charger);
            let needed: Millijoule = charger.stays().iter().map(|record| record.stay.energy_need).sum();
            service.ev_needed_kwh += needed.kwh();
            service.ev_delivered_kwh += charger.register().kwh();
        }
        if let Some(heat_pump) = site.heat_pump() {
            let heat_pump = lock(heat_pump);
            service.minutes_too_cold += heat_pump.minutes_below_comfort();
            rooms_celsius.push(heat_pump.room_millicelsius() as f64 / 1e3);
        }
    }
    if !rooms_celsius.is_empty() {
        service.rooms_at_end_celsius = Some(rooms_celsius.iter().sum::<f64>() / rooms_celsius.len() as f64);
    }
    service
}

/// Net power of all sites over one minute, by bus: `(real, reactive in millivar)`.
pub fn at_buses(
    record: &DayRecord,
    bus_of_site: &[usize],
    buses: usize,
    minute: usize,
) -> Vec<(Milliwatt, i64)> {
    let mut loads = vec![(Milliwatt::ZERO, 0); buses];
    for (minutes, bus) in record.minutes.iter().zip(bus_of_site) {
        if let (Some(sample), Some(load)) = (minutes.get(minute), loads.get_mut(*bus)) {
            load.0 += sample.power;
            load.1 += sample.reactive_mvar;
        }
    }
    loads
}

/// What all sites' PV gave over one minute, in kilowatts.
pub fn generated_kw(record: &DayRecord, minute: usize) -> f64 {
    let at = |minutes: &Vec<Sample>| minutes.get(minute).map_or(0.0, |sample| sample.generated.kw());
    record.minutes.iter().map(at).sum()
}
