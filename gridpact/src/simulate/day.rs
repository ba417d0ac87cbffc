//! A day under the virtual clock: interval after interval, every site bids, the market clears, devices
//! follow, meters count, accounts are settled. And the same day with nobody telling anybody anything.

use super::equipment::Surroundings;
use super::error::SimulateError;
use super::figures::{beyond_rating, IntervalFigures};
use super::household::Household;
use super::population::{Population, Shape, StreetPlan};
use super::prices::HOURLY_PERSISTENCE;
use super::service::Service;
use super::street::{Award, Street};
use super::supply_point::SupplyPoint;
use super::threads::for_each;
use super::PARAMETERS;
use agents::device::ladder::PriceRange as Corridor;
use agents::device::Outlook;
use market::clearing::PriceRange;
use market::curve::Breakpoint;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, PicoEurPerWh};
use sim_devices::physics::profile::Profile;
use std::sync::Arc;

/// Seconds from an interval's start until bids open for the next one.
const UNTIL_BIDS_S: i64 = PARAMETERS.interval_s - PARAMETERS.bids_open_s;

/// A day that was played.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// Every interval, streets added up.
    pub intervals: Vec<DayInterval>,
    /// What customers got.
    pub service: Service,
}

/// One interval of the whole supply area.
#[derive(Clone, Debug, PartialEq)]
pub struct DayInterval {
    /// What the transmission side asks at the import it expected.
    pub asked: PicoEurPerWh,
    /// Price at the supply point; none where nothing was traded.
    pub price: Option<PicoEurPerWh>,
    /// Streets' figures, added up.
    pub figures: IntervalFigures,
}

/// A supply area as it plays its day.
pub struct Trading {
    supply: SupplyPoint,
    streets: Vec<Street>,
    outdoor_celsius: Profile,
    range: PriceRange,
    threads: usize,
    /// Streets' net demands for the interval to be cleared next.
    demands: Vec<Vec<Breakpoint>>,
    /// Prices at the supply point, interval by interval.
    prices: Vec<PicoEurPerWh>,
    intervals: usize,
}

impl Trading {
    /// Everyone as they are an interval before the first of `intervals`, which they have bid for.
    ///
    /// # Errors
    /// A device that can't be, or can't bid.
    pub fn begin(population: Population, intervals: usize, threads: usize) -> Result<Self, SimulateError> {
        let supply = SupplyPoint::above(&population)?;
        let start = supply.interval(0).start().plus(-PARAMETERS.interval_s);
        let streets = population.streets.into_iter().map(|street| Street::new(street, start));
        let mut trading = Self {
            supply,
            streets: streets.collect::<Result<_, _>>()?,
            outdoor_celsius: population.outdoor_celsius,
            range: PriceRange::new(PARAMETERS.price_min, PARAMETERS.price_max).unwrap_or(PriceRange::WIDEST),
            threads,
            demands: Vec::new(),
            prices: Vec::new(),
            intervals,
        };
        let around = trading.around(start, UNTIL_BIDS_S);
        let (outlook, range) = (trading.outlook(0), trading.range);
        trading.demands = for_each(&mut trading.streets, threads, |_, street| {
            street.live(around);
            street.bid(&outlook, range)
        })?;
        Ok(trading)
    }

    /// Plays the interval with this number, from the clearing before it to the bids for the one after;
    /// gives the figures of the interval that ended at its start. The number after the last one settles
    /// the last.
    ///
    /// # Errors
    /// Whatever a market without faults never does.
    pub fn play(&mut self, number: usize) -> Result<Option<IntervalFigures>, SimulateError> {
        let interval = self.supply.interval(number);
        let trades = number < self.intervals;
        let awards: Vec<Award> =
            if trades { self.supply.clear(interval, &self.demands, self.range)? } else { Vec::new() };
        self.prices.extend(awards.first().map(|award| award.price));
        let before = self.around(interval.start().plus(-PARAMETERS.bids_open_s), PARAMETERS.bids_open_s);
        let after = self.around(interval.start(), UNTIL_BIDS_S);
        let outlook = (number + 1 < self.intervals).then(|| self.outlook(number + 1));
        let range = self.range;
        let passed = for_each(&mut self.streets, self.threads, |place, street| {
            if let Some(award) = awards.get(place) {
                street.clear(&PARAMETERS, interval, *award, range)?;
            }
            street.live(before);
            let ended = street.turn(&PARAMETERS, interval.start())?;
            let demand = match &outlook {
                Some(outlook) => {
                    street.live(after);
                    street.bid(outlook, range)?
                }
                None if trades => {
                    street.live(after);
                    Vec::new()
                }
                None => Vec::new(),
            };
            Ok::<_, SimulateError>((ended, demand))
        })?;
        self.demands.clear();
        let mut ended: Option<IntervalFigures> = None;
        for (figures, demand) in passed {
            self.demands.push(demand);
            if let Some(figures) = figures {
                ended.get_or_insert_default().merge(&figures);
            }
        }
        Ok(ended)
    }

