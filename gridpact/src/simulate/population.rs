//! Everyone who takes part: streets of the data set's grids, repeated until there are as many sites as
//! asked for, every site varied by the seed.

use super::error::SimulateError;
use super::variation::Variation;
use crate::demo::devices::{battery_wish, charger_wish, heat_pump_wish};
use crate::demo::specs;
use crate::neighbourhood::customer::Customer;
use crate::neighbourhood::dataset::Dataset;
use crate::neighbourhood::day::Day;
use crate::neighbourhood::simbench::Grid;
use crate::neighbourhood::Neighbourhood;
use agents::device::preferences::{GeneratorPreferences, Preferences};
use market::feeder::{Feeder, Tree};
use market::interval::{Interval, UnixSeconds};
use market::units::{Milliwatt, PicoEurPerWh};
use sim_devices::physics::profile::Profile;
use sim_devices::physics::pv::PvSpec;
use sim_devices::world::SiteSpec;
use std::sync::Arc;

/// Least connection, as that of [`Customer::connection`].
const CONNECTION_MIN: Milliwatt = Milliwatt(3_000_000);

/// What is to be simulated.
#[derive(Clone, Debug)]
pub struct Population {
    /// The streets, in order.
    pub streets: Vec<StreetPlan>,
    /// The day's first quarter-hour.
    pub first: Interval,
    /// Day-ahead price of each quarter-hour.
    pub prices: Vec<PicoEurPerWh>,
    /// Outdoor temperature in degrees Celsius.
    pub outdoor_celsius: Profile,
    /// What differences were drawn from.
    pub seed: u64,
}

/// A street's feeder, shared by every street alike.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The feeder.
    pub feeder: Feeder,
    /// Its order.
    pub tree: Tree,
}

/// A street.
#[derive(Clone, Debug)]
pub struct StreetPlan {
    /// Its feeder.
    pub shape: Arc<Shape>,
    /// Its sites.
    pub sites: Vec<SitePlan>,
}

/// A site.
#[derive(Clone, Debug)]
pub struct SitePlan {
    /// Index of its bus in the feeder.
    pub bus: usize,
    /// What it is made of.
    pub spec: SiteSpec,
    /// What its owner wants of each device: PV, charger, heat pump, battery, as far as it has them.
    pub wishes: Vec<Preferences>,
    /// Most power at its connection, either way.
    pub connection: Milliwatt,
}

/// Which sites.
#[derive(Clone, Debug)]
pub struct Scope {
    /// How many.
    pub sites: usize,
    /// The day.
    pub day: Day,
    /// The streets' grids, in turn.
    pub grids: Vec<Grid>,
    /// What differences are drawn from.
    pub seed: u64,
}

/// A grid's neighbourhood as a pattern of streets.
struct Pattern {
    neighbourhood: Neighbourhood,
    shape: Arc<Shape>,
    specs: Vec<SiteSpec>,
    buses: Vec<usize>,
}

impl Population {
    /// Reads the patterns and draws every site.
    ///
    /// # Errors
    /// Where the data set does not hold what it should.
    pub fn draw(scope: &Scope, dataset: &Dataset) -> Result<Self, SimulateError> {
        let patterns = scope.grids.iter().map(|grid| Pattern::read(*grid, scope.day, dataset));
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        let mut streets = Vec::new();
        let mut drawn = 0;
        for pattern in patterns.iter().cycle() {
            if drawn >= scope.sites {
                break;
            }
            let street = pattern.street(scope.seed, drawn, scope.sites - drawn)?;
            drawn += street.sites.len();
            streets.push(street);
        }
        let (first, prices) = patterns
            .first()
            .map_or_else(Default::default, |p| (p.neighbourhood.first, p.neighbourhood.prices.clone()));
        let outdoor_celsius = specs::outdoor(scope.day.season, first.start());
        Ok(Self { streets, first, prices, outdoor_celsius, seed: scope.seed })
    }
}

