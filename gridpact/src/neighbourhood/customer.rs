//! Customers and their devices, told from a grid's loads, generators and batteries.
//!
//! Every household, business and farm is one customer with a connection of its own. SimBench says at
//! which bus a heat pump, charger, PV plant or battery is, not whose it is: each goes to the first
//! customer at its bus that has none of its kind yet; where every one has, to a new customer, a
//! connection of its own.

use super::day::Day;
use super::heat;
use super::profiles::{ProfileError, Profiles};
use super::simbench::{Generator, GridFile, Load, LoadKind, Storage};
use super::stays::{self, Stay};
use market::units::{Millijoule, Milliwatt};
use sim_devices::physics::heat_pump::HeatPumpConfig;
use thiserror::Error;

/// One customer: a connection point with what lies behind it. Series have one value an interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Customer {
    /// Its place, from 1, in the order of the grid's loads.
    pub number: usize,
    /// Number of its bus in the grid file.
    pub bus: usize,
    /// Consumption nothing steers.
    pub base: Vec<Milliwatt>,
    /// Its reactive power, in var. Inverters, chargers and heat pumps are taken to run at unity.
    pub base_reactive_var: Vec<f64>,
    /// PV plant.
    pub plant: Option<Plant>,
    /// Battery.
    pub battery: Option<BatterySize>,
    /// Charge point.
    pub charger: Option<ChargerSize>,
    /// Heat pump with the house it warms.
    pub heat_pump: Option<HeatPumpConfig>,
}

/// A PV plant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plant {
    /// Nameplate, positive.
    pub nameplate: Milliwatt,
    /// What the sun gives, positive.
    pub available: Vec<Milliwatt>,
}

/// A battery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatterySize {
    /// Most charging and discharging power.
    pub power_max: Milliwatt,
    /// Usable energy.
    pub capacity: Millijoule,
    /// Share of energy left after one way, in or out.
    pub one_way_efficiency: f64,
}

/// A charge point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargerSize {
    /// Most power it charges at.
    pub power_max: Milliwatt,
    /// Phases it charges on: one up to 4.6 kW (20 A), three above.
    pub phases: u8,
    /// The car's stay that day, if one comes.
    pub stay: Option<Stay>,
}

/// A device that can't be given to a customer.
#[derive(Debug, Error)]
pub enum CustomerError {
    /// Its profile is missing.
    #[error("{device}: {source}")]
    Profile {
        /// The device.
        device: String,
        /// What is wrong.
        source: ProfileError,
    },
    /// Its profile's name tells no kind.
    #[error("{device}: the profile {profile:?} is of no known kind")]
    Kind {
        /// The device.
        device: String,
        /// The profile.
        profile: String,
    },
    /// A figure beyond what the market can hold.
    #[error("{device}: {value} kW or kWh is out of bounds")]
    Figure {
        /// The device.
        device: String,
        /// The figure.
        value: f64,
    },
}

/// The profiles customers are made from.
#[derive(Clone, Copy, Debug)]
pub struct ProfileSet<'a> {
    /// The season's load profiles.
    pub loads: &'a Profiles,
    /// The winter week's load profiles, by which houses are sized.
    pub winter_loads: &'a Profiles,
    /// The season's PV profiles.
    pub generators: &'a Profiles,
}

/// Deals every device of the grid out to customers.
///
/// # Errors
/// Where a device has no profile or an impossible size.
pub fn build(grid: &GridFile, day: Day, profiles: ProfileSet<'_>) -> Result<Vec<Customer>, CustomerError> {
    let mut deal = Deal { day, profiles, customers: Vec::new() };
    let mut rest = Vec::new();
    for load in &grid.loads {
        match load.kind() {
            Some(LoadKind::Base) => deal.base(load)?,
            Some(kind) => rest.push((kind, load)),
            None => {
                let (device, profile) = (load.name.clone(), load.profile.clone());
                return Err(CustomerError::Kind { device, profile });
            }
        }
    }
    for (kind, load) in rest {
        match kind {
            LoadKind::HeatPump => deal.heat_pump(load)?,
            _ => deal.charger(load)?,
        }
    }
    grid.generators.iter().try_for_each(|generator| deal.plant(generator))?;
    grid.storage.iter().try_for_each(|storage| deal.battery(storage))?;
    Ok(deal.customers)
}

struct Deal<'a> {
    day: Day,
    profiles: ProfileSet<'a>,
    customers: Vec<Customer>,
}

