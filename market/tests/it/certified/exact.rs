//! The exact certificate of capacity-only clearings: ten thousand with one figure moved are refused,
//! and so is a feasible dispatch of less welfare.
//!
//! Whether moved prices are another optimal dual is decided by the dual function: the parties', the
//! supply's and the lines' surplus at those prices, summed tick by tick. By strong duality it is
//! least exactly at optimal prices.

use super::moved::{index, kind, leaves, more};
use super::random::Random;
use crate::certificate::{parties, verdict};
use crate::feeders::{market, Market};
use crate::sampled::clear;
use market::certificate::PartyDemand;
use market::clearing::Clearing;
use market::units::PicoEurPerWh;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{json, Value};
use std::collections::BTreeMap;

const SEED: u8 = 22;
const WAYS: usize = 10_000;

/// Beyond this price, either way, no curve of these markets changes.
const FLAT_FROM: i64 = 300;

/// A party's demand and surplus, tick by tick.
struct Table {
    /// From `-FLAT_FROM` to one above `FLAT_FROM`.
    demand: Vec<i64>,
    /// What the party gains at each price besides what it gains at `FLAT_FROM`.
    surplus: Vec<i128>,
}

impl Table {
    fn of(demand: impl Fn(i64) -> i64) -> Self {
        let demand: Vec<i64> = (-FLAT_FROM..=FLAT_FROM + 1).map(demand).collect();
        let mut surplus = vec![0; demand.len()];
        for tick in (0..demand.len() - 2).rev() {
            surplus[tick] = surplus[tick + 1] + i128::from(demand[tick + 1]);
        }
        Self { demand, surplus }
    }

    fn at(price: i64) -> usize {
        (price.clamp(-FLAT_FROM, FLAT_FROM) + FLAT_FROM) as usize
    }

    fn surplus(&self, price: i64) -> i128 {
        let inside = price.clamp(-FLAT_FROM, FLAT_FROM);
        let beyond = self.demand[Self::at(price) + usize::from(price > inside)];
        self.surplus[Self::at(price)] + i128::from(inside - price) * i128::from(beyond)
    }

    /// What a power is worth to the party: the least, over prices, of its surplus and what it pays.
    /// None where it takes this power at no price.
    fn value(&self, power: i64) -> Option<i128> {
        if power < self.demand[self.demand.len() - 1] || power > self.demand[0] {
            return None;
        }
        (-FLAT_FROM..=FLAT_FROM)
            .map(|price| self.surplus[Self::at(price)] + i128::from(price) * i128::from(power))
            .min()
    }
}

/// A market's parties and, last, its supply, which sees itself as taking the negative import.
fn tables(market: &Market) -> Vec<Table> {
    let curves = market.parties.iter().map(|(_, curve)| curve).chain([market.supply.mirrored()]);
    curves.map(|curve| Table::of(|tick| curve.power_at(PicoEurPerWh(tick)).0)).collect()
}

/// The dual function; it is least at optimal prices.
fn dual(market: &Market, tables: &[Table], prices: &[PicoEurPerWh]) -> i128 {
    let buses = market.parties.iter().map(|(bus, _)| *bus).chain([market.tree.order[0]]);
    let own = tables.iter().zip(buses).map(|(table, bus)| table.surplus(prices[bus].0));
    let rents = market.feeder.lines.iter().map(|line| {
        let at = |name: &str| prices[market.feeder.buses.iter().position(|bus| bus == name).unwrap()].0;
        let rise = i128::from(at(&line.to) - at(&line.from));
        let limit = if rise > 0 { line.power_max } else { line.power_min };
        // Without a limit in that direction a line would earn without end.
        limit.map_or(rise.abs() * i128::from(i64::MAX), |limit| rise * i128::from(limit.0))
    });
    own.sum::<i128>() + rents.sum::<i128>()
}

/// The parties' value and the supply's. None where the dispatch is not feasible.
fn welfare(market: &Market, tables: &[Table], clearing: &Clearing, parties: &[PartyDemand]) -> Option<i128> {
    let limits = market.feeder.lines.iter().zip(&clearing.flows).all(|(line, flow)| {
        line.power_min.is_none_or(|least| *flow >= least) && line.power_max.is_none_or(|most| *flow <= most)
    });
    let powers = parties.iter().map(|party| party.allocation.0).chain([-clearing.import.0]);
    let values = tables.iter().zip(powers).map(|(table, power)| table.value(power));
    limits.then(|| values.sum::<Option<i128>>()).flatten()
}

/// Markets that clear, with their clearing and parties, one after the other from the seed.
fn cleared() -> impl Iterator<Item = (Market, Clearing, Vec<PartyDemand>)> {
    println!("seed {SEED}");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[SEED; 32]);
    let mut runner = TestRunner::new_with_rng(crate::cases(1), rng);
    std::iter::from_fn(move || Some(market().new_tree(&mut runner).unwrap().current())).filter_map(|market| {
        let (clearing, _) = clear(&market, (-1_000_000, 1_000_000)).ok()?;
        let parties = parties(&market, &clearing);
        Some((market, clearing, parties))
    })
}

