//! What lies behind one connection: base load, equipment and the meter. Left to itself, every device
//! follows its own habit: that is the day without coordination.

use super::equipment::{Equipment, Surroundings};
use super::error::SimulateError;
use super::service::Service;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::physics::battery::Battery;
use sim_devices::physics::car::ChargerSim;
use sim_devices::physics::connection::ConnectionMeter;
use sim_devices::physics::heat_pump::HeatPumpSim;
use sim_devices::physics::pv::Pv;
use sim_devices::world::{LoadSpec, SiteSpec};

/// A household, business or farm.
pub struct Household {
    load: LoadSpec,
    /// In the order of [`super::population::SitePlan::wishes`].
    equipment: Vec<Equipment>,
    meter: ConnectionMeter,
    /// Energy that what can wait has taken since the count was last begun: into cars, houses and
    /// batteries.
    flexible: Millijoule,
    /// Import less export when the count was last begun.
    counted: Millijoule,
}

/// What flowed over a connection since the count was last begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Import less export.
    pub energy: Millijoule,
    /// Of what was taken, into cars, houses and batteries.
    pub flexible: Millijoule,
}

impl Household {
    /// As it is at `start`.
    ///
    /// # Errors
    /// A device that can't be.
    pub fn new(spec: SiteSpec, start: UnixSeconds) -> Result<Self, SimulateError> {
        let SiteSpec { name, load, pv, battery, charger, heat_pump } = spec;
        let mut equipment: Vec<Equipment> =
            pv.map(|pv| Equipment::Pv(Pv::new(pv, start))).into_iter().collect();
        if let Some(config) = charger {
            let charger = ChargerSim::new(config, start)
                .map_err(|source| SimulateError::Charger { site: name.clone(), source })?;
            equipment.push(Equipment::Charger(charger));
        }
        if let Some(pump) = heat_pump {
            let outdoor = pump.outdoor_celsius.of(1_000, start);
            let pump = HeatPumpSim::new(pump.config, start, outdoor)
                .map_err(|source| SimulateError::HeatPump { site: name, source })?;
            equipment.push(Equipment::HeatPump(pump));
        }
        equipment.extend(battery.map(|battery| Equipment::Battery(Battery::new(battery))));
        equipment.shrink_to_fit();
        let meter = ConnectionMeter::default();
        Ok(Self { load, equipment, meter, flexible: Millijoule::ZERO, counted: Millijoule::ZERO })
    }

    /// Its devices.
    pub fn equipment(&self) -> &[Equipment] {
        &self.equipment
    }

    /// Its devices, to steer.
    pub fn equipment_mut(&mut self) -> &mut [Equipment] {
        &mut self.equipment
    }

    /// Net power at the connection over the last while.
    pub fn power(&self) -> Milliwatt {
        self.meter.power
    }

    /// Lives on for a while within which neither load nor sun changes.
    pub fn live(&mut self, around: Surroundings) {
        let span_s = i64::from(around.seconds.max(1));
        let mut energy = Milliwatt(self.load.active.of(self.load.peak.0, around.now)).over_seconds(span_s);
        for device in &mut self.equipment {
            let taken = device.live(around, Milliwatt(energy.0 / span_s));
            if !matches!(device, Equipment::Pv(_)) {
                self.flexible += taken.max(Millijoule::ZERO);
            }
            energy += taken;
        }
        self.meter.count(energy, 0, span_s);
    }

    /// What flowed since this was last called.
    pub fn count(&mut self) -> Counted {
        let now = self.meter.imported - self.meter.exported;
        let energy = now - std::mem::replace(&mut self.counted, now);
        Counted { energy, flexible: std::mem::take(&mut self.flexible) }
    }

    /// Adds what the customer has got so far.
    pub fn add_service(&self, service: &mut Service) {
        for device in &self.equipment {
            service.add(device);
        }
    }
}
