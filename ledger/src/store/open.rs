//! Opening a data folder: where the chain stands by the index, the log and the snapshots, which of
//! them is believed where they disagree, and bringing the index up to the log.

use super::genesis_file::keep_genesis;
use super::index::{Index, Indexed, Stands};
use super::log::{self, segment_path, BlockLog, LogReader, Logged, Place, Span};
use super::remembered::Remembered;
use super::snapshots::{read_manifest, read_snapshot, snapshot_path, Snapshots};
use super::{io_error, Chain, Store, StoreError, StoreOptions, INDEX_FOLDER};
use crate::block::{DecidedBlock, Header};
use crate::contracts::rules::Rules;
use crate::execute::{execute_block, ExecuteError, Executed, Tip};
use crate::genesis::Genesis;
use crate::governed::succession::Lineage;
use crate::state::State;
use std::cmp::Ordering;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use wire::entry::SignedEnvelope;

/// What an index is rebuilt from, where it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RebuiltFrom {
    /// The newest sound snapshot: soonest done.
    Newest,
    /// The genesis, or the oldest sound snapshot: most remembered.
    Oldest,
}

/// A folder opened, with what that took.
pub(super) struct Opened {
    pub store: Store,
    pub chain: Chain,
    /// Height of the state it started from.
    pub started_from: u64,
}

impl Store {
    /// Opens a data folder as [`Store::open_with`] does, with the default options.
    ///
    /// # Errors
    /// As there.
    pub fn open(folder: &Path, genesis: &Genesis, rules: &Arc<Rules>) -> Result<(Self, Chain), StoreError> {
        Self::open_with(folder, genesis, rules, StoreOptions::default())
    }

    /// Opens a data folder, made where it doesn't exist, and brings the index up to the log. A torn
    /// tail of the log is cut away. `rules` are those of the genesis.
    ///
    /// # Errors
    /// Where the folder belongs to another ledger, or is damaged anywhere but at the log's tail.
    pub fn open_with(
        folder: &Path,
        genesis: &Genesis,
        rules: &Arc<Rules>,
        options: StoreOptions,
    ) -> Result<(Self, Chain), StoreError> {
        let options = (options, RebuiltFrom::Newest);
        let Opened { store, chain, .. } = open(folder, (genesis, rules), options, &mut |_, _| {})?;
        Ok((store, chain))
    }
}