fn published(clearing: &Clearing, parties: &[PartyDemand]) -> Value {
    json!({"clearing": clearing, "parties": parties})
}

/// What to add to the figure at `path` so that it can't be right.
fn move_by(random: &mut Random, path: &str, figure: i64, parties: &[PartyDemand]) -> i64 {
    let party = || parties[index(path)].allocation.0;
    match kind(path).as_str() {
        "clearing.import"
        | "clearing.allocations"
        | "clearing.flows"
        | "clearing.prices"
        | "parties.allocation" => random.sign() * more(random, 0),
        "parties.range.low" => party() - figure + more(random, 0),
        "parties.range.high" => party() - figure - more(random, 0),
        // A party that was given nothing takes nothing anywhere: only a bus that is none is wrong.
        "parties.bus" if party() == 0 => 1_000 + more(random, 0),
        "parties.bus" => more(random, 0),
        _ => panic!("{path} is a figure nobody said how to move"),
    }
}

#[test]
fn ten_thousand_exact_certificates_with_one_figure_moved_are_refused() {
    let mut random = Random::new(u64::from(SEED));
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut other_duals = 0;
    for (market, clearing, at) in cleared() {
        assert_eq!(verdict(&market, &clearing, &at), Ok(()));
        let tables = tables(&market);
        let best = dual(&market, &tables, &clearing.prices);
        assert_eq!(welfare(&market, &tables, &clearing, &at), Some(best), "strong duality");
        let mut paths = Vec::new();
        leaves(&published(&clearing, &at), "", &mut paths);
        for path in paths {
            let mut value = published(&clearing, &at);
            let figure = value.pointer(&path).unwrap().as_i64().unwrap();
            let by = move_by(&mut random, &path, figure, &at);
            *value.pointer_mut(&path).unwrap() = json!(figure + by);
            let moved: Clearing = serde_json::from_value(value["clearing"].take()).unwrap();
            let mut parties: Vec<PartyDemand> = serde_json::from_value(value["parties"].take()).unwrap();
            if kind(&path) == "clearing.prices" {
                if dual(&market, &tables, &moved.prices) == best {
                    other_duals += 1;
                    continue;
                }
                // Whoever signs demand at a price signs it at the price told.
                for (party, (bus, curve)) in parties.iter_mut().zip(&market.parties) {
                    party.range = curve.demand_at(moved.prices[*bus]);
                }
            }
            assert!(
                verdict(&market, &moved, &parties).is_err(),
                "{path} moved from {figure} by {by}: {market:?}"
            );
            *refused.entry(kind(&path)).or_default() += 1;
        }
        if refused.values().sum::<usize>() >= WAYS {
            break;
        }
    }
    println!("refused: {refused:#?}; {other_duals} moved prices were optimal as well");
    assert_eq!(refused.len(), 8, "some kind of figure was never moved");
    assert!(refused.values().all(|count| *count >= 100));
}

#[test]
fn a_feasible_dispatch_of_less_welfare_is_refused_and_one_of_the_same_is_not() {
    let mut random = Random::new(u64::from(SEED));
    let (mut worse, mut same) = (0, 0);
    for (market, clearing, at) in cleared().filter(|(_, _, parties)| !parties.is_empty()) {
        let tables = tables(&market);
        let best = dual(&market, &tables, &clearing.prices);
        for _ in 0..10 {
            let (mut moved, mut parties) = (clearing.clone(), at.clone());
            let by = random.sign() * random.between(1, 6);
            let mut give = |party: usize, by: i64| {
                let bus = parties[party].bus;
                parties[party].allocation.0 += by;
                moved.allocations[bus].0 += by;
                moved.import.0 += by;
                let mut place = market.tree.place[bus];
                while place != 0 {
                    moved.flows[market.tree.line[place]].0 += by;
                    place = market.tree.parent[place];
                }
            };
            let mut any = || random.between(0, at.len() as i64 - 1) as usize;
            give(any(), by);
            give(any(), if by % 2 == 0 { 0 } else { -by });
            match welfare(&market, &tables, &moved, &parties) {
                None => {}
                Some(welfare) if welfare == best => {
                    same += 1;
                    assert_eq!(verdict(&market, &moved, &parties), Ok(()), "{market:?}");
                }
                Some(welfare) => {
                    worse += 1;
                    assert!(welfare < best, "{market:?}");
                    assert!(verdict(&market, &moved, &parties).is_err(), "{market:?}");
                }
            }
        }
        if worse >= 1_000 {
            break;
        }
    }
    println!("{worse} of less welfare refused, {same} of the same accepted");
    assert!(same >= 100);
}
