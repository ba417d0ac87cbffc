//! A site's equipment as its controller sees it: read, told what to do, and living on. What a socket
//! would carry in between is passed on at the resolution the real registers have.

use agents::device::Reading;
use agents::site::schedule::Setpoint;
use hw_adapters::device::{BatteryState, ChargerState, GeneratorState, HeatPumpState};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::physics::battery::{self, Battery, Bounds};
use sim_devices::physics::car::{ChargerSim, ConnectorStatus, LimitFrom};
use sim_devices::physics::heat_pump::HeatPumpSim;
use sim_devices::physics::pv::{self, Pv};

/// One device.
#[derive(Clone, Debug)]
pub enum Equipment {
    /// A PV system.
    Pv(Pv),
    /// A charge point and its cars.
    Charger(ChargerSim),
    /// A heat pump and its house.
    HeatPump(HeatPumpSim),
    /// A battery. Stands last at its site: left to itself it follows what the others do.
    Battery(Battery),
}

/// What surrounds every device for a while.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    /// When the while begins.
    pub now: UnixSeconds,
    /// How long it lasts.
    pub seconds: u32,
    /// Outdoor temperature in thousandths of a degree Celsius.
    pub outdoor_millicelsius: i64,
}

impl Equipment {
    /// What it says of itself.
    pub fn reading(&self, now: UnixSeconds) -> Reading {
        match self {
            Equipment::Pv(pv) => Reading::Generator(GeneratorState {
                power: pv.power(),
                available: Some(pv.available(now)),
                nameplate: pv.nameplate(),
                reactive_max: None,
            }),
            Equipment::Battery(battery) => Reading::Battery(BatteryState {
                power: battery.power(),
                stored: battery.stored(),
                capacity: battery.spec().capacity,
                charge_max: battery.spec().charge_max,
                discharge_max: battery.spec().discharge_max,
            }),
            Equipment::Charger(charger) => Reading::Charger(charger_state(charger)),
            Equipment::HeatPump(pump) => Reading::HeatPump(HeatPumpState {
                power: pump.power(),
                power_max: pump.power_max(),
                room_millicelsius: pump.room_millicelsius(),
                outdoor_millicelsius: pump.outdoor_millicelsius(),
            }),
        }
    }

    /// Takes a setpoint, to be forgotten after `hold_s` where the device has a timer for that.
    pub fn obey(&mut self, now: UnixSeconds, setpoint: Setpoint, hold_s: u16) {
        match (self, setpoint) {
            (Equipment::Pv(pv), Setpoint::Power(power)) => {
                let share = share(-power, pv.nameplate(), i64::from(pv::WHOLE)).max(0);
                pv.limit.write(now, share.unsigned_abs() as u16, hold_s, true);
            }
            (Equipment::Pv(pv), Setpoint::OwnDefault) => pv.limit.write(now, pv::WHOLE, 0, false),
            (Equipment::Battery(battery), Setpoint::Power(power)) => {
                let share = share(power, battery.spec().charge_max, i64::from(battery::WHOLE)) as i16;
                let bounds =
                    Bounds { bound_charge: true, bound_discharge: true, charge: share, discharge: -share };
                battery.bounds.write(now, bounds, hold_s, true);
            }
            (Equipment::Battery(battery), Setpoint::OwnDefault) => {
                battery.bounds.write(now, battery.bounds.value, 0, false);
            }
            (Equipment::Charger(charger), Setpoint::Power(power)) => {
                charger.set_limits(vec![LimitFrom { from: now, power: Some(power) }]);
            }
            (Equipment::Charger(charger), Setpoint::OwnDefault) => charger.set_limits(Vec::new()),
            (Equipment::HeatPump(pump), Setpoint::Power(power)) => pump.set_power(Some(power)),
            (Equipment::HeatPump(pump), Setpoint::OwnDefault) => pump.set_power(None),
            // No reading here says that a device can, so none is ever told.
            (_, Setpoint::Reactive(_)) => {}
        }
    }

    /// Lives on; gives the energy taken. `others` is the mean power of everything else at the site,
    /// which only a battery minds.
    pub fn live(&mut self, around: Surroundings, others: Milliwatt) -> Millijoule {
        let Surroundings { now, seconds, outdoor_millicelsius } = around;
        let span_s = i64::from(seconds);
        match self {
            Equipment::Pv(pv) => pv.step(now, span_s).over_seconds(span_s),
            Equipment::Battery(battery) => battery.step(now, span_s, others).over_seconds(span_s),
            Equipment::Charger(charger) => {
                let before = charger.register();
                charger.step(seconds);
                charger.register() - before
            }
            Equipment::HeatPump(pump) => {
                let before = pump.register();
                pump.step(seconds, outdoor_millicelsius);
                pump.register() - before
            }
        }
    }
}

/// `power` in parts of `of`, `whole` of them being all, rounded towards zero and bounded to the whole.
fn share(power: Milliwatt, of: Milliwatt, whole: i64) -> i64 {
    (power.0 * whole / of.0.max(1)).clamp(-whole, whole)
}

fn charger_state(charger: &ChargerSim) -> ChargerState {
    let plugged = charger.status() != ConnectorStatus::Available;
    let session = match charger.stays().last() {
        Some(record) if plugged => charger.register() - record.register_at_start,
        _ => Millijoule::ZERO,
    };
    ChargerState {
        plugged,
        power: charger.power(),
        session,
        power_min: charger.power_min(),
        power_max: charger.power_max(),
    }
}
