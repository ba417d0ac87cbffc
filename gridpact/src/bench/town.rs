//! Random sites and feeders to measure on, the same for the same seed.

use market::clearing::book::{Book, BookError};
use market::curve::{Breakpoint, CurveError};
use market::feeder::{Feeder, Line};
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Breakpoints of every curve.
pub const BREAKPOINTS: usize = 8;

/// What every instance is drawn from.
pub const SEED: u64 = 20_260_101;

/// Sites spread evenly over buses.
pub struct Town {
    /// How many buses.
    pub buses: usize,
    /// Every site's breakpoints, bus by bus.
    pub sites: Vec<[Breakpoint; BREAKPOINTS]>,
}

impl Town {
    /// `sites` sites on `buses` buses, with eight corners each between -50 and 350 EUR/MWh, falling by
    /// up to 4 kW between two; one rise in price in four is a vertical step.
    pub fn new(sites: usize, buses: usize) -> Self {
        let mut random = SmallRng::seed_from_u64(SEED);
        Self { buses, sites: (0..sites).map(|_| site(&mut random)).collect() }
    }

    /// The bus of a site.
    pub fn bus(&self, site: usize) -> usize {
        site * self.buses / self.sites.len()
    }

    /// Every site's curve, as the engine reads it.
    ///
    /// # Errors
    /// Where the sites' powers are too large to be added.
    pub fn book(&self) -> Result<Book, BookError> {
        let mut book = Book::new(self.buses);
        for (site, points) in self.sites.iter().enumerate() {
            book.push(self.bus(site), points)?;
        }
        Ok(book)
    }

    /// A tree of buses, each feeding up to three. Lines carry up to `limit` either way.
    pub fn feeder(&self, limit: Option<Milliwatt>) -> Feeder {
        let line = |bus: usize| Line {
            id: format!("l{bus}"),
            from: format!("n{}", (bus - 1) / 3),
            to: format!("n{bus}"),
            power_max: limit,
            power_min: limit.map(|limit| -limit),
            resistance_microohm: 0,
            reactance_microohm: 0,
            rating_millivoltampere: None,
        };
        Feeder {
            voltage_millivolt: 20_000_000,
            root: "n0".into(),
            buses: (0..self.buses).map(|bus| format!("n{bus}")).collect(),
            lines: (1..self.buses).map(line).collect(),
        }
    }

    /// An import whose price rises from -100 to 400 EUR/MWh over 20 kW a site either way.
    ///
    /// # Errors
    /// Where that is beyond what the market accepts.
    pub fn supply(&self) -> Result<SupplyCurve, CurveError> {
        let wide = Milliwatt(20_000_000 * self.sites.len() as i64);
        let point = |price: i64, power: Milliwatt| Breakpoint { price: PicoEurPerWh(price), power };
        SupplyCurve::new(vec![point(-100_000_000, -wide), point(400_000_000, wide)])
    }
}

/// A random site's curve.
pub fn site(random: &mut SmallRng) -> [Breakpoint; BREAKPOINTS] {
    let mut prices = [0i64; BREAKPOINTS];
    prices.iter_mut().for_each(|price| *price = random.random_range(-50_000..350_000) * 1_000);
    prices.sort_unstable();
    for i in 1..BREAKPOINTS {
        if random.random_range(0..4) == 0 {
            prices[i] = prices[i - 1];
        }
    }
    let mut power = random.random_range(0..12_000_000);
    prices.map(|price| {
        let point = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        power -= random.random_range(0..4_000_000);
        point
    })
}