impl Deal<'_> {
    /// The customer at `bus` that gets a device: the first that `lacks` one of its kind.
    fn taker(&mut self, bus: usize, lacks: fn(&Customer) -> bool) -> &mut Customer {
        match self.customers.iter().position(|customer| customer.bus == bus && lacks(customer)) {
            Some(place) => &mut self.customers[place],
            None => self.add(bus),
        }
    }

    fn add(&mut self, bus: usize) -> &mut Customer {
        let intervals = self.day.profile_rows().len();
        let place = self.customers.len();
        self.customers.push(Customer {
            number: place + 1,
            bus,
            base: vec![Milliwatt::ZERO; intervals],
            base_reactive_var: vec![0.0; intervals],
            plant: None,
            battery: None,
            charger: None,
            heat_pump: None,
        });
        &mut self.customers[place]
    }

    fn base(&mut self, load: &Load) -> Result<(), CustomerError> {
        let rows = self.day.profile_rows();
        let real = column(self.profiles.loads, &load.name, &format!("{}_pload", load.profile))?;
        let reactive = column(self.profiles.loads, &load.name, &format!("{}_qload", load.profile))?;
        let base = powers(&load.name, load.p_kw, &real[rows.clone()])?;
        let base_reactive_var = reactive[rows].iter().map(|q| q * load.q_kvar * 1e3).collect();
        let customer = self.add(load.bus);
        customer.base = base;
        customer.base_reactive_var = base_reactive_var;
        Ok(())
    }

    fn heat_pump(&mut self, load: &Load) -> Result<(), CustomerError> {
        let winter = column(self.profiles.winter_loads, &load.name, &format!("{}_pload", load.profile))?;
        let house = heat::house(power(&load.name, load.p_kw)?, winter);
        self.taker(load.bus, |customer| customer.heat_pump.is_none()).heat_pump = Some(house);
        Ok(())
    }

    fn charger(&mut self, load: &Load) -> Result<(), CustomerError> {
        let week = column(self.profiles.loads, &load.name, &format!("{}_pload", load.profile))?;
        let power_max = power(&load.name, load.p_kw)?;
        let charger = ChargerSize {
            power_max,
            phases: if power_max.kw() <= 4.6 { 1 } else { 3 },
            stay: stays::from_profile(week, self.day, power_max),
        };
        self.taker(load.bus, |customer| customer.charger.is_none()).charger = Some(charger);
        Ok(())
    }

    fn plant(&mut self, generator: &Generator) -> Result<(), CustomerError> {
        let week = column(self.profiles.generators, &generator.name, &generator.profile)?;
        let plant = Plant {
            nameplate: power(&generator.name, generator.p_kw)?,
            available: powers(&generator.name, generator.p_kw, &week[self.day.profile_rows()])?,
        };
        self.taker(generator.bus, |customer| customer.plant.is_none()).plant = Some(plant);
        Ok(())
    }

    fn battery(&mut self, storage: &Storage) -> Result<(), CustomerError> {
        let figure = |value| CustomerError::Figure { device: storage.name.clone(), value };
        let battery = BatterySize {
            power_max: power(&storage.name, storage.p_kw)?,
            capacity: Millijoule::from_wh(storage.energy_kwh * 1e3)
                .ok_or_else(|| figure(storage.energy_kwh))?,
            one_way_efficiency: storage.efficiency,
        };
        self.taker(storage.bus, |customer| customer.battery.is_none()).battery = Some(battery);
        Ok(())
    }
}

fn column<'a>(profiles: &'a Profiles, device: &str, column: &str) -> Result<&'a [f64], CustomerError> {
    profiles.week(column).map_err(|source| CustomerError::Profile { device: device.to_owned(), source })
}

fn power(device: &str, power_kw: f64) -> Result<Milliwatt, CustomerError> {
    Milliwatt::from_kw(power_kw)
        .ok_or_else(|| CustomerError::Figure { device: device.to_owned(), value: power_kw })
}

fn powers(device: &str, p_kw: f64, fractions: &[f64]) -> Result<Vec<Milliwatt>, CustomerError> {
    fractions.iter().map(|fraction| power(device, fraction * p_kw)).collect()
}

impl Customer {
    /// The most it can take or feed in with everything running at once: what its connection is built
    /// for, at least 3 kW.
    pub fn connection(&self) -> Milliwatt {
        let base = self.base.iter().copied().max().unwrap_or_default();
        let battery = self.battery.map_or(Milliwatt::ZERO, |battery| battery.power_max);
        let charger = self.charger.as_ref().map_or(Milliwatt::ZERO, |charger| charger.power_max);
        let heat_pump = self.heat_pump.as_ref().map_or(Milliwatt::ZERO, |pump| pump.power_max);
        let plant = self.plant.as_ref().map_or(Milliwatt::ZERO, |plant| plant.nameplate);
        (base + battery + charger + heat_pump).max(battery + plant).max(Milliwatt(3_000_000))
    }
}
