//! The radial feeder: buses, the lines between them, and what each may carry.

use crate::units::Milliwatt;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use thiserror::Error;

/// Most buses one feeder may have.
pub const MAX_BUSES: usize = 1_000_000;

/// A line (or transformer) from a parent bus to its child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Name, unique in the feeder.
    pub id: String,
    /// Name of the bus nearer the grid supply point.
    pub from: String,
    /// Name of the bus it feeds.
    pub to: String,
    /// Most real power from parent to child; none where unlimited.
    pub power_max: Option<Milliwatt>,
    /// Least (negative: reverse) real power from parent to child; none where unlimited.
    pub power_min: Option<Milliwatt>,
    /// Series resistance in micro-ohm at the feeder's voltage.
    pub resistance_microohm: u64,
    /// Series reactance in micro-ohm at the feeder's voltage.
    pub reactance_microohm: u64,
    /// Thermal rating as apparent power, in milli-volt-ampere; what loading is measured against.
    pub rating_millivoltampere: Option<i64>,
}

/// A radial feeder as published: names and figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feeder {
    /// Line-to-line voltage in millivolt, to which impedances refer.
    pub voltage_millivolt: u64,
    /// Name of the bus at the grid supply point.
    pub root: String,
    /// Every bus's name, the root among them.
    pub buses: Vec<String>,
    /// Every line; one fewer than buses.
    pub lines: Vec<Line>,
}

/// Why a feeder is not a tree with sound limits.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeederError {
    /// A bus or line name occurs twice.
    #[error("the name {name:?} occurs twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A line names a bus that does not exist.
    #[error("line {line:?} names the bus {bus:?}, which does not exist")]
    UnknownBus {
        /// The line.
        line: String,
        /// The bus.
        bus: String,
    },
    /// The root is not among the buses.
    #[error("the root {root:?} is not among the buses")]
    NoRoot {
        /// The root's name.
        root: String,
    },
    /// A bus is fed by two lines, or the root by one.
    #[error("line {line:?} is a second feed of bus {bus:?}: the feeder is not radial")]
    NotRadial {
        /// The line that makes the loop.
        line: String,
        /// The bus fed twice.
        bus: String,
    },
    /// A bus is not connected to the root.
    #[error("bus {bus:?} is not connected to the root")]
    Unconnected {
        /// The bus.
        bus: String,
    },
    /// A limit's least lies above its most.
    #[error("line {line:?} has a least power above its most")]
    LimitsReversed {
        /// The line.
        line: String,
    },
    /// More than [`MAX_BUSES`].
    #[error("the feeder has {count} buses, more than the {MAX_BUSES} allowed")]
    TooLarge {
        /// Buses given.
        count: usize,
    },
}

/// A feeder ready for one pass up or down: parents come before children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// For each place in the order, the index of the bus in [`Feeder::buses`]; place 0 is the root.
    pub order: Vec<usize>,
    /// For each place, the place of the parent; the root's is 0.
    pub parent: Vec<usize>,
    /// For each place, the index in [`Feeder::lines`] of the line that feeds it; unused for the root.
    pub line: Vec<usize>,
    /// For each bus index, its place.
    pub place: Vec<usize>,
}

impl Feeder {
    /// Checks names, connection and limits, and orders the buses so that parents come first.
    pub fn tree(&self) -> Result<Tree, FeederError> {
        if self.buses.len() > MAX_BUSES {
            return Err(FeederError::TooLarge { count: self.buses.len() });
        }
        let mut index = HashMap::with_capacity(self.buses.len());
        for (i, bus) in self.buses.iter().enumerate() {
            if index.insert(bus.as_str(), i).is_some() {
                return Err(FeederError::Duplicate { name: bus.clone() });
            }
        }
        let root =
            *index.get(self.root.as_str()).ok_or_else(|| FeederError::NoRoot { root: self.root.clone() })?;
        let mut names = HashMap::with_capacity(self.lines.len());
        let mut fed = vec![false; self.buses.len()];
        fed[root] = true;
        let mut children = vec![Vec::new(); self.buses.len()];
        for (i, line) in self.lines.iter().enumerate() {
            if names.insert(line.id.as_str(), i).is_some() {
                return Err(FeederError::Duplicate { name: line.id.clone() });
            }
            let bus = |name: &String| {
                index
                    .get(name.as_str())
                    .copied()
                    .ok_or_else(|| FeederError::UnknownBus { line: line.id.clone(), bus: name.clone() })
            };
            let (from, to) = (bus(&line.from)?, bus(&line.to)?);
            if std::mem::replace(&mut fed[to], true) {
                return Err(FeederError::NotRadial { line: line.id.clone(), bus: line.to.clone() });
            }
            if matches!((line.power_min, line.power_max), (Some(least), Some(most)) if least > most) {
                return Err(FeederError::LimitsReversed { line: line.id.clone() });
            }
            children[from].push((to, i));
        }
        self.order(root, &children)
    }

    fn order(&self, root: usize, children: &[Vec<(usize, usize)>]) -> Result<Tree, FeederError> {
        let mut tree = Tree {
            order: vec![root],
            parent: vec![0],
            line: vec![0],
            place: vec![usize::MAX; self.buses.len()],
        };
        tree.place[root] = 0;
        let mut here = 0;
        while here < tree.order.len() {
            for &(child, line) in &children[tree.order[here]] {
                tree.place[child] = tree.order.len();
                tree.order.push(child);
                tree.parent.push(here);
                tree.line.push(line);
            }
            here += 1;
        }
        match tree.place.iter().position(|place| *place == usize::MAX) {
            Some(bus) => Err(FeederError::Unconnected { bus: self.buses[bus].clone() }),
            None => Ok(tree),
        }
    }
}
