//! A simulated process's data folder: what [`crate::store`] does with a real one, in the same order of writes
//! and with the same records, but for the index. Every start is from the snapshots and the log alone, as if the
//! index were lost.

use super::disk::{DiskFile, Power};
use super::folder::{Folder, Name};
use crate::block::DecidedBlock;
use crate::consensus::message::Record;
use crate::execute::{execute_block, Executed, Tip};
use crate::governed::succession::Lineage;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::store::frames::{Found, FrameReader};
use crate::store::log::{surplus, Span};
use crate::store::snapshots::{records, SnapshotFile, KEPT_SNAPSHOTS};
use crate::store::{Chain, Start, StoreOptions};
use rand::Rng;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wire::entry::SignedEnvelope;

/// One data folder, and the process's view of it.
#[derive(Debug)]
pub struct SimStore {
    options: StoreOptions,
    /// What all of it depends on.
    pub power: Power,
    /// The write-ahead log.
    pub wal: DiskFile,
    log: Folder,
    snapshots: Folder,
    /// First heights of the log's segments.
    segments: Vec<u64>,
    /// Heights of the sound snapshots.
    sound: Vec<u64>,
    /// A snapshot that the writing thread has not come to.
    writing: Option<Snapshot>,
    /// One that it has written, and nobody took note of.
    written: Option<u64>,
    /// What the log holds, by height.
    kept: BTreeMap<u64, DecidedBlock>,
    tip: Tip,
    /// The tip before that.
    previous: Tip,
}

fn segment(first: u64) -> Name {
    Name { number: first, draft: false }
}

fn snapshot_name(height: u64, draft: bool) -> Name {
    Name { number: height, draft }
}

impl SimStore {
    /// An empty folder.
    pub fn new(options: StoreOptions, tip: Tip) -> Self {
        Self {
            options,
            power: Power::default(),
            wal: DiskFile::default(),
            log: Folder::default(),
            snapshots: Folder::default(),
            segments: Vec::new(),
            sound: Vec::new(),
            writing: None,
            written: None,
            kept: BTreeMap::new(),
            previous: tip.clone(),
            tip,
        }
    }

    /// Lets what should make snapshots durable do nothing: a part broken by intent.
    pub fn break_snapshot_sync(&mut self) {
        self.snapshots.sync_is_broken = true;
    }

    /// The last block decided.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// Lowest height whose block is kept; one behind the last where none is.
    pub fn lowest(&self) -> u64 {
        self.segments.first().copied().unwrap_or(1)
    }

    /// Blocks kept, in order.
    pub fn blocks(&self) -> impl Iterator<Item = &DecidedBlock> {
        self.kept.values()
    }

    /// The decided block at a height, where it is kept.
    pub fn block(&self, height: u64) -> Option<&DecidedBlock> {
        self.kept.get(&height)
    }

    /// The newest sound snapshot's file.
    pub fn newest_snapshot(&self) -> Option<SnapshotFile<&[u8]>> {
        self.snapshot(*self.sound.last()?)
    }

    /// The file of a sound snapshot.
    pub fn snapshot(&self, height: u64) -> Option<SnapshotFile<&[u8]>> {
        self.sound.contains(&height).then(|| self.snapshot_file(height).ok()).flatten()
    }

    /// Whether a snapshot waits for the thread that writes it.
    pub fn is_writing(&self) -> bool {
        self.writing.is_some()
    }

    /// Makes a decided block durable.
    pub fn log(&mut self, decided: &DecidedBlock) -> Result<(), String> {
        let height = decided.height();
        let bytes = decided.encode().map_err(|e| e.to_string())?;
        let last = self.segments.last().copied().unwrap_or(height);
        let current = if self.size(last) >= self.options.segment_bytes {
            self.log.open(&mut self.power, segment(height), 0)?;
            self.segments.push(height);
            height
        } else {
            last
        };
        self.log.append(&mut self.power, segment(current), (height, &bytes))?;
        self.log.sync(&mut self.power, segment(current))?;
        self.kept.insert(height, decided.clone());
        let after = self.tip.after(decided);
        self.previous = std::mem::replace(&mut self.tip, after);
        Ok(())
    }