impl Pattern {
    fn read(grid: Grid, day: Day, dataset: &Dataset) -> Result<Self, SimulateError> {
        let neighbourhood = Neighbourhood::read(grid, day, dataset)?;
        let feeder = neighbourhood.feeder.clone();
        let tree = feeder.tree()?;
        let place = |name: &str| feeder.buses.iter().position(|bus| bus == name).unwrap_or(0);
        let buses = neighbourhood.customers.iter().map(|c| place(neighbourhood.bus_of(c))).collect();
        let specs = specs::of(&neighbourhood, day.season, 1);
        Ok(Self { neighbourhood, shape: Arc::new(Shape { feeder, tree }), specs, buses })
    }

    /// A street of at most `sites` sites, the first of which has the number `from`.
    fn street(&self, seed: u64, from: usize, sites: usize) -> Result<StreetPlan, SimulateError> {
        let customers = self.neighbourhood.customers.iter().zip(&self.specs).zip(&self.buses);
        let plans = customers.take(sites).enumerate().map(|(i, ((customer, pattern), bus))| {
            let variation = Variation::draw(seed, (from + i) as u64);
            let start = self.neighbourhood.first.start();
            let mut plan = plan(customer, pattern, &variation, start)?;
            plan.bus = *bus;
            plan.spec.name = format!("site {}", from + i + 1);
            Ok(plan)
        });
        Ok(StreetPlan { shape: self.shape.clone(), sites: plans.collect::<Result<_, SimulateError>>()? })
    }
}

/// A site patterned on `customer`, whose devices are `pattern`'s.
fn plan(
    customer: &Customer,
    pattern: &SiteSpec,
    variation: &Variation,
    start: UnixSeconds,
) -> Result<SitePlan, SimulateError> {
    let mut wishes = Vec::new();
    let mut spec = SiteSpec { charger: None, heat_pump: None, pv: None, ..pattern.clone() };
    spec.load.peak = variation.load(pattern.load.peak);
    spec.load.active.start = spec.load.active.start.plus(variation.habit_s());
    if let (Some(pv), Some(plant)) = (&pattern.pv, &customer.plant) {
        spec.pv = Some(PvSpec { nameplate: variation.nameplate(plant), sun: pv.sun.clone() });
        wishes.push(Preferences::Generator(GeneratorPreferences::default()));
    }
    if let Some(size) = &customer.charger {
        let size = variation.charger(size);
        spec.charger = Some(specs::charger(&size, start, 1));
        wishes.push(Preferences::Charger(charger_wish(&size, start)?));
    }
    if let Some(pump) = &pattern.heat_pump {
        let mut pump = pump.clone();
        pump.config = variation.house(&pump.config);
        wishes.push(Preferences::HeatPump(heat_pump_wish(&pump.config)));
        spec.heat_pump = Some(pump);
    }
    if let Some(size) = customer.battery {
        wishes.push(Preferences::Battery(battery_wish(size)));
    }
    wishes.iter().try_for_each(Preferences::validate)?;
    let connection = connection(&spec);
    Ok(SitePlan { bus: 0, spec, wishes, connection })
}

/// The most the site can take or feed in with everything running at once.
fn connection(spec: &SiteSpec) -> Milliwatt {
    let most = spec.load.active.values.iter().fold(0.0, |most: f64, value| most.max(*value));
    let load = Milliwatt((spec.load.peak.0 as f64 * most).ceil() as i64);
    let battery = spec.battery.as_ref().map_or(Milliwatt::ZERO, |battery| battery.charge_max);
    let charger = spec.charger.as_ref().map_or(Milliwatt::ZERO, |charger| charger.power_max);
    let heat_pump = spec.heat_pump.as_ref().map_or(Milliwatt::ZERO, |pump| pump.config.power_max);
    let plant = spec.pv.as_ref().map_or(Milliwatt::ZERO, |pv| pv.nameplate);
    (load + battery + charger + heat_pump).max(battery + plant).max(CONNECTION_MIN)
}
