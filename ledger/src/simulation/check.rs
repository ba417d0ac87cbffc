//! What must hold in every run, and what was found not to.

use super::bug::Bug;
use super::course::Course;
use super::fault::{Fault, VALIDATORS};
use super::judge::Judge;
use super::world::World;
use super::SetupError;
use crate::block::vote::{VoteCertificate, VoteKind};
use crate::block::{DecidedBlock, Header};
use crate::consensus::message::{ConsensusMessage, Statement};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use thiserror::Error;
use wire::entry::SignedEnvelope;
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
    #[error("node {node} came back at height {found}, and had made height {had} final")]
    Lost {
        /// Which node.
        node: usize,
        /// Height it came back at.
        found: u64,
        /// Height it had told of.
        had: u64,
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
    /// An honest process voted at a height at which it was no validator.
    #[error("node {node} votes at height {height}, where it is no validator")]
    Unentitled {
        /// Which node.
        node: usize,
        /// Height.
        height: u64,
    },
    /// An honest validator stands on the ledger as a liar.
    #[error("the ledger calls validator {name} a liar, and it is none")]
    Slander {
        /// Its name.
        name: String,
    },
    /// Not everyone honest was done in time.
    #[error("progress: heights {done_at:?}, and not everything decided, {after_ms} ms after the start")]
    Stalled {
        /// Height of each node.
        done_at: Vec<u64>,
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
    /// What happened besides.
    pub course: Course,
    /// Which part was broken by intent.
    pub bug: Option<Bug>,
    /// What happened, the first first.
    pub violations: Vec<Violation>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}, fault {}, course {}:", self.seed, self.fault, self.course)?;
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
    /// The block decided at each height, by whatever honest node came first.
    decided: BTreeMap<u64, Hash32>,
    /// The same blocks, and whether it was somebody honest who decided them: liars' stand here until then.
    chain: BTreeMap<u64, (bool, DecidedBlock)>,
    /// Every certificate with which an honest node went on from a block of a height.
    certificates: BTreeMap<u64, Vec<VoteCertificate>>,
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
    /// (Buchman, Kwon, Milosevic 2018, algorithm 1, lines 22 and 28). Counted as among those the run began with:
    /// there are never fewer.
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
    pub fn decide(&mut self, node: usize, is_honest: bool, decided: &DecidedBlock) {
        if is_honest {
            self.go_on(node, &decided.block.header, &decided.certificate);
        }
        match self.chain.get(&decided.height()) {
            Some((by_honest, _)) if *by_honest || !is_honest => {}
            _ => {
                self.chain.insert(decided.height(), (is_honest, decided.clone()));
            }
        }
    }

    /// An honest node goes on from a block that it decided, or had a snapshot of, with these votes.
    pub fn go_on(&mut self, node: usize, header: &Header, certificate: &VoteCertificate) {
        let (height, hash) = (header.height, header.hash());
        if *self.decided.entry(height).or_insert(hash) != hash {
            self.found(Violation::Fork { node, height });
        }
        let certificates = self.certificates.entry(height).or_default();
        if !certificates.contains(certificate) {
            certificates.push(certificate.clone());
        }
    }

    /// Checks everything final from the genesis on: votes, links, states, balances, that its entries are the
    /// submitted ones, each once, that validators change where it was decided, and vote where they are any.
    pub fn judge(
        &mut self,
        world: &World,
        submitted: &[SignedEnvelope],
        validators: &[usize],
        is_honest: impl Fn(usize) -> bool,
    ) -> Result<(), SetupError> {
        let judge = Judge::new(world, submitted, world.chain()?);
        let Judge { chain, mut found, .. } = self.follow(judge, validators);
        let honest = (0..world.validators.len()).filter(|validator| is_honest(*validator));
        let slandered = honest.map(|validator| world.name(validator));
        let slandered = slandered.filter(|name| chain.state.voting().liars().contains_key(name));
        found.extend(slandered.map(|name| Violation::Slander { name: name.to_string() }));
        self.violations.extend(found);
        Ok(())
    }

    /// Follows the chain as far as it holds.
    fn follow<'a>(&self, mut judge: Judge<'a>, validators: &[usize]) -> Judge<'a> {
        let top = self.decided.last_key_value().map_or(0, |(height, _)| *height);
        for height in 1..=top {
            let voters: Vec<usize> = self.voters(height).collect();
            let verifier = judge.chain.rules.verifier.clone();
            let is_one = |node: &usize| verifier.index_of(judge.world.name(validators[*node])).is_some();
            let strangers = voters.into_iter().filter(|node| !is_one(node));
            judge.found.extend(strangers.map(|node| Violation::Unentitled { node, height }));
            let hash = self.decided.get(&height);
            let reason = match self.chain.get(&height) {
                None => Err("an honest node goes on from it, and nobody decided it".to_owned()),
                Some((_, known)) if hash.is_some_and(|hash| *hash != known.block.header.hash()) => {
                    Err("an honest node goes on from another block than was decided".to_owned())
                }
                Some((_, known)) => {
                    judge.follow(known, self.certificates.get(&height).map_or(&[], Vec::as_slice))
                }
            };
            if let Err(reason) = reason {
                judge.found.push(Violation::Invalid { height, reason });
                break;
            }
        }
        judge
    }

    /// Honest nodes that voted at a height.
    fn voters(&self, height: u64) -> impl Iterator<Item = usize> + '_ {
        let nodes: BTreeSet<usize> = self.votes.keys().map(|(node, ..)| *node).collect();
        nodes.into_iter().filter(move |node| {
            let at = (*node, height, 0, VoteKind::Prevote)..=(*node, height, u32::MAX, VoteKind::Precommit);
            self.votes.range(at).next().is_some()
        })
    }
}
