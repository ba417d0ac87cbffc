//! Who runs the market in a run that is not plain: pays one transfer after the other, and has a validator come
//! in, go or change its key, by the entries that a real operator would submit. Sees what an honest validator has
//! decided, and says again what is not decided yet.

use super::course::Course;
use super::fault::VALIDATORS;
use super::hasty::Plans;
use super::world::{World, NEWCOMER, ROTATING};
use super::SetupError;
use crate::block::validators::ValidatorSet;
use crate::execute::OpenedEntry;
use crate::governed::Governed;
use crate::validator::core::ValidatorCore;
use rand::rngs::SmallRng;
use rand::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError};
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry};
use wire::entry::registry::ParticipantEntry;
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::party::Id;

/// How often it looks at the ledger, in milliseconds.
pub const LOOKS_EVERY_MS: u64 = 400;
/// When it says again what is not decided yet, in milliseconds.
const AGAIN_MS: u64 = 1_500;
/// Transfers at least, so that there is something to prune.
const FEW_TRANSFERS: u64 = 8;
/// Transfers after the last change, so that whoever votes then has to.
const TRANSFERS_AFTER: u64 = 2;

/// One change of who votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// By vote: the newcomer comes in, or this validator goes, or both.
    Vote { admit: bool, dismiss: Option<usize> },
    /// One validator changes its key.
    Rotate,
}

/// What was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Transfer(u64),
    Proposal(Hash32),
    Ballot(Hash32, usize),
    Rotation,
}

/// What is to be submitted, and by whom.
type Wanted = (Said, Arc<Signer>, Entry);

/// The operator.
#[derive(Debug)]
pub struct Operator {
    steps: VecDeque<Step>,
    proposed: Option<(Hash32, ProposalEntry)>,
    /// Everything submitted, with when it was last.
    said: BTreeMap<Said, (u64, Arc<OpenedEntry>)>,
    /// Transfers to be decided in the end.
    goal: u64,
    /// Changes that hold.
    changes: u64,
    /// Sets of validators proposed, by height.
    pub plans: Plans,
}

impl Operator {
    /// One for a course, who has at least so many transfers decided.
    pub fn new(course: Course, transfers: u64, random: &mut SmallRng) -> Self {
        let admit = Step::Vote { admit: true, dismiss: None };
        let steps: &[Step] = match random.random_range(0..4) {
            _ if !course.changes() => &[],
            0 => &[admit],
            1 => &[Step::Vote { admit: true, dismiss: Some(random.random_range(0..VALIDATORS)) }],
            2 => {
                let dismiss = Some(random.random_range(VALIDATORS - 1..=NEWCOMER));
                &[admit, Step::Vote { admit: false, dismiss }]
            }
            _ => &[Step::Rotate],
        };
        let goal = if course.prunes() { transfers.max(FEW_TRANSFERS) } else { transfers };
        Self {
            steps: steps.iter().copied().collect(),
            proposed: None,
            said: BTreeMap::new(),
            goal,
            changes: 0,
            plans: Plans::default(),
        }
    }

    /// Transfers that everyone must have in the end; none while changes are under way.
    pub fn goal(&self) -> Option<u64> {
        self.steps.is_empty().then_some(self.goal)
    }