    /// Goes on from the block made durable last, with the state after it: at every so many heights a snapshot is
    /// begun; once one stands, what is no longer kept is removed.
    pub fn go_on(&mut self, decided: &DecidedBlock, state: &State) -> Result<(), String> {
        let header = &decided.block.header;
        let begun = self.writing.as_ref().map(|snapshot| snapshot.header.height).or(self.written);
        let newest = begun.max(self.sound.last().copied()).unwrap_or_default();
        if self.options.snapshot_is_due(header, state, newest) {
            self.finish()?;
            let (header, certificate) = (header.clone(), decided.certificate.clone());
            let (previous, state) = (self.previous.clone(), state.clone());
            let lineage = Lineage::default();
            self.writing = Some(Snapshot { previous, header, certificate, state, lineage });
        }
        match self.take_note()? {
            true => self.prune(),
            false => Ok(()),
        }
    }

    /// Puts a snapshot in the place of everything before it.
    pub fn install(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        self.finish()?;
        self.write(snapshot)?;
        self.take_note()?;
        self.tip = snapshot.tip();
        self.kept.clear();
        self.begin_log_after(self.tip.height)
    }

    /// The thread that writes snapshots comes to the one begun.
    pub fn write_begun(&mut self) -> Result<(), String> {
        match self.writing.take() {
            Some(snapshot) => self.write(&snapshot),
            None => Ok(()),
        }
    }

    fn write(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        let (height, power) = (snapshot.header.height, &mut self.power);
        let [draft, name] = [true, false].map(|draft| snapshot_name(height, draft));
        self.snapshots.open(power, draft, 0)?;
        for (number, record) in records(snapshot).map_err(|e| e.to_string())? {
            self.snapshots.append(power, draft, (number, &record))?;
        }
        self.snapshots.sync(power, draft)?;
        self.snapshots.rename(power, draft, name)?;
        self.snapshots.sync_names(power)?;
        self.written = Some(height);
        Ok(())
    }

    /// Waits for a snapshot being written.
    fn finish(&mut self) -> Result<(), String> {
        self.write_begun()?;
        self.take_note().map(|_| ())
    }

    /// Takes note of a snapshot that was written: those before the last ones go. Whether there was one.
    fn take_note(&mut self) -> Result<bool, String> {
        let Some(height) = self.written.take() else { return Ok(false) };
        self.sound.retain(|other| *other != height);
        self.sound.push(height);
        self.sound.sort_unstable();
        self.sound.drain(..self.sound.len().saturating_sub(KEPT_SNAPSHOTS));
        let oldest = self.sound.first().copied().unwrap_or_default();
        let older: Vec<Name> = self.snapshots.names().filter(|name| name.number < oldest).collect();
        for name in older.into_iter().filter(|name| !name.draft) {
            self.snapshots.remove(&mut self.power, name)?;
        }
        Ok(true)
    }

    fn prune(&mut self) -> Result<(), String> {
        let oldest = self.sound.first().copied();
        let Some(height) = self.options.prunable(self.tip.height, oldest) else { return Ok(()) };
        let surplus = surplus(&self.segments, height);
        if surplus == 0 {
            return Ok(());
        }
        for first in self.segments.drain(..surplus) {
            self.log.remove(&mut self.power, segment(first))?;
        }
        self.kept = self.kept.split_off(&self.segments.first().copied().unwrap_or_default());
        self.log.sync_names(&mut self.power)
    }

    fn begin_log_after(&mut self, height: u64) -> Result<(), String> {
        let segments: Vec<Name> = self.log.names().collect();
        for name in segments {
            self.log.remove(&mut self.power, name)?;
        }
        self.log.sync_names(&mut self.power)?;
        self.log.open(&mut self.power, segment(height + 1), 0)?;
        self.segments = vec![height + 1];
        Ok(())
    }

    /// The process dies, or the power goes.
    pub fn crash(&mut self, random: &mut impl Rng) {
        self.wal.crash(random);
        self.log.crash(random);
        self.snapshots.crash(random);
        (self.writing, self.written) = (None, None);
        self.power.left = None;
    }

