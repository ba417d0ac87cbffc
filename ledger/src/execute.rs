//! Executes blocks on states. Validators, the auditor and a store that rebuilds its index all come
//! through here, so they can't disagree on what a block does.

use crate::block::validators::check_votes;
use crate::block::verifier::{BlockError, EntryError};
use crate::block::vote::VoteCertificate;
use crate::block::{
    entry_leaves, history_leaf, votes_hash, At, Block, DecidedBlock, Header, MAX_BLOCK_BYTES,
    MAX_BLOCK_ENTRIES,
};
use crate::contracts::rules::{Rules, RulesError};
use crate::contracts::{apply, end_block};
use crate::receipts::receipts_root;
use crate::state::receipt::{Receipt, Refusal};
use crate::state::State;
use market::units::NanoEur;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;
use wire::entry::{Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::merkle::{self, Frontier};
use wire::party::{Id, PartyId};

/// What a block's header and certificate may need of its bytes.
const OVERHEAD_BYTES: usize = 64 * 1024;

/// The last block of a chain, as far as the next one depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tip {
    /// Its height; 0 before the first block.
    pub height: u64,
    /// Its hash; before the first block, the ledger's identity.
    pub hash: Hash32,
    /// Its time in milliseconds since 1970; 0 before the first block.
    pub time_ms: u64,
    /// Votes that decided it, checked; others may have seen others. None before the first block.
    pub votes: Option<VoteCertificate>,
    /// The tree over the blocks before it, whose root its header names.
    pub before: Frontier,
}

/// What a block did.
#[derive(Clone, Debug)]
pub struct Executed {
    /// The state after it.
    pub state: State,
    /// The rules after it: what the next block goes by.
    pub rules: Arc<Rules>,
    /// Its entries with what each did, in order.
    pub receipts: Vec<(Entry, Receipt)>,
}

/// Why a block does not follow on a chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExecuteError {
    /// Not the height after the tip's.
    #[error("block {height} does not follow on block {tip}")]
    Height {
        /// The block's height.
        height: u64,
        /// The tip's height.
        tip: u64,
    },
    /// It names another block as the one before.
    #[error("block {height}: it follows on another block than the one before it")]
    Previous {
        /// The block's height.
        height: u64,
    },
    /// Its time is before the tip's.
    #[error("block {height}: its time is before that of the block before it")]
    Time {
        /// The block's height.
        height: u64,
    },
    /// Its entries are not those under its root.
    #[error("block {height}: its entries are not those under its root")]
    EntriesRoot {
        /// The block's height.
        height: u64,
    },
    /// The votes it carries for the block before are not those its header names.
    #[error("block {height}: the votes it carries are not those its header names")]
    PreviousVotes {
        /// The block's height.
        height: u64,
    },
    /// The votes it carries did not decide the block before.
    #[error("block {height}: the votes it carries for the block before: {source}")]
    PreviousUndecided {
        /// The block's height.
        height: u64,
        /// What is wrong with them.
        #[source]
        source: BlockError,
    },
    /// The blocks before it are not those under its root.
    #[error("block {height}: the blocks before it are not those under its history root")]
    HistoryRoot {
        /// The block's height.
        height: u64,
    },
    /// Others decide on the next block than it names.
    #[error("block {height}: the validators after it are not those it names")]
    NextValidators {
        /// The block's height.
        height: u64,
    },
    /// Its entries did something else than lies under its root.
    #[error("block {height}: what its entries did is not what lies under its receipts root")]
    ReceiptsRoot {
        /// The block's height.
        height: u64,
    },
    /// An envelope is no entry.
    #[error("block {height}, entry {index}: {source}")]
    Envelope {
        /// The block's height.
        height: u64,
        /// Which entry, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: EntryError,
    },
    /// An entry does not fit.
    #[error("block {height}, entry {index}: {source}")]
    Refused {
        /// The block's height.
        height: u64,
        /// Which entry, from 0.
        index: usize,
        /// Why.
        #[source]
        source: Refusal,
    },
    /// Balances don't add up to what the genesis started with and entries minted and burned.
    #[error("block {height}: balances add up to {total} nEUR, and must to {issued}")]
    Supply {
        /// The block's height.
        height: u64,
        /// What they add up to.
        total: i128,
        /// What they must.
        issued: NanoEur,
    },
    /// It was made under other rules than those after the block before it.
    #[error("block {height}: it was made under other rules than those after the block before it")]
    Governed {
        /// The block's height.
        height: u64,
    },
    /// What it leaves governed makes no rules.
    #[error("block {height}: {source}")]
    Rules {
        /// The block's height.
        height: u64,
        /// What is wrong.
        #[source]
        source: RulesError,
    },
    /// The state after it is another than it says.
    #[error("block {height}: the state after it is not the one it names")]
    StateHash {
        /// The block's height.
        height: u64,
    },
}

