//! Four validators that agree at once: what they decide is the ledger's own contracts' business, and their
//! votes are real. How validators come to agree is tested in the ledger.

use crate::world;
use agents::core::{Effect, Input, Now};
use ledger::block::vote::{Vote, VoteCertificate, VoteKind};
use ledger::block::{entries_root, Block, DecidedBlock, Header};
use ledger::contracts::rules::Rules;
use ledger::execute::{build_block, OpenedEntry, Tip};
use ledger::genesis::Genesis;
use ledger::state::State;
use market::interval::{Interval, UnixSeconds};
use serde_bytes::ByteBuf;
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use wire::entry::{Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::message::{BlockQuestion, Body, Decision, Verdict};
use wire::party::{PartyId, Role};

use crate::party::Play;

/// What the four have in common.
pub struct Assembly {
    rules: Arc<Rules>,
    pub state: State,
    tip: Tip,
    signers: Vec<wire::envelope::Signer>,
    /// Entries heard, and by how many of the four.
    waiting: Vec<(SignedEnvelope, Vec<PartyId>)>,
    pub decided: Vec<DecidedBlock>,
}

impl Assembly {
    pub fn new(genesis: &Genesis) -> Rc<RefCell<Self>> {
        let rules = Arc::new(Rules::new(genesis).unwrap());
        let ids = rules.verifier.validators().iter().map(|(id, _)| id.clone());
        Rc::new(RefCell::new(Self {
            signers: ids.map(|id| world::signer(&PartyId::new(Role::Validator, id))).collect(),
            state: State::genesis(genesis).unwrap(),
            tip: Tip::genesis(*rules.verifier.ledger()),
            rules,
            waiting: Vec::new(),
            decided: Vec::new(),
        }))
    }

    fn hear(&mut self, by: &PartyId, raw: &SignedEnvelope) {
        match self.waiting.iter_mut().find(|(known, _)| known == raw) {
            Some((_, heard)) if heard.contains(by) => {}
            Some((_, heard)) => heard.push(by.clone()),
            None => self.waiting.push((raw.clone(), vec![by.clone()])),
        }
    }

    /// Decides on an entry that all have heard, as `by` submits it.
    pub fn enact(&mut self, by: &PartyId, entry: Entry) {
        let raw = world::signer(by).sign(None, world::FIRST, 1, 2, &Body::Submit(entry)).unwrap().raw;
        let all: Vec<PartyId> = self.signers.iter().map(|signer| signer.party().clone()).collect();
        let height = self.tip.height;
        all.iter().for_each(|validator| self.hear(validator, &raw));
        self.decide();
        assert_eq!(self.tip.height, height + 1, "it fits");
    }

    /// Height of the last block.
    pub fn height(&self) -> u64 {
        self.tip.height
    }

    /// Decides on what three of the four have heard.
    fn decide(&mut self) {
        let (known, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(|(_, h)| h.len() >= 3);
        self.waiting = waiting;
        let known: Vec<(SignedEnvelope, Vec<PartyId>)> = known;
        let opened: Vec<OpenedEntry> = known
            .into_iter()
            .map(|(envelope, _)| {
                let (submitter, entry) = self.rules.verifier.open_entry(&envelope).unwrap();
                OpenedEntry { envelope, submitter, entry, epoch: 0 }
            })
            .collect();
        let proposer = self.signers[0].party().id.clone();
        let time_ms = self.tip.time_ms + 1;
        let built = build_block(&self.rules, &self.tip, &self.state, (&proposer, time_ms), opened.iter());
        if let Some((block, executed)) = built {
            self.state = executed.state;
            let decided = self.vote(block);
            self.rules.verifier.verify(&decided).unwrap();
            self.tip = self.tip.after(&decided);
            self.rules = executed.rules;
            self.decided.push(decided);
        }
    }

    fn vote(&self, block: Block) -> DecidedBlock {
        let (height, name) = (block.header.height, Some(block.header.hash()));
        let vote = |validator| Vote { kind: VoteKind::Precommit, height, round: 0, block: name, validator };
        let ledger = self.rules.verifier.ledger();
        let signatures =
            (0..).zip(&self.signers).map(|(index, signer)| (index, vote(index).sign(ledger, &signer.key())));
        DecidedBlock { certificate: VoteCertificate { round: 0, signatures: signatures.collect() }, block }
    }
}

fn tell(block: &DecidedBlock, recipient: Option<PartyId>) -> Effect<Infallible> {
    let body = Body::Block(ByteBuf::from(block.encode().unwrap()));
    let interval = Interval(UnixSeconds(0));
    Effect::Send { body, interval, recipient, acknowledged_by: Vec::new(), tag: 0 }
}

fn answers(block: &DecidedBlock, asker: &PartyId, question: &BlockQuestion) -> bool {
    block.entries().any(|(by, entry)| match (question.decided, entry) {
        (Decision::Clearing, Entry::Clearing(clearing)) => clearing.interval == question.interval,
        (Decision::DayAhead, Entry::DayAhead(session)) => session.session == question.interval,
        (Decision::Delivery, Entry::Delivery(delivery)) => {
            by == *asker && delivery.interval == question.interval
        }
        _ => false,
    })
}

/// One of the four, as the network sees it.
pub struct Validator {
    pub party: PartyId,
    pub assembly: Rc<RefCell<Assembly>>,
    pub told: usize,
}

impl Play for Validator {
    fn step(&mut self, _: Now, input: Input<Infallible>) -> Vec<Effect<Infallible>> {
        let mut assembly = self.assembly.borrow_mut();
        let mut effects = Vec::new();
        if let Input::Message(message) = input {
            match message.body {
                Body::Submit(_) => {
                    assembly.hear(&self.party, &message.raw);
                    effects.push(Effect::Acknowledge { of: message.id, verdict: Verdict::Accepted });
                    assembly.decide();
                }
                Body::BlockQuestion(question) => {
                    let by = message.id.sender;
                    let decided = assembly.decided.iter().find(|block| answers(block, &by, &question));
                    effects.extend(decided.map(|block| tell(block, Some(by))));
                }
                _ => {}
            }
        }
        effects.extend(assembly.decided[self.told..].iter().map(|block| tell(block, None)));
        self.told = assembly.decided.len();
        effects
    }
}

/// A block with one entry by the DSO, voted for by all four, as if the contracts had allowed it.
pub fn decide_alone(genesis: &Genesis, entry: Entry) -> DecidedBlock {
    decide_alone_by(genesis, &world::party(Role::Dso, "d"), entry)
}

/// The same of an entry by somebody.
pub fn decide_alone_by(genesis: &Genesis, by: &PartyId, entry: Entry) -> DecidedBlock {
    let assembly = Assembly::new(genesis);
    let assembly = assembly.borrow();
    let sealed = world::signer(by).sign(None, world::FIRST, 1, 2, &Body::Submit(entry)).unwrap();
    let entries = vec![sealed.raw];
    let header = Header {
        height: 1,
        previous: assembly.tip.hash,
        time_ms: 1,
        entries_root: entries_root(&entries),
        receipts_root: Hash32([3; 32]),
        history_root: assembly.tip.history().root(),
        state_hash: assembly.state.hash(),
        previous_votes: Hash32::default(),
        governed: *assembly.rules.verifier.governed(),
        next_validators: assembly.rules.verifier.roster().hash(),
        proposer: assembly.signers[0].party().id.clone(),
    };
    assembly.vote(Block { header, previous_votes: None, entries })
}