    /// Changes that hold.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether the newcomer is to come in.
    pub fn admits(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Vote { admit: true, .. }))
    }

    /// Everything it ever submitted.
    pub fn submitted(&self) -> impl Iterator<Item = &Arc<OpenedEntry>> {
        self.said.values().map(|(_, opened)| opened)
    }

    /// What it submits, seeing the ledger as `core` has it. `willing` validators vote for what is proposed; while
    /// somebody is `away`, there is more to be decided.
    pub fn look(
        &mut self,
        (world, now_ms): (&World, u64),
        core: &ValidatorCore,
        (willing, away): (&dyn Fn(usize) -> bool, bool),
        random: &mut SmallRng,
    ) -> Result<Vec<Arc<OpenedEntry>>, SetupError> {
        let decided = world.decided(core.state());
        let mut wanted = Vec::new();
        if let Some(step) = self.steps.front().copied() {
            if holds(world, step, core) {
                self.steps.pop_front();
                self.proposed = None;
                self.changes += 1;
                self.goal = self.goal.max(decided + TRANSFERS_AFTER);
            } else {
                wanted = self.pursue(world, step, core, willing, random)?;
            }
        }
        if decided < self.goal || away || !self.steps.is_empty() {
            self.goal = self.goal.max(decided + 1);
            wanted.push((Said::Transfer(decided), world.payer.clone(), world.transfer_entry(decided, 5)));
        }
        let mut submitted = Vec::new();
        for (said, by, entry) in wanted {
            let known = self.said.get(&said).map(|(at_ms, opened)| (*at_ms, opened.clone()));
            let opened = match known {
                Some((at_ms, _)) if at_ms + AGAIN_MS > now_ms => continue,
                Some((_, opened)) => opened,
                None => Arc::new(world.submit(&by, entry)?),
            };
            self.said.insert(said, (now_ms, opened.clone()));
            submitted.push(opened);
        }
        Ok(submitted)
    }

    /// What a step takes that does not hold yet.
    fn pursue(
        &mut self,
        world: &World,
        step: Step,
        core: &ValidatorCore,
        willing: &dyn Fn(usize) -> bool,
        random: &mut SmallRng,
    ) -> Result<Vec<Wanted>, SetupError> {
        let Step::Vote { admit, dismiss } = step else {
            let entry = Entry::Participant(Box::new(ParticipantEntry::Rotate(world.rotation.clone())));
            return Ok(vec![(Said::Rotation, world.validators[ROTATING].clone(), entry)]);
        };
        let governed: &Governed = core.state().governed();
        let is_member = |validator: &usize| governed.validators.contains(world.name(*validator));
        let voters: Vec<usize> = (0..=NEWCOMER).filter(is_member).filter(|v| willing(*v)).collect();
        let (tip, proposed) = (core.tip().height, self.proposed.clone());
        if let Some((id, entry)) = proposed.filter(|(_, entry)| entry.at_height > tip + 1) {
            let Some(pending) = governed.proposals.iter().find(|pending| pending.id == id) else {
                return Ok(propose(world, &voters, (id, entry)));
            };
            let silent = voters.iter().filter(|voter| !pending.ballots.contains_key(world.name(**voter)));
            let ballot = |voter: &usize| {
                let entry = Entry::Ballot(BallotEntry { proposal: id, approve: true });
                (Said::Ballot(id, *voter), world.validators[*voter].clone(), entry)
            };
            return Ok(silent.map(ballot).collect());
        }
        // The first, or the one before lapsed.
        let at_height = tip + random.random_range(4..8);
        let admitted = admit.then(|| world.newcomer.clone());
        let dismissed = dismiss.map(|validator| world.name(validator).clone());
        self.plan(core, at_height, world, (admit, dismiss));
        let change = GovernedChange::Validators {
            admit: admitted.into_iter().collect(),
            dismiss: dismissed.into_iter().collect(),
        };
        let entry = ProposalEntry { at_height, change };
        let id = entry.id()?;
        self.proposed = Some((id, entry.clone()));
        Ok(propose(world, &voters, (id, entry)))
    }

    /// Notes whose votes would decide from a height on.
    fn plan(
        &self,
        core: &ValidatorCore,
        at_height: u64,
        world: &World,
        (admit, dismiss): (bool, Option<usize>),
    ) {
        let newcomer = admit.then(|| (world.name(NEWCOMER).clone(), world.validators[NEWCOMER].public_key()));
        let stays = |name: &Id| dismiss.is_none_or(|dismissed| world.name(dismissed) != name);
        let members = core.rules().verifier.validators().iter().filter(|(name, _)| stays(name)).cloned();
        let set = ValidatorSet::new(members.chain(newcomer).collect());
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(at_height, set);
    }
}

fn propose(world: &World, voters: &[usize], (id, entry): (Hash32, ProposalEntry)) -> Vec<Wanted> {
    let by = voters.first().map(|voter| world.validators[*voter].clone());
    by.map(|by| (Said::Proposal(id), by, Entry::Proposal(Box::new(entry)))).into_iter().collect()
}

/// Whether a step's change holds after the last block.
fn holds(world: &World, step: Step, core: &ValidatorCore) -> bool {
    let rules = core.rules();
    let votes = |validator: usize| rules.governed.validators.contains(world.name(validator));
    match step {
        Step::Vote { admit, dismiss } => {
            (!admit || votes(NEWCOMER)) && dismiss.is_none_or(|validator| !votes(validator))
        }
        Step::Rotate => {
            let party = world.validators[ROTATING].party();
            let known = rules.verifier.registry().get(party);
            known.is_some_and(|participant| participant.key == world.rotation.key)
        }
    }
}