    /// Opens the folder, from the chain before the first block where there is no snapshot. With the chain come
    /// the write-ahead log's records of the next height.
    pub fn open(&mut self, genesis: Chain) -> Result<(Chain, Vec<Record>), String> {
        let drafts: Vec<Name> = self.snapshots.names().filter(|name| name.draft).collect();
        for draft in drafts {
            self.snapshots.remove(&mut self.power, draft)?;
        }
        let heights = self.snapshots.names().map(|name| name.number);
        let is_sound =
            |height: &u64| self.snapshot_file(*height).is_ok_and(|file| file.checked(|_| {}).is_ok());
        self.sound = heights.filter(is_sound).collect();
        self.segments = self.log.names().map(|name| name.number).collect();
        self.kept.clear();
        let span = self.span()?;
        let (verifier, rules) = (genesis.rules.verifier.clone(), genesis.rules.clone());
        let newest = self.sound.iter().rev();
        let found = newest.filter_map(|height| self.snapshot_file(*height).ok()?.snapshot(&verifier).ok());
        let mut chain = match found.map(|snapshot| snapshot.chain(&rules)).next() {
            Some(chain) => chain.map_err(|e| e.to_string())?,
            None => genesis,
        };
        match Start::from(chain.tip.height, &span) {
            None => return Err(format!("the log begins at {}, and nothing leads there", span.first)),
            Some(Start::Whole | Start::At(_)) => chain = self.replay(chain, &span)?,
            Some(Start::Behind) => self.begin_log_after(chain.tip.height)?,
        }
        self.tip = chain.tip.clone();
        let wal = self.wal.open().map_err(|e| e.to_string())?;
        let of_height = wal.iter().filter(|(height, _)| *height == self.tip.height + 1);
        let records = of_height.map(|(_, bytes)| Record::decode(bytes).map_err(|e| e.to_string()));
        let records = records.collect::<Result<_, _>>()?;
        Ok((chain, records))
    }

    /// What the log holds, by its segments' names and its last segment.
    fn span(&self) -> Result<Span, String> {
        let (Some(first), Some(last)) = (self.segments.first(), self.segments.last()) else {
            return Ok(Span { first: 1, last: 0 });
        };
        let (mut reader, mut next) = (self.reader(*last), *last);
        while let Found::Frame(_) = reader.next_frame().map_err(|e| e.to_string())? {
            next += 1;
        }
        Ok(Span { first: *first, last: next - 1 })
    }

    /// Walks through the log, executes what comes after the chain, and cuts a torn tail away.
    fn replay(&mut self, mut chain: Chain, span: &Span) -> Result<Chain, String> {
        let (mut next, mut end) = (span.first, 0);
        let mut kept = BTreeMap::new();
        for first in &self.segments {
            if *first != next {
                return Err(format!("segment {first} stands where block {next} should"));
            }
            let mut reader = self.reader(*first);
            loop {
                match reader.next_frame().map_err(|e| e.to_string())? {
                    Found::Frame(frame) if frame.number == next => {
                        let decided = DecidedBlock::decode(&frame.payload).map_err(|e| e.to_string())?;
                        chain = follow(chain, &decided)?;
                        kept.insert(next, decided);
                        next += 1;
                    }
                    Found::End => break,
                    Found::Torn { .. } if self.segments.last() == Some(first) => break,
                    _ => return Err(format!("segment {first} is damaged where block {next} should stand")),
                }
            }
            end = reader.offset();
        }
        self.kept = kept;
        let last = self.segments.last().copied().unwrap_or(1);
        self.log.open(&mut self.power, segment(last), end as usize)?;
        Ok(chain)
    }

    fn snapshot_file(&self, height: u64) -> Result<SnapshotFile<&[u8]>, String> {
        let name = snapshot_name(height, false);
        let file = self.snapshots.file(name).ok_or_else(|| format!("there is no snapshot {height}"))?;
        let path = PathBuf::from(format!("{height}.snapshot"));
        SnapshotFile::over(path.clone(), file.reader(path), height).map_err(|e| e.to_string())
    }

    fn reader(&self, first: u64) -> FrameReader<&[u8]> {
        let path = PathBuf::from(format!("{first}.log"));
        match self.log.file(segment(first)) {
            Some(file) => file.reader(path),
            None => FrameReader::over(path, &[], 0, 0),
        }
    }

    fn size(&self, first: u64) -> u64 {
        self.log.file(segment(first)).map_or(0, DiskFile::len)
    }
}

/// The chain after a block of its log, executed where it is a new one.
fn follow(chain: Chain, decided: &DecidedBlock) -> Result<Chain, String> {
    match decided.height().cmp(&chain.tip.height) {
        Ordering::Less => Ok(chain),
        Ordering::Equal if decided.block.header.hash() == chain.tip.hash => Ok(chain),
        Ordering::Equal => Err(format!("block {} is not the snapshot's", decided.height())),
        Ordering::Greater => {
            let open = |envelope: &SignedEnvelope| chain.rules.verifier.open_entry(envelope);
            let Chain { tip, state, rules } = &chain;
            let executed = execute_block(rules, tip, state, &decided.block, &open);
            let Executed { state, rules, .. } = executed.map_err(|e| e.to_string())?;
            Ok(Chain { tip: chain.tip.after(decided), state, rules })
        }
    }
}
