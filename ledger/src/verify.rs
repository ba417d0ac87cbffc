//! The auditor: reads a data folder and recomputes everything in it from the genesis: every hash,
//! signature, vote, certificate, state and balance. Trusts no index and changes nothing. Signatures are checked
//! ahead on all cores, blocks executed in their order. A pruned folder is recomputed from its oldest snapshot on,
//! which is believed for the votes for its block alone.

mod ahead;

use crate::beginning::{check_files, Beginning};
use crate::block::verifier::BlockError;
use crate::block::{BlockCodecError, DecidedBlock};
use crate::contracts::rules::{Rules, RulesError};
use crate::execute::{execute_block, ExecuteError, Executed, Tip};
use crate::governed::succession::Lineage;
use crate::state::double_clearing::DoubleClearer;
use crate::state::receipt::Receipt;
use crate::state::voting::Liar;
use crate::state::{State, StateError};
use crate::store::frames::FrameError;
use crate::store::log::{segment_path, LogReader, Logged};
use crate::store::{last_height, read_genesis, Chain, StoreError};
use ahead::{Ahead, Checked, Prepared};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use wire::entry::{Entry, SignedEnvelope};
use wire::party::Id;

/// What was checked, and found right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Height of the state that verification began with: 0 for the genesis, a snapshot's in a pruned folder.
    pub started_from: u64,
    /// Blocks.
    pub blocks: u64,
    /// Snapshots: their checksums, votes and states.
    pub snapshots: u64,
    /// Validators' votes.
    pub votes: u64,
    /// Signed envelopes: entries, and the evidence in them.
    pub envelopes: u64,
    /// Clearings with their certificates.
    pub clearings: u64,
    /// Day-ahead sessions with their certificates.
    pub day_ahead: u64,
    /// Deliveries settled.
    pub deliveries: u64,
    /// Sites settled, over all deliveries.
    pub settlements: u64,
    /// Transfers.
    pub transfers: u64,
    /// Proofs that a validator contradicted itself.
    pub evidence: u64,
    /// Proofs that a DSO cleared one interval twice.
    pub double_clearings: u64,
    /// DSOs that did.
    pub double_clearers: BTreeMap<Id, DoubleClearer>,
    /// Validators that did.
    pub liars: BTreeMap<Id, Liar>,
    /// Steps of bilateral contracts.
    pub bilateral_steps: u64,
    /// Steps of reserve.
    pub reserve_steps: u64,
    /// Steps of demand response.
    pub response_steps: u64,
    /// Changes of the registry, proposals and ballots.
    pub governance: u64,
    /// Tokens minted, in nano-euro, each backed by a booking of its own.
    pub minted_nano_eur: i128,
    /// Tokens burned, likewise.
    pub burned_nano_eur: i128,
    /// Payments: changes of one account's balance by one entry.
    pub payments: u64,
    /// Accounts.
    pub accounts: u64,
    /// Sum of all balances in nano-euro. At every height it is what the genesis started with, and what was
    /// minted since less what was burned.
    pub total_nano_eur: i128,
}

/// What in a data folder does not hold.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The folder can't be read.
    #[error(transparent)]
    Folder(Box<StoreError>),
    /// The genesis makes no ledger.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The genesis gives no state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The operating system gives no threads.
    #[error("starting threads: {0}")]
    Threads(rayon::ThreadPoolBuildError),
    /// A record of the log is damaged.
    #[error("block {height}: {} is damaged at offset {offset}", path.display())]
    Damaged {
        /// The block's height.
        height: u64,
        /// The segment.
        path: PathBuf,
        /// Where its record starts, in bytes.
        offset: u64,
    },
    /// A snapshot is of another block than the log's.
    #[error("block {height}: the snapshot is of another block")]
    OtherSnapshot {
        /// The block's height.
        height: u64,
    },
    /// A record of the log is no block.
    #[error("block {height}: {source}")]
    Codec {
        /// The block's height.
        height: u64,
        /// What is wrong with it.
        #[source]
        source: BlockCodecError,
    },
    /// A record stands under another number than its block's height.
    #[error("block {height}: its record has the number {number}")]
    Number {
        /// The height it should have.
        height: u64,
        /// The number it has.
        number: u64,
    },
    /// A block was not decided.
    #[error("block {height}: {source}")]
    Votes {
        /// The block's height.
        height: u64,
        /// What is wrong with its votes.
        #[source]
        source: BlockError,
    },
    /// A block does not follow on the one before.
    #[error("block {height}: {source}")]
    Execute {
        /// The block's height.
        height: u64,
        /// What is wrong with it.
        #[source]
        source: Box<ExecuteError>,
    },
    /// Balances add up to another total than at the start, with what was minted and burned since.
    #[error("block {height}: balances add up to {total} nEUR, and must to {expected}")]
    Total {
        /// The block's height.
        height: u64,
        /// What they add up to.
        total: i128,
        /// What they added up to in the genesis, with what was minted since less what was burned.
        expected: i128,
    },
}