/// Opens a data folder; `progress` hears the height reached, and the last there is.
pub(super) fn open(
    folder: &Path,
    (genesis, rules): (&Genesis, &Arc<Rules>),
    (options, rebuilt_from): (StoreOptions, RebuiltFrom),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Opened, StoreError> {
    fs::create_dir_all(folder).map_err(io_error("making", folder))?;
    keep_genesis(folder, genesis)?;
    let index = Index::open(&folder.join(INDEX_FOLDER))?;
    let snapshots = Snapshots::open(folder)?;
    let span = Span::of(folder)?;
    let newest = snapshots.sound().last().copied();
    let found = match index.load() {
        Some(indexed) => trusted(folder, (genesis, rules), indexed, &span)?,
        None => None,
    };
    let (mut chain, start) = match found {
        // Otherwise a snapshot was put in the log's place, and a crash came before the index heard of it.
        Some((chain, after)) if newest <= Some(chain.tip.height.max(span.last)) => {
            (chain, after.map_or(Start::Behind, Start::At))
        }
        found => {
            if found.is_none() && !index.is_empty() {
                tracing::warn!(folder = %folder.display(), "the index does not agree with the log; it is rebuilt");
            }
            let mut sound = snapshots.sound().to_vec();
            match rebuilt_from {
                RebuiltFrom::Newest => sound.reverse(),
                // The genesis is older than any snapshot.
                RebuiltFrom::Oldest if span.first <= 1 => sound.clear(),
                RebuiltFrom::Oldest => sound.retain(|height| height.saturating_add(1) >= span.first),
            }
            start(folder, (genesis, rules), &span, &sound, &index)?
        }
    };
    let started_from = chain.tip.height;
    let log = match start {
        Start::Behind => begin_log_after(folder, chain.tip.height, options.segment_bytes)?,
        Start::At(_) | Start::Whole => {
            let (place, height) = match start {
                Start::At(place) => (place, chain.tip.height + 1),
                _ => (Place { segment: span.first, offset: 0 }, span.first),
            };
            let reader = LogReader::from_place(folder, place, height)?;
            let end = Replay { folder, index: &index, last: span.last, progress }.run(reader, &mut chain)?;
            BlockLog::open(folder, end, options.segment_bytes)?
        }
    };
    let tip = chain.tip.clone();
    let ledger = (*rules.verifier.ledger(), rules.verifier.network().clone());
    let store =
        Store { folder: folder.to_owned(), options, log, index, snapshots, tip, logged: None, ledger };
    Ok(Opened { store, chain, started_from })
}

/// Where the log is read on from.
pub(crate) enum Start {
    /// Nowhere: everything in it is older than the chain.
    Behind,
    /// Here, where the height after the chain's stands: what stands before is indexed.
    At(Place),
    /// Its beginning: nothing is indexed.
    Whole,
}

impl Start {
    /// Where a log of this span goes on from a snapshot at `height`, or from the genesis at 0. None where
    /// blocks between the two are missing.
    pub(crate) fn from(height: u64, span: &Span) -> Option<Self> {
        if span.first > height.saturating_add(1) {
            return None;
        }
        Some(if span.last < height || span.is_empty() { Self::Behind } else { Self::Whole })
    }
}

/// The index's word, where the log or a snapshot bears it out: its tip stands there, and the state has
/// the hash that block names. With it where the log goes on; none where all of it is older. Otherwise
/// nothing: the index is rebuilt.
fn trusted(
    folder: &Path,
    (genesis, rules): (&Genesis, &Arc<Rules>),
    indexed: Indexed,
    span: &Span,
) -> Result<Option<(Chain, Option<Place>)>, StoreError> {
    let Indexed { tip, stands, state } = indexed;
    let state_hash = match stands {
        Some(_) if span.last < tip.height => return Err(StoreError::LogTooShort { height: tip.height }),
        Some(stands) => standing(folder, stands.place, &tip).map(|header| header.state_hash),
        None if tip == Tip::genesis(*rules.verifier.ledger()) => Some(State::genesis(genesis)?.hash()),
        None => {
            let manifest = read_manifest(folder, tip.height).ok();
            let header = manifest.map(|manifest| manifest.header).filter(|header| tip.is_of(header));
            header.map(|header| header.state_hash)
        }
    };
    if state_hash != Some(state.hash()) {
        return Ok(None);
    }
    let after = match stands {
        Some(Stands { place, end }) => Some(Place { segment: place.segment, offset: end }),
        None if span.last <= tip.height => None,
        // The log begins where the index ends, or what lies between is missing.
        None if span.first == tip.height + 1 => Some(Place { segment: span.first, offset: 0 }),
        None => return Ok(None),
    };
    let rules = rules.after(state.governed(), tip.time_ms)?;
    Ok(Some((Chain { tip, state, rules }, after)))
}

/// The header of the tip's block, where that stands soundly at the place that the index names.
fn standing(folder: &Path, place: Place, tip: &Tip) -> Option<Header> {
    let mut reader = LogReader::from_place(folder, place, tip.height).ok()?;
    let Logged::Block { payload, .. } = reader.next_block().ok()? else { return None };
    let header = DecidedBlock::decode(&payload).ok()?.block.header;
    tip.is_of(&header).then_some(header)
}

/// What a chain is rebuilt from without an index: the first of these snapshots that holds, or the genesis. The
/// index is emptied and takes that state.
fn start(
    folder: &Path,
    (genesis, rules): (&Genesis, &Arc<Rules>),
    span: &Span,
    snapshots: &[u64],
    index: &Index,
) -> Result<(Chain, Start), StoreError> {
    let snapshot = snapshots.iter().find_map(|height| {
        let found = read_snapshot(folder, *height, &rules.verifier);
        found
            .map_err(|error| tracing::error!(height, %error, "a snapshot does not hold and is not used"))
            .ok()
    });
    let height = snapshot.as_ref().map_or(0, |snapshot| snapshot.header.height);
    let start = Start::from(height, span)
        .ok_or_else(|| StoreError::NoStart { path: folder.to_owned(), first: span.first })?;
    let verifier = &rules.verifier;
    let (chain, lineage) = match snapshot {
        Some(snapshot) => {
            let path = snapshot_path(folder, height);
            let lineage = snapshot.sound_lineage(verifier.ledger(), verifier.network());
            (snapshot.chain(rules).map_err(|source| StoreError::snapshot(path, source))?, lineage)
        }
        None => {
            let tip = Tip::genesis(*verifier.ledger());
            (Chain { tip, state: State::genesis(genesis)?, rules: rules.clone() }, Lineage::default())
        }
    };
    index.reset(&chain.tip, &chain.state, &lineage)?;
    Ok((chain, start))
}

/// Walks through the log and brings the index up to it.
struct Replay<'a> {
    folder: &'a Path,
    index: &'a Index,
    last: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Replay<'_> {
    /// Indexes blocks up to the chain's tip, executes and indexes those after it. Returns where the
    /// log's sound part ends.
    fn run(&mut self, mut reader: LogReader, chain: &mut Chain) -> Result<Place, StoreError> {
        let mut older = Vec::new();
        let end = loop {
            let (place, height, payload) = match reader.next_block()? {
                Logged::Block { place, height, payload } => (place, height, payload),
                Logged::End(place) => break place,
                Logged::Torn(place) => break place,
            };
            let stands = Stands { place, end: reader.place().offset };
            match height.cmp(&chain.tip.height) {
                Ordering::Less => older.push((height, place)),
                Ordering::Equal => {
                    let decided = decode(self.folder, place, height, &payload)?;
                    if decided.block.header.hash() != chain.tip.hash {
                        return Err(self.wrong(place, ExecuteError::Previous { height }));
                    }
                    self.index.put_stands(&chain.tip, stands)?;
                }
                Ordering::Greater => self.execute(chain, stands, &payload)?,
            }
            (self.progress)(height, self.last);
        };
        self.index.put_places(&older)?;
        Ok(end)
    }

    fn execute(&self, chain: &mut Chain, stands: Stands, payload: &[u8]) -> Result<(), StoreError> {
        let decided = decode(self.folder, stands.place, chain.tip.height + 1, payload)?;
        let openings = chain.rules.verifier.open_entries(decided.block.entries.iter());
        let open = |envelope: &SignedEnvelope| openings.open(envelope);
        let executed = execute_block(&chain.rules, &chain.tip, &chain.state, &decided.block, &open);
        let Executed { state, rules, receipts } =
            executed.map_err(|source| self.wrong(stands.place, source))?;
        let remembered = Remembered::of(&chain.rules, &receipts, (&state, &rules));
        *chain = Chain { tip: chain.tip.after(&decided), state, rules };
        self.index.put_block(&chain.tip, stands, &mut chain.state, Some((&decided, &remembered)))
    }

    fn wrong(&self, place: Place, source: ExecuteError) -> StoreError {
        let path = segment_path(self.folder, place.segment);
        StoreError::Block { path, offset: place.offset, source: Box::new(source) }
    }
}

/// Empties the log, everything in which is older than the block at `height`, to go on behind that.
pub(super) fn begin_log_after(
    folder: &Path,
    height: u64,
    segment_bytes: u64,
) -> Result<BlockLog, StoreError> {
    log::remove_all(folder)?;
    BlockLog::open(folder, Place { segment: height + 1, offset: 0 }, segment_bytes)
}

pub(super) fn decode(
    folder: &Path,
    place: Place,
    height: u64,
    bytes: &[u8],
) -> Result<DecidedBlock, StoreError> {
    let Place { segment, offset } = place;
    DecidedBlock::decode(bytes).map_err(|source| StoreError::Codec {
        path: segment_path(folder, segment),
        offset,
        height,
        source,
    })
}
