//! One changed bid of very many, cleared again on one core from what a standing book keeps.

use super::figure::{Figure, Target};
use super::stopwatch::{milliseconds, timed};
use super::town::{site, Town};
use super::BenchError;
use market::clearing::standing::{Recleared, Standing};
use market::clearing::PriceRange;
use market::units::Milliwatt;
use rand::rngs::SmallRng;
use rand::SeedableRng;
use std::time::Duration;

const BUSES: usize = 200;

/// Bids changed one after another, each of another site.
const CHANGES: usize = 100;

/// Times each is changed, and changed back in between, to be undisturbed once.
const TRIES: usize = 5;

/// What the changed bids are drawn from.
const SEED: u64 = 20_260_102;

/// Without and with limits that bind: the slowest of many changes.
///
/// # Errors
/// Where an instance cannot be built or cleared.
pub fn measure(sites: usize) -> Result<Vec<Figure>, BenchError> {
    let town = Town::new(sites, BUSES);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let scenes = [("no limit binds", None), ("limits bind", Some(Milliwatt(200_000 * sites as i64)))];
    scenes.into_iter().map(|(scene, limit)| pool.install(|| changed(&town, scene, limit))).collect()
}

fn changed(town: &Town, scene: &str, limit: Option<Milliwatt>) -> Result<Figure, BenchError> {
    let sites = town.sites.len();
    let feeder = town.feeder(limit);
    let tree = feeder.tree()?;
    let (supply, book) = (town.supply()?, town.book()?);
    let (made_ready, standing) = timed(|| Standing::new(feeder, tree, supply, book, PriceRange::WIDEST));
    let mut standing = standing?;
    let mut random = SmallRng::seed_from_u64(SEED);
    let (mut times, mut whole) = (Vec::with_capacity(CHANGES), 0);
    let (mut looked_ahead, mut looking) = (0, Duration::ZERO);
    for change in 0..CHANGES {
        // Sites from all over the town, none twice.
        let place = (change * 2 + 1) * sites / (2 * CHANGES);
        let bid = site(&mut random);
        let mut best = Duration::MAX;
        for _ in 0..TRIES {
            standing.replace(place, &town.sites[place])?;
            let (taken, how) = timed(|| standing.replace(place, &bid));
            whole += usize::from(how? == Recleared::Whole);
            best = best.min(taken);
        }
        times.push(best);
        let (taken, buses) = timed(|| standing.look_ahead());
        looking = looking.max(taken);
        looked_ahead += usize::from(buses > 0);
    }
    times.sort_unstable();
    Ok(Figure {
        name: format!("one changed bid of {sites}, {scene}, 1 core(s), the slowest of {CHANGES}"),
        measured: milliseconds(times[CHANGES - 1]),
        unit: "ms",
        target: Target::AtMost(1.0),
        detail: format!(
            "median {:.3} ms; {whole} of {} cleared from every curve; made ready in {:.0} ms, again after {looked_ahead} \
             changes, in {:.0} ms at most",
            milliseconds(times[CHANGES / 2]),
            CHANGES * TRIES,
            milliseconds(made_ready),
            milliseconds(looking),
        ),
    })
}
