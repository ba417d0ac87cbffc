//! The supply point all streets hang below: what import costs there, how much of it there is, and the
//! market in which the streets' net demands meet it.

use super::error::SimulateError;
use super::population::Population;
use super::prices::Prices;
use super::street::Award;
use super::PARAMETERS;
use agents::tso::{ImportTerms, TsoCore};
use market::clearing::book::Book;
use market::clearing::{engine, PriceRange};
use market::curve::Breakpoint;
use market::feeder::{Feeder, Tree};
use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use wire::message::ForecastPrice;
use wire::party::{PartyId, Role};

/// How much dearer import is at the supply point's limit than at none: dearer plants are called the more
/// is taken. It keeps everyone from charging in the one cheapest hour.
const RISE_TO_LIMIT: PicoEurPerWh = PicoEurPerWh(60_000_000);
/// Of the limit, in hundredths, the import for which the day-ahead price was found.
const EXPECTED_IMPORT_PERCENT: i64 = 60;
const MILLIWATT_PER_MEGAWATT: i128 = 1_000_000_000;
/// What the supply point carries, of what the streets' transformers may carry together. Streets don't
/// peak at once, and a substation is built for that: so much they take together on a winter evening
/// on which nobody coordinates anything.
const DIVERSITY: f64 = 0.3;

/// The supply point.
pub struct SupplyPoint {
    tso: TsoCore,
    prices: Prices,
    first: Interval,
    feeder: Feeder,
    tree: Tree,
    limit: Milliwatt,
}

impl SupplyPoint {
    /// Above all streets of `population`.
    ///
    /// # Errors
    /// Where its name is none or its feeder no tree, which no population makes.
    pub fn above(population: &Population) -> Result<Self, SimulateError> {
        let transformer = |street: &super::population::StreetPlan| {
            street.shape.feeder.lines.first().and_then(|line| line.power_max).unwrap_or_default()
        };
        let all: Milliwatt = population.streets.iter().map(transformer).sum();
        let limit = Milliwatt((all.0 as f64 * DIVERSITY) as i64);
        let prices = Prices::draw(&population.prices, population.seed);
        let stated = prices.real().iter().enumerate().map(|(i, price)| ForecastPrice {
            interval: population.first.later(i as i64, PARAMETERS.interval_s),
            price: PicoEurPerWh(price.0 - RISE_TO_LIMIT.0 * EXPECTED_IMPORT_PERCENT / 100),
        });
        let slope = i128::from(RISE_TO_LIMIT.0) * MILLIWATT_PER_MEGAWATT / i128::from(limit.0.max(1));
        let terms = ImportTerms {
            prices: stated.collect(),
            repeats: false,
            import_min: -limit,
            import_max: limit,
            slope_per_megawatt: i64::try_from(slope).ok().map(PicoEurPerWh),
        };
        let name = "supply-point".to_owned();
        let feeder = Feeder {
            voltage_millivolt: 20_000_000,
            root: name.clone(),
            buses: vec![name],
            lines: Vec::new(),
        };
        Ok(Self {
            tso: TsoCore::new(PARAMETERS, PartyId::new(Role::Dso, "supply-point".parse()?), terms),
            prices,
            first: population.first,
            tree: feeder.tree()?,
            feeder,
            limit,
        })
    }

    /// Most import or export.
    pub fn limit(&self) -> Milliwatt {
        self.limit
    }

    /// What import costs, and what was expected of that.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The interval with this number.
    pub fn interval(&self, number: usize) -> Interval {
        self.first.later(number as i64, PARAMETERS.interval_s)
    }

    /// Clears the streets' net demands against the supply: each street's award, in their order.
    ///
    /// # Errors
    /// Where the interval has no supply or no price meets it.
    pub fn clear(
        &self,
        interval: Interval,
        demands: &[Vec<Breakpoint>],
        range: PriceRange,
    ) -> Result<Vec<Award>, SimulateError> {
        let refused = |reason: String| SimulateError::Supply { interval, reason };
        let supply = self.tso.curve(interval).ok_or_else(|| refused("it has no price".to_owned()))?;
        let supply = supply.map_err(|error| refused(error.to_string()))?;
        let mut book = Book::new(1);
        for demand in demands {
            book.push(0, demand).map_err(|source| SimulateError::Book { interval, source })?;
        }
        let clearing = engine::clear(&self.feeder, &self.tree, &supply, &book, range)
            .map_err(|source| SimulateError::Infeasible { interval, source })?;
        let powers = book.split(&clearing).ok_or(SimulateError::Allocation { interval })?;
        let price = clearing.prices.first().copied().unwrap_or_default();
        Ok(powers.into_iter().map(|power| Award { price, power }).collect())
    }
}