impl Tip {
    /// The tip of a chain without blocks.
    pub fn genesis(ledger: Hash32) -> Self {
        Self { height: 0, hash: ledger, time_ms: 0, votes: None, before: Frontier::default() }
    }

    /// The tip once this block, which follows on this tip, is decided. Its votes must have been checked.
    pub fn after(&self, decided: &DecidedBlock) -> Self {
        self.after_header(&decided.block.header, &decided.certificate)
    }

    /// The same from the block's header and the votes for it.
    pub fn after_header(&self, header: &Header, votes: &VoteCertificate) -> Self {
        Self {
            height: header.height,
            hash: header.hash(),
            time_ms: header.time_ms,
            votes: Some(votes.clone()),
            before: self.history(),
        }
    }

    /// Whether this is the tip once the block with this header is decided.
    pub fn is_of(&self, header: &Header) -> bool {
        let named = (header.height, header.hash(), header.time_ms) == (self.height, self.hash, self.time_ms);
        let before = Some(self.before.size()) == header.height.checked_sub(1);
        named && before && self.before.root() == header.history_root
    }

    /// The tree over all blocks up to this one: what the next block's history root is of.
    pub fn history(&self) -> Frontier {
        let mut history = self.before.clone();
        if self.height > 0 {
            history.push(history_leaf(&self.hash));
        }
        history
    }

    /// Where the next block stands if it is made at this time, in milliseconds since 1970: time never goes back.
    pub fn next(&self, time_ms: u64) -> At {
        At { height: self.height.saturating_add(1), time_ms: time_ms.max(self.time_ms) }
    }
}

/// Opens an entry's envelope: who submitted what, the signature checked.
pub type OpenEntry<'a> = dyn Fn(&SignedEnvelope) -> Result<(PartyId, Entry), EntryError> + 'a;

/// Executes `block` on the state at `tip`, checking all of it but its votes. `open` opens an entry's
/// envelope: [`crate::block::verifier::Verifier::open_entry`], or something that knows its verdict.
///
/// # Errors
/// Names the first thing that does not hold.
pub fn execute_block(
    rules: &Arc<Rules>,
    tip: &Tip,
    state: &State,
    block: &Block,
    open: &OpenEntry<'_>,
) -> Result<Executed, ExecuteError> {
    let header = &block.header;
    let height = header.height;
    let leaves = entry_leaves(&block.entries);
    check_link(rules, tip, (header, &leaves))?;
    check_previous_votes(rules, tip, state, block)?;
    let mut state = state.clone();
    state.begin_block(rules.verifier.validator_set(), block.previous_votes.as_ref());
    let mut receipts = Vec::with_capacity(block.entries.len());
    for (index, envelope) in block.entries.iter().enumerate() {
        let (submitter, entry) =
            open(envelope).map_err(|source| ExecuteError::Envelope { height, index, source })?;
        let receipt = apply(rules, &mut state, header.at(), &submitter, &entry)
            .map_err(|source| ExecuteError::Refused { height, index, source })?;
        receipts.push((entry, receipt));
    }
    end_block(rules, &mut state, header.at());
    if receipts_root(&block.entries, &leaves, &receipts) != header.receipts_root {
        return Err(ExecuteError::ReceiptsRoot { height });
    }
    let (total, issued) = (state.total_nano_eur(), state.issued());
    if total != i128::from(issued.0) {
        return Err(ExecuteError::Supply { height, total, issued });
    }
    if state.hash() != header.state_hash {
        return Err(ExecuteError::StateHash { height });
    }
    let rules = rules.after(state.governed(), header.time_ms);
    let rules = rules.map_err(|source| ExecuteError::Rules { height, source })?;
    if header.next_validators != rules.verifier.roster().hash() {
        return Err(ExecuteError::NextValidators { height });
    }
    Ok(Executed { state, rules, receipts })
}