    /// The interval with this number, once it is settled.
    pub fn ended(&self, number: usize, figures: IntervalFigures) -> DayInterval {
        let asked = asked(&self.supply, number);
        DayInterval { asked, price: self.prices.get(number).copied(), figures }
    }

    /// What customers have got so far.
    pub fn service(&self) -> Service {
        let mut service = Service::default();
        self.streets.iter().for_each(|street| service.merge(&street.service()));
        service
    }

    /// Most import or export at the supply point.
    pub fn limit(&self) -> Milliwatt {
        self.supply.limit()
    }

    fn around(&self, now: UnixSeconds, seconds: i64) -> Surroundings {
        around(&self.outdoor_celsius, now, seconds)
    }

    fn outlook(&self, number: usize) -> Outlook {
        let interval = self.supply.interval(number);
        Outlook {
            interval,
            interval_s: PARAMETERS.interval_s,
            read_at: PARAMETERS.bids_open(interval),
            price: self.supply.prices().expected(number),
            prices: self.supply.prices().expected_after(number),
            hourly_persistence: HOURLY_PERSISTENCE,
            range: Corridor { min: PARAMETERS.price_min, max: PARAMETERS.price_max },
        }
    }
}

/// The day of `population` in which every device follows its own habit.
///
/// # Errors
/// A device that can't be.
pub fn uncoordinated(
    population: Population,
    intervals: usize,
    threads: usize,
    passed: impl Fn() + Sync,
) -> Result<Day, SimulateError> {
    let supply = SupplyPoint::above(&population)?;
    let start = supply.interval(0).start();
    let outdoor = population.outdoor_celsius;
    let mut streets: Vec<Option<StreetPlan>> = population.streets.into_iter().map(Some).collect();
    let played = for_each(&mut streets, threads, |_, street| {
        let played = match street.take() {
            Some(street) => habits(street, start, intervals, &outdoor)?,
            None => (Vec::new(), Service::default()),
        };
        passed();
        Ok::<_, SimulateError>(played)
    })?;
    let mut all = vec![IntervalFigures::default(); intervals];
    let mut service = Service::default();
    for (street, its_service) in &played {
        all.iter_mut().zip(street).for_each(|(all, figures)| all.merge(figures));
        service.merge(its_service);
    }
    let interval = |(number, figures)| DayInterval { asked: asked(&supply, number), price: None, figures };
    Ok(Day { intervals: all.into_iter().enumerate().map(interval).collect(), service })
}

fn asked(supply: &SupplyPoint, number: usize) -> PicoEurPerWh {
    supply.prices().real().get(number).copied().unwrap_or_default()
}

/// One street's day of habits, from an interval before `start` on.
fn habits(
    street: StreetPlan,
    start: UnixSeconds,
    intervals: usize,
    outdoor: &Profile,
) -> Result<(Vec<IntervalFigures>, Service), SimulateError> {
    let shape: Arc<Shape> = street.shape;
    let before = start.plus(-PARAMETERS.interval_s);
    let homes = street.sites.into_iter().map(|site| Ok((site.bus, Household::new(site.spec, before)?)));
    let mut homes = homes.collect::<Result<Vec<_>, SimulateError>>()?;
    let mut figures = Vec::with_capacity(intervals);
    for number in 0..=intervals {
        let now = before.plus(number as i64 * PARAMETERS.interval_s);
        let mut of_interval = IntervalFigures::default();
        let mut energy_by_bus = vec![Millijoule::ZERO; shape.feeder.buses.len()];
        for (bus, home) in &mut homes {
            home.live(around(outdoor, now, PARAMETERS.interval_s));
            let counted = home.count();
            of_interval.count(counted, counted.energy);
            energy_by_bus[*bus] += counted.energy;
        }
        let interval_s = PARAMETERS.interval_s;
        of_interval.beyond_rating = beyond_rating(&shape.feeder, &shape.tree, &energy_by_bus, interval_s);
        // What flowed before the first interval belongs to none.
        if number > 0 {
            figures.push(of_interval);
        }
    }
    let mut service = Service::default();
    homes.iter().for_each(|(_, home)| home.add_service(&mut service));
    Ok((figures, service))
}

fn around(outdoor_celsius: &Profile, now: UnixSeconds, seconds: i64) -> Surroundings {
    let seconds = u32::try_from(seconds).unwrap_or_default();
    Surroundings { now, seconds, outdoor_millicelsius: outdoor_celsius.of(1_000, now) }
}