impl VerifyError {
    /// Height of the block at fault, where one is.
    pub fn height(&self) -> Option<u64> {
        match self {
            VerifyError::Damaged { height, .. }
            | VerifyError::Codec { height, .. }
            | VerifyError::Number { height, .. }
            | VerifyError::Votes { height, .. }
            | VerifyError::Execute { height, .. }
            | VerifyError::OtherSnapshot { height }
            | VerifyError::Total { height, .. } => Some(*height),
            VerifyError::Folder(_)
            | VerifyError::Rules(_)
            | VerifyError::State(_)
            | VerifyError::Threads(_) => None,
        }
    }
}

impl From<StoreError> for VerifyError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OtherHeight { expected: height, found: number, .. } => {
                Self::Number { height, number }
            }
            other => Self::Folder(Box::new(other)),
        }
    }
}

/// One block, checked, with what its entries did.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The block.
    pub decided: DecidedBlock,
    /// Its entries with what each did, in order.
    pub receipts: Vec<(Entry, Receipt)>,
}

/// Walks through a data folder's blocks, checking each.
pub struct Replay {
    folder: PathBuf,
    chain: Chain,
    lineage: Lineage,
    /// None where there is no log.
    log: Option<LogReader>,
    ahead: Ahead,
    /// What ended the log, once it has been read so far.
    end: Option<Result<(), VerifyError>>,
    total: i128,
    failed: bool,
}

/// Walks through the blocks of a data folder in order, checking everything; in a pruned one, those after
/// its oldest snapshot. Ends after the first error.
///
/// # Errors
/// Where the folder has no usable genesis, or nothing to begin with.
pub fn replay(folder: &Path) -> Result<Replay, VerifyError> {
    let genesis = read_genesis(folder)?;
    let Beginning { chain, lineage, log } = Beginning::of(folder, &genesis)?;
    let ahead = Ahead::new().map_err(VerifyError::Threads)?;
    let (total, end) = (chain.state.total_nano_eur(), None);
    Ok(Replay { folder: folder.to_owned(), chain, lineage, log, ahead, end, total, failed: false })
}

/// Checks a data folder. `progress` hears the height checked last, and the last there is.
///
/// # Errors
/// Names the first thing that does not hold, with the block's height.
pub fn verify_dir(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, VerifyError> {
    let mut replay = replay(folder)?;
    // Damage is found again where it stands.
    let last = last_height(folder).unwrap_or_default();
    let mut report = VerifyReport { started_from: replay.chain.tip.height, ..VerifyReport::default() };
    let mut passed = vec![replay.chain.tip.clone()];
    while let Some(block) = replay.next() {
        report.count(&block?);
        passed.push(replay.chain.tip.clone());
        progress(replay.chain.tip.height, last);
    }
    report.liars = replay.state().voting().liars().clone();
    let clearers = replay.state().contracts().double_clearers.iter();
    report.double_clearers = clearers.map(|(dso, clearer)| (dso.clone(), *clearer)).collect();
    report.snapshots = check_files(folder, &replay.chain.rules.verifier, &passed)?;
    report.accounts = replay.state().accounts().len() as u64;
    report.total_nano_eur = replay.state().total_nano_eur();
    Ok(report)
}

impl Replay {
    /// The state after the last block that was walked through.
    pub fn state(&self) -> &State {
        &self.chain.state
    }

    /// Who decided on the blocks before the first that is walked through, as far as it is known.
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// The rules of the block that follows.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.chain.rules
    }

    /// The last block that was walked through.
    pub fn tip(&self) -> &Tip {
        &self.chain.tip
    }

    /// Reads on while there is room ahead, until the log ends or is damaged.
    fn read_ahead(&mut self) {
        let Some(log) = &mut self.log else { return };
        while self.end.is_none() && self.ahead.has_room() {
            match next_block(&self.folder, log) {
                Ok(Some((number, payload))) => self.ahead.push(number, payload, self.chain.rules.clone()),
                Ok(None) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(Err(error)),
            }
        }
    }

    fn check(&mut self) -> Result<Option<Replayed>, VerifyError> {
        let height = self.chain.tip.height + 1;
        self.read_ahead();
        let Some(Prepared { number, decided, checked, rules: known }) = self.ahead.pop() else {
            return self.end.take().unwrap_or(Ok(())).map(|()| None);
        };
        if number != height {
            return Err(VerifyError::Number { height, number });
        }
        let decided = decided.map_err(|source| VerifyError::Codec { height, source })?;
        let Chain { tip, state, rules } = &self.chain;
        // Signatures were checked under what held when the block was read, which may have changed since.
        let known = known.verifier.agrees_with(&rules.verifier);
        let Checked { votes, entries } = if known { checked } else { ahead::check(rules, &decided) };
        votes.map_err(|source| VerifyError::Votes { height, source })?;
        let entries = RefCell::new(entries.into_iter());
        let verifier = &rules.verifier;
        let open = |envelope: &SignedEnvelope| {
            let next = entries.borrow_mut().next();
            next.unwrap_or_else(|| verifier.open_entry(envelope))
        };
        let Executed { state, rules, receipts } = execute_block(rules, tip, state, &decided.block, &open)
            .map_err(|source| VerifyError::Execute { height, source: Box::new(source) })?;
        self.total += receipts.iter().map(|(entry, receipt)| issued(entry, receipt)).sum::<i128>();
        let (total, expected) = (state.total_nano_eur(), self.total);
        if total != expected {
            return Err(VerifyError::Total { height, total, expected });
        }
        self.chain = Chain { tip: tip.after(&decided), state, rules };
        Ok(Some(Replayed { decided, receipts }))
    }
}

