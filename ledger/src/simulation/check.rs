//! What must hold in every run, and what was found not to.

use super::bug::Bug;
use super::fault::{Fault, VALIDATORS};
use super::world::World;
use super::SetupError;
use crate::block::vote::VoteKind;
use crate::block::DecidedBlock;
use crate::consensus::message::{ConsensusMessage, Statement};
use crate::execute::{execute_block, Executed};
use crate::store::Chain;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use thiserror::Error;
use wire::entry::{Entry, SignedEnvelope};
use wire::hash::Hash32;

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Violation {
    /// Two blocks were decided at one height.
    #[error("agreement: node {node} decided another block at height {height} than was decided there")]
    Fork {
        /// Who found out.
        node: usize,
        /// Height.
        height: u64,
    },
    /// An honest validator contradicted itself.
    #[error("validator {node} contradicts itself: two {what}s in round {round} of height {height}")]
    Contradiction {
        /// Which node.
        node: usize,
        /// Height.
        height: u64,
        /// Round.
        round: u32,
        /// What it said two of.
        what: &'static str,
    },
    /// An honest validator voted for another block than the one it was locked on, without cause.
    #[error(
        "validator {node} drops its lock: it prevotes another block in round {round} of height {height}"
    )]
    Unlocked {
        /// Which node.
        node: usize,
        /// Height.
        height: u64,
        /// Round of the later vote.
        round: u32,
    },
    /// A decided block that does not hold.
    #[error("validity: block {height}: {reason}")]
    Invalid {
        /// Height.
        height: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A block that was final is gone.
    #[error("node {node} came back with {found} blocks, and had made {had} final")]
    Lost {
        /// Which node.
        node: usize,
        /// Blocks it came back with.
        found: usize,
        /// Blocks it had told of.
        had: usize,
    },
    /// A validator could not go on.
    #[error("node {node} stops: {reason}")]
    Stopped {
        /// Which node.
        node: usize,
        /// Why.
        reason: String,
    },
    /// A validator went on after its disk had failed.
    #[error("node {node} speaks after its disk has failed")]
    SpokeWithoutDisk {
        /// Which node.
        node: usize,
    },
    /// An honest validator stands on the ledger as a liar.
    #[error("the ledger calls validator {name} a liar, and it is none")]
    Slander {
        /// Its name.
        name: String,
    },
    /// Not everyone honest was done in time.
    #[error("progress: {done_at:?} blocks, and not everything decided, {after_ms} ms after the start")]
    Stalled {
        /// Blocks of each node.
        done_at: Vec<usize>,
        /// When it was given up, in milliseconds of simulated time.
        after_ms: u64,
    },
}

/// A run in which something happened that must not, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What went wrong by intent.
    pub fault: Fault,
    /// Which part was broken by intent.
    pub bug: Option<Bug>,
    /// What happened, the first first.
    pub violations: Vec<Violation>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, fault {}:", self.seed, self.fault)?;
        self.violations.iter().try_for_each(|violation| write!(f, "\n  {violation}"))
    }
}

/// One vote's place: node, height, round, kind.
type VotePlace = (usize, u64, u32, VoteKind);

/// Watches a run.
#[derive(Debug, Default)]
pub struct Watch {
    violations: Vec<Violation>,
    /// Every vote published.
    votes: BTreeMap<VotePlace, Option<Hash32>>,
    /// Who prevoted what: validators by height, round and block.
    prevoted: BTreeMap<(u64, u32, Hash32), BTreeSet<usize>>,
    /// The block decided at each height, by whoever decided first.
    decided: BTreeMap<u64, Hash32>,
}

impl Watch {
    /// What was found, the first first.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Notes that something must not have happened.
    pub fn found(&mut self, violation: Violation) {
        self.violations.push(violation);
    }