fn check_link(rules: &Rules, tip: &Tip, (header, leaves): (&Header, &[Hash32])) -> Result<(), ExecuteError> {
    let height = header.height;
    if Some(height) != tip.height.checked_add(1) {
        return Err(ExecuteError::Height { height, tip: tip.height });
    }
    if header.previous != tip.hash {
        return Err(ExecuteError::Previous { height });
    }
    if header.time_ms < tip.time_ms {
        return Err(ExecuteError::Time { height });
    }
    if tip.history().root() != header.history_root {
        return Err(ExecuteError::HistoryRoot { height });
    }
    if header.governed != *rules.verifier.governed() {
        return Err(ExecuteError::Governed { height });
    }
    if merkle::root(leaves) != header.entries_root {
        return Err(ExecuteError::EntriesRoot { height });
    }
    Ok(())
}

/// The votes that decided the block before stand in the block: enough, right ones, for that block.
fn check_previous_votes(rules: &Rules, tip: &Tip, state: &State, block: &Block) -> Result<(), ExecuteError> {
    let height = block.header.height;
    let votes = block.previous_votes.as_ref();
    let validators = state.voting().validators_at(tip.height);
    if votes_hash(votes) != block.header.previous_votes || votes.is_some() != validators.is_some() {
        return Err(ExecuteError::PreviousVotes { height });
    }
    let Some((votes, validators)) = votes.zip(validators) else { return Ok(()) };
    let (validators, known) = (validators.members(), tip.votes.as_ref());
    check_votes(rules.verifier.ledger(), validators, (tip.height, tip.hash), votes, known)
        .map_err(|source| ExecuteError::PreviousUndecided { height, source })
}

/// An entry with its envelope and submitter, opened once.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenedEntry {
    /// As it was signed.
    pub envelope: SignedEnvelope,
    /// Who signed it.
    pub submitter: PartyId,
    /// What it says.
    pub entry: Entry,
    /// Which of its submitter's keys signed it.
    pub epoch: u32,
}

/// Builds the block that follows on `tip` from those of `entries` that fit, in order, until it is full,
/// with the tip's votes. None where none fits.
pub fn build_block<'a>(
    rules: &Arc<Rules>,
    tip: &Tip,
    state: &State,
    (proposer, time_ms): (&Id, u64),
    entries: impl Iterator<Item = &'a OpenedEntry>,
) -> Option<(Block, Executed)> {
    let mut state = state.clone();
    state.begin_block(rules.verifier.validator_set(), tip.votes.as_ref());
    let at = tip.next(time_ms);
    let (mut taken, mut receipts) = (Vec::new(), Vec::new());
    let mut room = MAX_BLOCK_BYTES - OVERHEAD_BYTES;
    for opened in entries {
        // Topic, and what CBOR puts around both.
        let size = opened.envelope.bytes.len() + opened.envelope.topic.len() + 64;
        if size > room || taken.len() == MAX_BLOCK_ENTRIES {
            break;
        }
        // Rotated in a block that is still to come: nobody else could open it yet.
        if rules.verifier.epoch_of(&opened.submitter) != Some(opened.epoch) {
            continue;
        }
        if let Ok(receipt) = apply(rules, &mut state, at, &opened.submitter, &opened.entry) {
            room -= size;
            taken.push(opened.envelope.clone());
            receipts.push((opened.entry.clone(), receipt));
        }
    }
    if taken.is_empty() {
        return None;
    }
    end_block(rules, &mut state, at);
    let after = rules.after(state.governed(), at.time_ms).ok()?;
    let leaves = entry_leaves(&taken);
    let header = Header {
        height: at.height,
        previous: tip.hash,
        time_ms: at.time_ms,
        entries_root: merkle::root(&leaves),
        receipts_root: receipts_root(&taken, &leaves, &receipts),
        history_root: tip.history().root(),
        state_hash: state.hash(),
        previous_votes: votes_hash(tip.votes.as_ref()),
        governed: *rules.verifier.governed(),
        next_validators: after.verifier.roster().hash(),
        proposer: proposer.clone(),
    };
    let block = Block { header, previous_votes: tip.votes.clone(), entries: taken };
    Some((block, Executed { state, rules: after, receipts }))
}
