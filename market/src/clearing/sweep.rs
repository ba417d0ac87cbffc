//! One pass over every site's curve at one price of each bus's: what the sites take there together,
//! and, kept for when the price turns out to be the cleared one, what each of them takes.

use super::book::Book;
use crate::share::Demand;
use crate::units::Milliwatt;
use rayon::prelude::*;
use std::ops::Range;

/// Sites one worker looks at in one go.
const SITES_AT_ONCE: usize = 8_192;

/// Books of fewer sites are not worth a second worker.
const SITES_ALONE: usize = 32_768;

/// Sites of one bus, few enough for one worker in one go.
pub(super) type Batch = (usize, Range<usize>);

/// Every site of a book, in order.
pub(super) fn batches(book: &Book, buses: usize) -> Vec<Batch> {
    let of_bus = |bus: usize| {
        let sites = book.sites_at(bus);
        let starts = sites.clone().step_by(SITES_AT_ONCE);
        starts.map(move |start| (bus, start..(start + SITES_AT_ONCE).min(sites.end)))
    };
    (0..buses).flat_map(of_bus).collect()
}

/// Does some work on each of many parts of a book, in order, by more than one worker where it pays.
pub(super) fn each<P: Send, T: Send>(
    book: &Book,
    parts: Vec<P>,
    work: impl Fn(P) -> T + Send + Sync,
) -> Vec<T> {
    if book.sites() < SITES_ALONE {
        parts.into_iter().map(work).collect()
    } else {
        // One by one, or whoever got the last of them would be waited for.
        parts.into_par_iter().with_max_len(1).map(work).collect()
    }
}

/// A site that takes anything up to `height` more at the price than just above it.
#[derive(Clone, Copy)]
struct Step {
    site: usize,
    height: i64,
}

/// What the sites of one bus take at one price.
#[derive(Clone, Default)]
struct Taken {
    /// None before the first look.
    price: Option<i64>,
    low: i64,
    height: i64,
    steps: Vec<Step>,
}

/// What every site takes at the price its bus was last looked at.
pub(super) struct Sweep {
    by_bus: Vec<Taken>,
    /// By site, just above the price.
    low: Vec<Milliwatt>,
    batches: Vec<Batch>,
}

impl Sweep {
    pub fn new(book: &Book, buses: usize) -> Self {
        Self {
            by_bus: vec![Taken::default(); buses],
            low: vec![Milliwatt::ZERO; book.sites()],
            batches: batches(book, buses),
        }
    }

    /// Looks at every bus that has a price to be looked at, and gives what its sites take there.
    pub fn look(&mut self, book: &Book, prices: &[Option<i64>]) -> Vec<Option<Demand>> {
        let mut rest = self.low.as_mut_slice();
        let mut asked = Vec::with_capacity(self.batches.len());
        for (bus, sites) in &self.batches {
            let (low, after) = std::mem::take(&mut rest).split_at_mut(sites.len());
            rest = after;
            if let Some(price) = prices[*bus] {
                asked.push((*bus, sites.clone(), price, low));
            }
        }
        let taken = each(book, asked, |(bus, sites, price, low)| (bus, look_at(book, sites, price, low)));
        for (taken, price) in self.by_bus.iter_mut().zip(prices).filter(|(_, price)| price.is_some()) {
            *taken = Taken { price: *price, ..Taken::default() };
        }
        for (bus, part) in taken {
            let whole = &mut self.by_bus[bus];
            whole.low += part.low;
            whole.height += part.height;
            if whole.steps.is_empty() {
                whole.steps = part.steps;
            } else {
                whole.steps.extend(part.steps);
            }
        }
        let demand =
            |taken: &Taken| Demand { low: Milliwatt(taken.low), high: Milliwatt(taken.low + taken.height) };
        prices.iter().zip(&self.by_bus).map(|(price, taken)| price.map(|_| demand(taken))).collect()
    }

    /// Splits what each bus was given at its price over its sites, in the book's order and by the rule
    /// of [`crate::share::split`]. Every allocation must lie within what its sites take at the price.
    pub fn split(mut self, book: &Book, prices: &[i64], allocations: &[Milliwatt]) -> Vec<Milliwatt> {
        let open = |(taken, price): (&Taken, &i64)| (taken.price != Some(*price)).then_some(*price);
        let missing: Vec<_> = self.by_bus.iter().zip(prices).map(open).collect();
        if missing.iter().any(Option::is_some) {
            self.look(book, &missing);
        }
        let mut rest = self.low.as_mut_slice();
        let mut parts = Vec::with_capacity(self.by_bus.len());
        for (bus, (taken, allocation)) in self.by_bus.iter().zip(allocations).enumerate() {
            let sites = book.sites_at(bus);
            let (low, after) = std::mem::take(&mut rest).split_at_mut(sites.len());
            rest = after;
            parts.push((taken, allocation.0 - taken.low, sites.start, low));
        }
        each(book, parts, |(taken, served, first, low)| share(taken, served, first, low));
        self.low
    }
}

/// Adds to what each site of a bus takes just above the price its share of `served` at the price.
/// `first` is the bus's first site.
fn share(taken: &Taken, served: i64, first: usize, low: &mut [Milliwatt]) {
    let (mut height_so_far, mut given_so_far) = (0i64, 0);
    for step in taken.steps.iter().take_while(|_| served > 0) {
        height_so_far += step.height;
        let given = match served.checked_mul(height_so_far) {
            Some(product) => product / taken.height,
            None => (served as i128 * height_so_far as i128 / taken.height as i128) as i64,
        };
        low[step.site - first].0 += given - given_so_far;
        given_so_far = given;
    }
}

fn look_at(book: &Book, sites: Range<usize>, price: i64, lows: &mut [Milliwatt]) -> Taken {
    let mut taken = Taken::default();
    for (site, low) in sites.zip(lows) {
        let (power, height) = book.step_at(site, price);
        *low = Milliwatt(power);
        taken.low += power;
        if height > 0 {
            taken.height += height;
            taken.steps.push(Step { site, height });
        }
    }
    taken
}