/// The next block's height and encoding; none at the log's end.
pub(crate) fn next_block(folder: &Path, log: &mut LogReader) -> Result<Option<(u64, Vec<u8>)>, VerifyError> {
    let height = log.next_height();
    let damaged = |path, offset| VerifyError::Damaged { height, path, offset };
    match log.next_block() {
        Ok(Logged::Block { height, payload, .. }) => Ok(Some((height, payload))),
        Ok(Logged::End(_)) => Ok(None),
        Ok(Logged::Torn(place)) => Err(damaged(segment_path(folder, place.segment), place.offset)),
        Err(StoreError::Frames(FrameError::Damaged { path, offset, .. })) => Err(damaged(path, offset)),
        Err(other) => Err(other.into()),
    }
}

impl Iterator for Replay {
    type Item = Result<Replayed, VerifyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let checked = self.check().transpose();
        self.failed = matches!(checked, Some(Err(_)));
        checked
    }
}

impl VerifyReport {
    fn count(&mut self, block: &Replayed) {
        self.blocks += 1;
        self.votes += block.decided.certificate.signatures.len() as u64;
        for (entry, receipt) in &block.receipts {
            self.envelopes += 1;
            self.payments += receipt.payments.len() as u64;
            match entry {
                Entry::Clearing(clearing) => {
                    self.clearings += 1;
                    self.envelopes += 1 + clearing.demands.len() as u64;
                }
                Entry::DayAhead(session) => {
                    self.day_ahead += 1;
                    self.envelopes += 1 + session.demands.len() as u64;
                }
                Entry::Delivery(delivery) => {
                    self.deliveries += 1;
                    self.settlements += delivery.sites.len() as u64;
                }
                Entry::Transfer(_) => self.transfers += 1,
                Entry::Evidence(_) => self.evidence += 1,
                Entry::DoubleClearing(_) => {
                    self.double_clearings += 1;
                    self.envelopes += 2;
                }
                Entry::Participant(_) | Entry::Proposal(_) | Entry::Ballot(_) => self.governance += 1,
                Entry::Mint(_) => self.minted_nano_eur += issued(entry, receipt),
                Entry::Burn(_) => self.burned_nano_eur -= issued(entry, receipt),
                Entry::Redeem(_) => {}
                Entry::Bilateral(_) => self.bilateral_steps += 1,
                Entry::Reserve(_) => self.reserve_steps += 1,
                Entry::Response(_) => self.response_steps += 1,
            }
        }
    }
}

/// What an entry issued: what its payments add up to, where it is one that may issue or end tokens. Of any other
/// nothing, so that money it made or lost is found.
fn issued(entry: &Entry, receipt: &Receipt) -> i128 {
    match entry {
        Entry::Mint(_) | Entry::Burn(_) => {
            receipt.payments.iter().map(|payment| i128::from(payment.amount.0)).sum()
        }
        _ => 0,
    }
}