    /// Hears what a node says in public, as one of validator `validator`.
    pub fn hear(&mut self, (node, validator): (usize, usize), honest: bool, message: &[u8]) {
        let Ok(ConsensusMessage::Statement { statement: Statement::Vote(signed), .. }) =
            ConsensusMessage::decode(message)
        else {
            return;
        };
        let vote = signed.vote;
        let (height, round, kind) = (vote.height, vote.round, vote.kind);
        if let (VoteKind::Prevote, Some(block)) = (kind, vote.block) {
            self.prevoted.entry((height, round, block)).or_default().insert(validator);
        }
        if !honest {
            return;
        }
        if *self.votes.entry((node, height, round, kind)).or_insert(vote.block) != vote.block {
            let what = match kind {
                VoteKind::Prevote => "prevote",
                VoteKind::Precommit => "precommit",
            };
            self.found(Violation::Contradiction { node, height, round, what });
        }
        if let (VoteKind::Prevote, Some(block)) = (kind, vote.block) {
            self.check_lock(node, (height, round), block);
        }
    }

    /// Who precommitted a block may prevote another only where two thirds prevoted that one since
    /// (Buchman, Kwon, Milosevic 2018, algorithm 1, lines 22 and 28).
    fn check_lock(&mut self, node: usize, (height, round): (u64, u32), block: Hash32) {
        let before = (node, height, 0, VoteKind::Prevote)..(node, height, round, VoteKind::Prevote);
        let locked = self.votes.range(before).rev().find_map(|((_, _, at, kind), voted)| {
            let locked = (*voted).filter(|_| *kind == VoteKind::Precommit)?;
            Some((*at, locked))
        });
        let Some((since, _)) = locked.filter(|(_, locked)| *locked != block) else { return };
        let polka = (since..round).any(|at| {
            let voters = self.prevoted.get(&(height, at, block)).map_or(0, BTreeSet::len);
            3 * voters > 2 * VALIDATORS
        });
        if !polka {
            self.found(Violation::Unlocked { node, height, round });
        }
    }

    /// A node made a block final.
    pub fn decide(&mut self, node: usize, decided: &DecidedBlock) {
        let (height, hash) = (decided.height(), decided.block.header.hash());
        if *self.decided.entry(height).or_insert(hash) != hash {
            self.found(Violation::Fork { node, height });
        }
    }
}

/// Checks a whole chain of decided blocks: votes, links, states, balances, and that its entries are
/// the submitted ones, each once.
pub fn check_chain(
    world: &World,
    blocks: &[DecidedBlock],
    submitted: &[SignedEnvelope],
    honest: impl Fn(usize) -> bool,
) -> Result<Vec<Violation>, SetupError> {
    let mut chain = world.chain()?;
    let total = chain.state.total_nano_eur();
    let mut seen: Vec<&SignedEnvelope> = Vec::new();
    let mut found = Vec::new();
    for decided in blocks {
        let height = decided.height();
        match follow(&chain, decided) {
            Ok(next) => chain = next,
            Err(reason) => {
                found.push(Violation::Invalid { height, reason });
                return Ok(found);
            }
        }
        if chain.state.total_nano_eur() != total {
            found.push(Violation::Invalid { height, reason: "balances are not conserved".to_owned() });
        }
        let entries = decided.entries().map(|(_, entry)| entry);
        for (envelope, entry) in decided.block.entries.iter().zip(entries) {
            let known = matches!(entry, Entry::Evidence(_)) || submitted.contains(envelope);
            if !known || seen.contains(&envelope) {
                let reason = "an entry that nobody submitted, or twice".to_owned();
                found.push(Violation::Invalid { height, reason });
            }
            seen.push(envelope);
        }
    }
    let honest =
        (0..VALIDATORS).filter(|validator| honest(*validator)).map(|validator| world.name(validator));
    let slandered = honest.filter(|name| chain.state.voting().liars().contains_key(name));
    found.extend(slandered.map(|name| Violation::Slander { name: name.to_string() }));
    Ok(found)
}

fn follow(chain: &Chain, decided: &DecidedBlock) -> Result<Chain, String> {
    let Chain { tip, state, rules } = chain;
    rules.verifier.verify(decided).map_err(|e| e.to_string())?;
    let open = |envelope: &SignedEnvelope| rules.verifier.open_entry(envelope);
    let executed = execute_block(rules, tip, state, &decided.block, &open).map_err(|e| e.to_string())?;
    let Executed { state, rules, .. } = executed;
    Ok(Chain { tip: chain.tip.after(decided), state, rules })
}
