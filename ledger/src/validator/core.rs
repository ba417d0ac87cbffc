//! What a validator does about what it is told. Pure: time, messages and the log's content come in
//! as data; what must be written, sent and answered goes out, in the order it must happen.

mod behind;
mod event;
mod proposal;
mod summary;

pub use event::{Effect, Event, Now};

use super::candidates::Candidates;
use super::catch_up::CatchUp;
use super::download::Download;
use super::Timeouts;
use crate::block::vote::{ValidatorIndex, VoteCertificate};
use crate::block::{Block, DecidedBlock, MAX_ENTRY_BYTES};
use crate::consensus::message::{ConsensusMessage, Record, Statement};
use crate::consensus::{Agreement, AgreementError, Input, Output, Timer, TimerKind};
use crate::contracts::rules::Rules;
use crate::execute::{build_block, Executed, OpenedEntry, Tip};
use crate::follower::Summary;
use crate::mempool::Mempool;
use crate::state::State;
use crate::store::Chain;
use broker::rate::{Bucket, Rate};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;
use wire::message::{MessageRef, Verdict, MAX_TEXT_CHARS};
use wire::party::Id;

/// Statements kept for the height after the one being decided: a few rounds of everyone's.
const MAX_EARLY: usize = 256;

/// Entries accepted with an answer at once. Under more, signing answers would cost more than all the rest: who submits
/// sees the entry decided before it would ask again, or is answered then.
const ANSWERS: Rate = Rate { per_second: 200, burst: 200 };

/// A validator.
pub struct ValidatorCore {
    rules: Arc<Rules>,
    me: (Id, ValidatorIndex),
    agreement: Box<dyn Agreement + Send>,
    timeouts: Timeouts,
    tip: Tip,
    state: State,
    pool: Mempool,
    /// Whether the height after the tip has begun. It does when there is something to decide.
    begun: bool,
    candidates: Candidates,
    /// A round in which we should propose and had nothing to.
    wanted: Option<u32>,
    timers: BTreeMap<Timer, u64>,
    early: VecDeque<(Statement, Option<ByteBuf>)>,
    catch_up: CatchUp,
    /// What is told to those who ask what is governed.
    summary: Option<Arc<Summary>>,
    download: Download,
    /// Who was asked last.
    asked: Option<ValidatorIndex>,
    answered: Bucket,
    effects: Vec<Effect>,
}

impl ValidatorCore {
    /// Validator `me`, on a chain as its store has it.
    pub fn new(
        me: (Id, ValidatorIndex),
        agreement: Box<dyn Agreement + Send>,
        timeouts: Timeouts,
        chain: Chain,
    ) -> Self {
        let validators = chain.rules.verifier.validators().len() as ValidatorIndex;
        let catch_up = CatchUp::new(me.1, validators, timeouts.catch_up_ms);
        Self {
            rules: chain.rules,
            me,
            agreement,
            timeouts,
            tip: chain.tip,
            state: chain.state,
            pool: Mempool::default(),
            begun: false,
            candidates: Candidates::default(),
            wanted: None,
            timers: BTreeMap::new(),
            early: VecDeque::new(),
            catch_up,
            summary: None,
            download: Download::default(),
            asked: None,
            answered: Bucket::default(),
            effects: Vec::new(),
        }
    }

    /// Which validator it is.
    pub fn name(&self) -> &Id {
        &self.me.0
    }

