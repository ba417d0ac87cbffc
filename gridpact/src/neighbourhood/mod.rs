//! A neighbourhood for one day: a SimBench grid as a market feeder, its customers with their devices,
//! and the day-ahead prices. Pure construction from data files; nothing here starts anything.

pub mod customer;
pub mod dataset;
pub mod day;
pub mod feeder;
pub mod heat;
pub mod measured;
pub mod prices;
pub mod profiles;
pub mod simbench;
pub mod stays;

use customer::{Customer, CustomerError, ProfileSet};
use dataset::{DataFile, Dataset, DatasetError};
use day::{Day, Season};
use feeder::FeederBuildError;
use market::feeder::{Feeder, FeederError};
use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use prices::{PriceError, PriceWeek};
use profiles::{ProfileError, Profiles};
use simbench::{Grid, GridFile};
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;

/// A day's neighbourhood.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbourhood {
    /// The feeder, with limits. Its first line is the transformer.
    pub feeder: Feeder,
    /// The customers.
    pub customers: Vec<Customer>,
    /// Names of the customers' buses in the feeder, by the grid file's number.
    pub bus_names: HashMap<usize, String>,
    /// The day's first interval.
    pub first: Interval,
    /// Day-ahead price of each interval.
    pub prices: Vec<PicoEurPerWh>,
}

/// Why there is no such neighbourhood.
#[derive(Debug, Error)]
pub enum NeighbourhoodError {
    /// A file can't be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A grid file is no grid.
    #[error("{file}: {source}")]
    Grid {
        /// The file.
        file: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A profile file is no week of profiles.
    #[error("{file}: {source}")]
    Profiles {
        /// The file.
        file: String,
        /// What is wrong.
        source: ProfileError,
    },
    /// A price file is no week of prices.
    #[error("{file}: {source}")]
    Prices {
        /// The file.
        file: String,
        /// What is wrong.
        source: PriceError,
    },
    /// The grid is no single radial feeder.
    #[error(transparent)]
    Feeder(#[from] FeederBuildError),
    /// The feeder is no tree.
    #[error(transparent)]
    Tree(#[from] FeederError),
    /// A device fits no customer.
    #[error(transparent)]
    Customer(#[from] CustomerError),
}

impl Neighbourhood {
    /// Reads one grid and one day from a data set.
    ///
    /// # Errors
    /// Where a file can't be read or doesn't hold what it should.
    pub fn read(grid: Grid, day: Day, dataset: &Dataset) -> Result<Self, NeighbourhoodError> {
        let file = DataFile::Grid(grid);
        let grid_file: GridFile = serde_json::from_str(&dataset.text(file)?)
            .map_err(|source| NeighbourhoodError::Grid { file: file.path(), source })?;
        let loads = profiles(dataset, DataFile::LoadProfiles(day.season))?;
        let winter_loads = profiles(dataset, DataFile::LoadProfiles(Season::Winter))?;
        let generators = profiles(dataset, DataFile::GeneratorProfiles(day.season))?;
        let set = ProfileSet { loads: &loads, winter_loads: &winter_loads, generators: &generators };
        let customers = customer::build(&grid_file, day, set)?;
        let mut feeder = feeder::build(&grid_file)?;
        let bus_names = grid_file.buses.iter().map(|bus| (bus.id, bus.name.clone())).collect();
        feeder::limit(&mut feeder, &reactive_by_bus(&customers, &bus_names))?;
        let file = DataFile::Prices(day.season);
        let (first, prices) = PriceWeek::parse(&dataset.text(file)?)
            .map_err(|source| NeighbourhoodError::Prices { file: file.path(), source })?
            .day(day);
        Ok(Self { feeder, customers, bus_names, first, prices })
    }

    /// Rating of the transformer, in milli-volt-ampere.
    pub fn transformer_rating_millivoltampere(&self) -> i64 {
        self.feeder.lines.first().and_then(|line| line.rating_millivoltampere).unwrap_or(0)
    }

    /// What the market may import or export through the transformer.
    pub fn transformer_limit(&self) -> Milliwatt {
        self.feeder.lines.first().and_then(|line| line.power_max).unwrap_or_default()
    }

    /// Reactive power the customers take, by bus name and interval, in var.
    pub fn reactive_by_bus(&self) -> BTreeMap<String, Vec<f64>> {
        reactive_by_bus(&self.customers, &self.bus_names)
    }

    /// Name of a customer's bus in the feeder.
    pub fn bus_of(&self, customer: &Customer) -> &str {
        self.bus_names.get(&customer.bus).map_or("", String::as_str)
    }
}

fn profiles(dataset: &Dataset, file: DataFile) -> Result<Profiles, NeighbourhoodError> {
    Profiles::parse(&dataset.text(file)?)
        .map_err(|source| NeighbourhoodError::Profiles { file: file.path(), source })
}

fn reactive_by_bus(customers: &[Customer], bus_names: &HashMap<usize, String>) -> BTreeMap<String, Vec<f64>> {
    let mut by_bus: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for customer in customers {
        let Some(bus) = bus_names.get(&customer.bus) else { continue };
        let sum = by_bus.entry(bus.clone()).or_insert_with(|| vec![0.0; customer.base_reactive_var.len()]);
        for (sum, q) in sum.iter_mut().zip(&customer.base_reactive_var) {
            *sum += q;
        }
    }
    by_bus
}

#[cfg(test)]
mod tests {
    use super::day::Weekday;
    use super::*;

    /// Customers, heat pumps, chargers, plants and batteries, as the data set's page counts them.
    fn check(grid: Grid, expected: [usize; 5]) {
        for season in [Season::Winter, Season::Summer] {
            for weekday in [Weekday::Monday, Weekday::Wednesday, Weekday::Sunday] {
                let day = Day { season, weekday };
                let here = Neighbourhood::read(grid, day, &Dataset::Embedded).unwrap();
                let count = |has: fn(&Customer) -> bool| here.customers.iter().filter(|c| has(c)).count();
                let found = [
                    here.customers.len(),
                    count(|c| c.heat_pump.is_some()),
                    count(|c| c.charger.is_some()),
                    count(|c| c.plant.is_some()),
                    count(|c| c.battery.is_some()),
                ];
                assert_eq!(found, expected, "{grid:?} {day:?}");
            }
        }
    }

    #[test]
    fn every_device_of_every_grid_finds_a_customer() {
        check(Grid::Rural1, [15, 8, 7, 8, 5]);
        check(Grid::Semiurb4, [42, 10, 7, 6, 4]);
        check(Grid::Urban6, [111, 14, 10, 12, 7]);
    }

    #[test]
    fn base_load_is_the_profile_times_the_loads_size() {
        let day = Day { season: Season::Winter, weekday: Weekday::Monday };
        let here = Neighbourhood::read(Grid::Rural1, day, &Dataset::Embedded).unwrap();
        // Load 1 of the file: 5.9 kW of L2-A, whose first value that Monday is 0.186877.
        assert_eq!(here.customers[0].base[0], Milliwatt::from_kw(5.9 * 0.186877).unwrap());
        assert_eq!(here.bus_of(&here.customers[0]), "LV1.101 Bus 10");
    }

    #[test]
    fn a_directory_without_the_file_is_an_error_that_names_it() {
        let day = Day { season: Season::Winter, weekday: Weekday::Monday };
        let error =
            Neighbourhood::read(Grid::Rural1, day, &Dataset::Directory("/nowhere".into())).unwrap_err();
        assert!(error.to_string().contains("/nowhere/simbench/lv-rural1-2.json"), "{error}");
    }
}
