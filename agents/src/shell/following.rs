//! What a shell does so that its role is believed and believes the right ones while keys change: it goes by the
//! registry of the chain its core follows, or follows the chain itself where the core has no use for it.

use crate::chain::Chain;
use crate::core::RoleCore;
use crate::witness::Found;
use ledger::contracts::rules::Rules;
use ledger::double_clearing::Statement;
use market::interval::{Interval, UnixSeconds};
use std::sync::Arc;
use wire::entry::DoubleClearingEntry;
use wire::envelope::{KeyChange, Opened, Signer};
use wire::message::{Body, RegistryQuestion};
use wire::party::{PartyId, Registry, Role};

/// Least time between two questions, in milliseconds.
const ASK_EVERY_MS: u64 = 5_000;

/// The chain of a role whose core follows none, and the registry gone by so far.
pub(super) struct Following {
    own: Option<Chain>,
    known: Arc<Registry>,
    rules: Arc<Rules>,
    heard: Vec<PartyId>,
    ask_from_ms: u64,
}

/// What a shell is to do.
pub(super) enum Step {
    /// Go by this registry.
    Registry(Arc<Registry>),
    /// Hear these validators' blocks.
    Listen(Vec<PartyId>),
    /// Tell those who watch DSOs of this, and have it recorded.
    Accuse(Box<DoubleClearingEntry>),
    /// Keep this proof, under this name.
    Keep(String, Box<DoubleClearingEntry>),
    /// Tell the operator: a word for metrics, and in words.
    Note(&'static str, String),
}

impl Following {
    /// For a core; `own` is used where the core follows no chain.
    pub fn new<C: RoleCore>(core: &mut C, own: Chain) -> Self {
        let (own, rules) = match core.chain() {
            Some(chain) => (None, chain.rules().clone()),
            None => (Some(own.clone()), own.rules().clone()),
        };
        let known = rules.verifier.registry().clone();
        Self { own, known, rules, heard: core.hears(), ask_from_ms: 0 }
    }

    /// The registry gone by.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.known
    }

    /// The validators by the rules gone by.
    pub fn validators(&self) -> Vec<PartyId> {
        let names = self.rules.verifier.validators().iter();
        names.map(|(name, _)| PartyId::new(Role::Validator, name.clone())).collect()
    }

    /// Validators whose blocks the core hears, where these are not all.
    pub fn heard(&self) -> &[PartyId] {
        &self.heard
    }

    /// The interval that holds this time.
    pub fn interval_at(&self, now: UnixSeconds) -> Interval {
        self.rules.parameters.interval_at(now)
    }

    /// Whether blocks were seen that can't be checked yet.
    pub fn is_behind<C: RoleCore>(&mut self, core: &mut C) -> bool {
        core.chain().or(self.own.as_mut()).is_some_and(|chain| chain.is_behind())
    }

    /// Whether blocks come here and not to the core.
    pub fn takes_blocks(&self) -> bool {
        self.own.is_some()
    }

    /// A block, where they come here.
    pub fn take_block(&mut self, bytes: &[u8]) -> Option<Step> {
        let error = self.own.as_mut()?.take(bytes).err()?;
        Some(Step::Note("bad-block", error.to_string()))
    }

    /// A validator's word for what is governed.
    pub fn take_summary<C: RoleCore>(&mut self, core: &mut C, bytes: &[u8]) -> Option<Step> {
        let chain = core.chain().or(self.own.as_mut())?;
        let error = chain.take_summary(bytes).err()?;
        Some(Step::Note("bad-summary", error.to_string()))
    }

    /// Watches a message of a DSO.
    pub fn witness<C: RoleCore>(&mut self, core: &mut C, opened: &Opened) {
        if let Some(chain) = core.chain().or(self.own.as_mut()) {
            chain.witness(opened);
        }
    }

    /// Somebody's proof against a DSO.
    pub fn told<C: RoleCore>(&mut self, core: &mut C, proof: &DoubleClearingEntry) {
        if let Some(chain) = core.chain().or(self.own.as_mut()) {
            chain.told(proof);
        }
    }

    /// What is to be done about what was found of DSOs.
    fn found(chain: &mut Chain) -> Vec<Step> {
        let steps = chain.take_found().into_iter().map(|found| match found {
            Found::Seen(statement, proof) => vec![
                Step::Note("double-clearing", statement.to_string()),
                Step::Keep(file_name(&statement), proof.clone()),
                Step::Accuse(proof),
            ],
            Found::Told(statement, proof) => vec![
                Step::Note("double-clearing-told", statement.to_string()),
                Step::Keep(file_name(&statement), proof),
            ],
            Found::Recorded(statement, proof) => vec![
                Step::Note("double-clearing-recorded", format!("on the ledger: {statement}")),
                Step::Keep(file_name(&statement), proof),
            ],
            Found::Unproven(why) => vec![Step::Note("bad-proof", why)],
        });
        steps.flatten().collect()
    }

    /// The question that is due: at every connection, and where blocks can't be checked.
    pub fn ask<C: RoleCore>(&mut self, core: &mut C, connected: bool, now_ms: u64) -> Option<Body> {
        let chain = core.chain().or(self.own.as_mut())?;
        if now_ms < self.ask_from_ms || !(connected || chain.is_behind()) {
            return None;
        }
        self.ask_from_ms = now_ms.saturating_add(ASK_EVERY_MS);
        Some(Body::RegistryQuestion(RegistryQuestion { known: chain.governed() }))
    }

    /// Looks at rules and registry again after something came in.
    pub fn look<C: RoleCore>(&mut self, core: &mut C, signer: &Signer) -> Vec<Step> {
        let Some(chain) = core.chain().or(self.own.as_mut()) else { return Vec::new() };
        let mut steps = Self::found(chain);
        if Arc::ptr_eq(chain.rules(), &self.rules) {
            return steps;
        }
        self.rules = chain.rules().clone();
        core.govern(&self.rules);
        self.known = self.rules.verifier.registry().clone();
        steps.push(Step::Registry(self.known.clone()));
        let heard = core.hears();
        if heard != self.heard {
            self.heard = heard;
            steps.push(Step::Listen(self.heard.clone()));
        }
        let note = |event, text: &str| Step::Note(event, text.to_owned());
        match self.known.get(signer.party()).map(|me| signer.follow(me)) {
            Some(KeyChange::None) => {}
            Some(KeyChange::Rotated) => {
                steps.push(note("key-rotated", "signing with the new key from now on"))
            }
            Some(KeyChange::Foreign) => {
                steps.push(note(
                    "key-foreign",
                    "the registry has another key: what we say is believed by nobody",
                ));
            }
            None => steps.push(note("unregistered", "the registry has us no more")),
        }
        steps
    }
}

/// Under which a proof is kept: `dso-KIND-START.cbor`.
fn file_name(statement: &Statement) -> String {
    let kind = statement.kind.words().replace(' ', "-");
    format!("{}-{kind}-{}.cbor", statement.dso, statement.interval.start().0)
}