    /// The last block decided.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The state after it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The rules after it.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// When [`Event::Poll`] is due, in milliseconds of real time.
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.values().copied().chain(self.catch_up.next_deadline()).min()
    }

    /// One step.
    ///
    /// # Errors
    /// Where going on could mean voting twice: stop.
    pub fn step(&mut self, now: Now, event: Event) -> Result<Vec<Effect>, AgreementError> {
        match event {
            Event::Started { records, decided } => self.started(now, records, &decided)?,
            Event::Submit { id, opened } => self.submitted(now, id, *opened)?,
            Event::Consensus { sender, bytes } => self.consensus(now, &sender, &bytes)?,
            Event::Block { bytes } => self.decided_block(now, &bytes)?,
            Event::Question { by, known } => self.asked(now, by, &known),
            Event::Poll => self.poll(now)?,
        }
        Ok(std::mem::take(&mut self.effects))
    }

    fn started(
        &mut self,
        now: Now,
        records: Vec<Record>,
        decided: &[SignedEnvelope],
    ) -> Result<(), AgreementError> {
        self.pool.decided(decided.iter());
        // One question, answered only if somebody is ahead of us.
        let peers = self.rules.verifier.validators().len() as ValidatorIndex;
        if peers > 1 {
            self.ask((self.me.1 + 1) % peers);
        }
        if records.is_empty() {
            return Ok(());
        }
        for record in &records {
            if let Record::Bytes(bytes) = record {
                if let Ok(block) = Block::decode(bytes) {
                    let executed = self.execute(&block).ok();
                    self.candidates.insert(0, block, bytes.clone(), executed);
                }
            }
        }
        self.begin(now, records)
    }

    fn submitted(&mut self, now: Now, id: MessageRef, opened: OpenedEntry) -> Result<(), AgreementError> {
        let size = opened.envelope.topic.len() + opened.envelope.bytes.len();
        if size > MAX_ENTRY_BYTES {
            self.refuse(id, "too-large", format!("an entry of {size} bytes is too large"));
            return Ok(());
        }
        let at = self.tip.next(now.wall_ms);
        match self.pool.insert(&self.rules, (&self.state, at), opened, now.real_ms) {
            Ok(()) if self.answered.take(ANSWERS, 1, now.real_ms) => {
                self.effects.push(Effect::Acknowledge { of: id, verdict: Verdict::Accepted })
            }
            Ok(()) => self.effects.push(Effect::AcceptWhenAsked { of: id }),
            Err(error) => {
                self.refuse(id, error.reason(), error.to_string());
                return Ok(());
            }
        }
        if !self.begun {
            return self.begin_if_needed(now);
        }
        match self.wanted {
            Some(round) if self.agreement.round() == Some(round) => match self.build(now, round) {
                Some(input) => self.run(now, input),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn refuse(&mut self, of: MessageRef, reason: &'static str, text: String) {
        let text = text.chars().take(MAX_TEXT_CHARS).collect();
        self.effects.push(Effect::Acknowledge { of, verdict: Verdict::Refused(text) });
        self.effects.push(Effect::Refused { reason });
    }

    fn consensus(&mut self, now: Now, sender: &Id, bytes: &[u8]) -> Result<(), AgreementError> {
        if *sender == self.me.0 {
            // Agreement hears its own voice before it is published.
            return Ok(());
        }
        let by = self.rules.verifier.index_of(sender);
        match ConsensusMessage::decode(bytes) {
            Ok(ConsensusMessage::Statement { statement, block }) => self.heard(now, statement, block),
            Ok(ConsensusMessage::Decided(blocks)) => self.decided_blocks(now, &blocks, by),
            Ok(ConsensusMessage::Pruned { lowest, tip }) => {
                self.pruned(now, (lowest, tip), by);
                Ok(())
            }
            Ok(ConsensusMessage::SnapshotRequest { part, of }) => {
                if of == self.me.1 {
                    self.snapshot_requested(now, part);
                }
                Ok(())
            }
            Ok(ConsensusMessage::Manifest(bytes)) => {
                self.manifest_offered(&bytes, by);
                Ok(())
            }
            Ok(ConsensusMessage::Chunk { height, index, bytes }) => {
                self.snapshot_chunk(now, (height, index), &bytes, by)
            }
            Ok(ConsensusMessage::Request { height, of }) => {
                let mine = of == self.me.1 && (1..=self.tip.height).contains(&height);
                if mine && self.catch_up.may_answer(now.real_ms) {
                    self.effects.push(Effect::SendDecided { height });
                }
                Ok(())
            }
            Err(error) => {
                self.note("malformed", format!("a consensus message of validator {sender}: {error}"));
                Ok(())
            }
        }
    }

    /// A statement about some height: ours, the next, or one that shows we are behind.
    fn heard(
        &mut self,
        now: Now,
        statement: Statement,
        block: Option<ByteBuf>,
    ) -> Result<(), AgreementError> {
        let (height, current) = (statement.height(), self.tip.height + 1);
        if height < current {
            return Ok(());
        }
        if height > current {
            self.catch_up.decided_elsewhere(height - 1, self.tip.height, now.real_ms);
            if height == current + 1 && self.early.len() < MAX_EARLY {
                self.early.push_back((statement, block));
            }
            return Ok(());
        }
        if !self.begun {
            self.begin(now, Vec::new())?;
        }
        let input = match statement {
            Statement::Proposal(proposal) => match self.proposed(now, &proposal, block) {
                Ok(valid) => Input::Proposal { proposal, valid },
                Err(reason) => {
                    self.note("bad-proposal", reason);
                    return Ok(());
                }
            },
            Statement::Vote(vote) => Input::Vote(vote),
            Statement::Polka(polka) => Input::Polka(polka),
            Statement::Round(round) => Input::Round(round),
        };
        self.run(now, input)
    }

    /// A decided block from outside, believed for its votes.
    fn decided_block(&mut self, now: Now, bytes: &[u8]) -> Result<(), AgreementError> {
        let decided = match DecidedBlock::decode(bytes) {
            Ok(decided) => decided,
            Err(error) => {
                self.note("malformed", error.to_string());
                return Ok(());
            }
        };
        let height = decided.height();
        if height <= self.tip.height {
            return Ok(());
        }
        self.catch_up.decided_elsewhere(height, self.tip.height, now.real_ms);
        if height > self.tip.height + 1 {
            return Ok(());
        }
        if let Err(error) = self.rules.verifier.verify(&decided) {
            self.note("bad-block", error.to_string());
            return Ok(());
        }
        let known = self.candidates.remove(&decided.block.header.hash()).and_then(|known| known.executed);
        let executed = match known.map_or_else(|| self.execute(&decided.block), Ok) {
            Ok(executed) => executed,
            Err(error) => {
                self.note("bad-block", error);
                return Ok(());
            }
        };
        self.commit(now, decided, executed);
        self.go_on(now)
    }

    fn poll(&mut self, now: Now) -> Result<(), AgreementError> {
        let due: Vec<Timer> =
            self.timers.iter().filter(|(_, at)| **at <= now.real_ms).map(|(timer, _)| *timer).collect();
        let stalled = due.iter().any(|timer| timer.kind == TimerKind::Rebroadcast);
        for timer in due {
            // An earlier one's consequences may have stopped this one.
            if self.timers.get(&timer).is_some_and(|at| *at <= now.real_ms) {
                self.timers.remove(&timer);
                self.run(now, Input::TimeUp(timer))?;
            }
        }
        // Where nothing moves, the others may have decided, and nobody says it a second time.
        let anyway = if stalled { self.catch_up.ask_anyway() } else { None };
        if let Some(of) = self.catch_up.ask(self.tip.height, now.real_ms).or(anyway) {
            self.ask(of);
        }
        Ok(())
    }

    fn begin_if_needed(&mut self, now: Now) -> Result<(), AgreementError> {
        if !self.begun && self.pool.has_ready() {
            self.begin(now, Vec::new())?;
        }
        Ok(())
    }

    fn begin(&mut self, now: Now, records: Vec<Record>) -> Result<(), AgreementError> {
        self.begun = true;
        self.run(now, Input::Start { height: self.tip.height + 1, records })
    }

    /// Feeds agreement and does what it wants done, until it wants nothing more.
    fn run(&mut self, now: Now, input: Input) -> Result<(), AgreementError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut decision = None;
            for output in self.agreement.step(input)? {
                match output {
                    Output::NeedBlock { round } => inputs.extend(self.build(now, round)),
                    Output::Decided { block, certificate } => decision = Some((block, certificate)),
                    other => self.perform(now, other),
                }
            }
            if let Some((block, certificate)) = decision {
                self.decide(now, &block, certificate);
                return self.go_on(now);
            }
        }
        Ok(())
    }

    fn perform(&mut self, now: Now, output: Output) {
        match output {
            Output::Record(record) => self.record(&record),
            Output::Publish(statement) => {
                let block = match &statement {
                    Statement::Proposal(signed) => {
                        self.candidates.get(&signed.proposal.block).map(|known| known.bytes.clone())
                    }
                    _ => None,
                };
                self.publish(&ConsensusMessage::Statement { statement, block });
            }
            Output::Schedule(timer) => {
                self.timers.insert(timer, now.real_ms.saturating_add(self.timeouts.of(timer)));
            }
            Output::Cancel(timer) => {
                self.timers.remove(&timer);
            }
            Output::CancelAll => self.timers.clear(),
            Output::Equivocation { validator } => {
                let name = self.rules.verifier.validators().get(usize::from(validator));
                let name = name.map_or_else(String::new, |(id, _)| id.to_string());
                self.note("equivocation", format!("validator {name} said two different things in one round"));
            }
            Output::Dropped { reason } => self.note("dropped", reason),
            // Handled where outputs are taken.
            Output::NeedBlock { .. } | Output::Decided { .. } => {}
        }
    }

    /// Builds our block for a round, if there is anything to put into one.
    fn build(&mut self, now: Now, round: u32) -> Option<Input> {
        self.wanted = Some(round);
        let by = (&self.me.0, now.wall_ms);
        let (block, executed) = build_block(&self.rules, &self.tip, &self.state, by, self.pool.waiting())?;
        let hash = block.header.hash();
        let bytes = match block.encode() {
            Ok(bytes) => ByteBuf::from(bytes),
            Err(error) => {
                self.note("bad-block", error.to_string());
                return None;
            }
        };
        self.record(&Record::Bytes(bytes.clone()));
        self.candidates.insert(round, block, bytes, Some(executed));
        self.wanted = None;
        Some(Input::Propose { round, block: hash })
    }

    fn decide(&mut self, now: Now, hash: &Hash32, certificate: VoteCertificate) {
        let candidate = self.candidates.remove(hash);
        let Some((block, executed)) = candidate.and_then(|known| Some((known.block, known.executed?))) else {
            // Two thirds decided what we hold for wrong or never saw: their block will tell.
            self.catch_up.decided_elsewhere(self.tip.height + 1, self.tip.height, now.real_ms);
            self.note("decided-unknown", format!("block {} was decided and is not known here", hash.short()));
            return;
        };
        let decided = DecidedBlock { block, certificate };
        match decided.encode() {
            Ok(bytes) => {
                self.commit(now, decided, executed);
                self.effects.push(Effect::Announce(bytes));
            }
            Err(error) => self.note("bad-block", error.to_string()),
        }
    }

    /// The height is decided: everything about it is over.
    fn commit(&mut self, now: Now, decided: DecidedBlock, executed: Executed) {
        self.tip = self.tip.after(&decided.block.header);
        let governed = self.rules.governed.clone();
        self.remember(&decided, &governed);
        let since = self.pool.decided(decided.block.entries.iter());
        let mut state = executed.state;
        self.effects.push(Effect::Commit { decided: Box::new(decided), state: Box::new(state.clone()) });
        for since_ms in since {
            self.effects.push(Effect::Final { after_ms: now.real_ms.saturating_sub(since_ms) });
        }
        state.forget_changes();
        self.state = state;
        self.rules = executed.rules;
        self.begin_anew(now);
    }

    /// The chain stands elsewhere: everything about the height that was being decided is over.
    fn begin_anew(&mut self, now: Now) {
        let at = self.tip.next(now.wall_ms);
        for (submitter, refusal) in self.pool.refresh(&self.rules, &self.state, at) {
            self.effects.push(Effect::Refused { reason: refusal.reason() });
            self.note("refused", format!("an entry of {submitter}: {refusal}"));
        }
        self.begun = false;
        self.wanted = None;
        self.candidates.clear();
        self.timers.clear();
        self.catch_up.reached(self.tip.height, now.real_ms);
        self.download.reached(self.tip.height);
    }

    /// After a decision: what was said early about the next height, and what waits for a block.
    fn go_on(&mut self, now: Now) -> Result<(), AgreementError> {
        for (statement, block) in std::mem::take(&mut self.early) {
            self.heard(now, statement, block)?;
        }
        self.begin_if_needed(now)
    }

    fn record(&mut self, record: &Record) {
        let height = self.tip.height + 1;
        match record.encode() {
            Ok(bytes) => self.effects.push(Effect::Record { height, bytes }),
            Err(error) => self.note("unencodable", error.to_string()),
        }
    }

    fn publish(&mut self, message: &ConsensusMessage) {
        match message.encode() {
            Ok(bytes) => self.effects.push(Effect::Publish(bytes)),
            Err(error) => self.note("unencodable", error.to_string()),
        }
    }

    fn note(&mut self, event: &'static str, text: String) {
        self.effects.push(Effect::Note { event, text });
    }
}
