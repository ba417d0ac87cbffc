//! Snapshot files: written beside the validator's work, under another name until they are whole and
//! durable, read back only as far as their checksums and their block's votes bear them out.
//!
//! One file is a log of framed records (see [`super::frames`]): the manifest, numbered by its height,
//! then the state's chunks, numbered from 0.

use super::frames::{Found, FrameReader, FrameWriter};
use super::{io_error, numbered_files, sync_folder, StoreError};
use crate::block::verifier::Verifier;
use crate::snapshot::{chunks, Manifest, Snapshot, SnapshotError, CHUNK_BYTES, MAX_MANIFEST_BYTES};
use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use wire::cbor::CborError;

/// Folder of the snapshots in a data folder.
pub const SNAPSHOT_FOLDER: &str = "snapshots";
/// What a snapshot's name ends in.
const SUFFIX: &str = ".snapshot";
/// What its name ends in while it is written.
const DRAFT_SUFFIX: &str = ".snapshot.new";
/// Snapshots kept: should the last be damaged, the one before still is there.
pub const KEPT_SNAPSHOTS: usize = 2;
/// Largest record: a manifest or a chunk.
const MAX_RECORD_BYTES: usize =
    if MAX_MANIFEST_BYTES > CHUNK_BYTES { MAX_MANIFEST_BYTES } else { CHUNK_BYTES };

/// The file of the snapshot at this height.
pub fn snapshot_path(folder: &Path, height: u64) -> PathBuf {
    folder.join(SNAPSHOT_FOLDER).join(format!("{height:020}{SUFFIX}"))
}

/// Heights of the snapshots in a data folder, damaged ones too, in order.
///
/// # Errors
/// Where the folder can't be read.
pub fn snapshots(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let mut found = numbered_files(&folder.join(SNAPSHOT_FOLDER), SUFFIX)?;
    found.sort_unstable();
    Ok(found)
}

/// Reads a snapshot whole, everything checked: checksums, the state's hash, and the votes for its
/// block, some by validators that are `known`.
///
/// # Errors
/// Where it can't be read or anything of it does not hold.
pub fn read_snapshot(folder: &Path, height: u64, known: &Verifier) -> Result<Snapshot, StoreError> {
    SnapshotFile::open(folder, height)?.snapshot(known)
}

/// The manifest of a snapshot that was checked before.
pub(super) fn read_manifest(folder: &Path, height: u64) -> Result<Manifest, StoreError> {
    Ok(SnapshotFile::open(folder, height)?.manifest)
}

/// One chunk of a snapshot that was checked before; none where it has no such chunk.
pub(super) fn read_chunk(folder: &Path, height: u64, index: usize) -> Result<Option<Vec<u8>>, StoreError> {
    let mut file = SnapshotFile::open(folder, height)?;
    if index >= file.manifest.chunks.len() {
        return Ok(None);
    }
    // Every chunk before it has the same size, and so has its record.
    let offset = file.reader.offset() + (index as u64) * FrameWriter::record_bytes(CHUNK_BYTES);
    file.reader = FrameReader::open(&file.path, offset, MAX_RECORD_BYTES)?;
    file.next_chunk(index).map(Some)
}

/// A snapshot file being read, or what stands for one.
pub(crate) struct SnapshotFile<R = BufReader<fs::File>> {
    path: PathBuf,
    manifest: Manifest,
    reader: FrameReader<R>,
}

impl SnapshotFile {
    fn open(folder: &Path, height: u64) -> Result<Self, StoreError> {
        let path = snapshot_path(folder, height);
        let reader = FrameReader::open(&path, 0, MAX_RECORD_BYTES)?;
        Self::over(path, reader, height)
    }
}

impl<R: Read> SnapshotFile<R> {
    /// The snapshot at this height from the records of `reader`, which `path` names in errors.
    pub(crate) fn over(path: PathBuf, mut reader: FrameReader<R>, height: u64) -> Result<Self, StoreError> {
        let payload = match reader.next_frame()? {
            Found::Frame(frame) if frame.number == height => frame.payload,
            _ => return Err(StoreError::CutOff { path, offset: 0 }),
        };
        let manifest = Manifest::decode(&payload);
        let manifest = manifest.map_err(|source| StoreError::snapshot(path.clone(), source))?;
        let file = Self { path, manifest, reader };
        file.check(|manifest| match manifest.height() == height {
            true => Ok(()),
            false => Err(SnapshotError::StateHash { height }),
        })?;
        Ok(file)
    }

    /// What it says it holds.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// One chunk, found by reading those before it.
    pub(crate) fn chunk(mut self, index: usize) -> Result<Vec<u8>, StoreError> {
        for before in 0..index {
            self.next_chunk(before)?;
        }
        self.next_chunk(index)
    }

    /// The whole snapshot, everything checked as by [`read_snapshot`].
    pub(crate) fn snapshot(self, known: &Verifier) -> Result<Snapshot, StoreError> {
        let mut encoded = Vec::new();
        let (path, manifest) = self.checked(|chunk| encoded.extend(chunk))?;
        let snapshot = manifest.join(&encoded).and_then(|snapshot| {
            snapshot.check_votes(known)?;
            Ok(snapshot)
        });
        snapshot.map_err(|source| StoreError::snapshot(path, source))
    }

    /// Reads its chunks in order, each checked against its hash.
    pub(crate) fn checked(
        mut self,
        mut take: impl FnMut(Vec<u8>),
    ) -> Result<(PathBuf, Manifest), StoreError> {
        for index in 0..self.manifest.chunks.len() {
            take(self.next_chunk(index)?);
        }
        self.end()
    }

    fn check(&self, holds: impl FnOnce(&Manifest) -> Result<(), SnapshotError>) -> Result<(), StoreError> {
        holds(&self.manifest).map_err(|source| StoreError::snapshot(self.path.clone(), source))
    }

    fn next_chunk(&mut self, index: usize) -> Result<Vec<u8>, StoreError> {
        let offset = self.reader.offset();
        match self.reader.next_frame()? {
            Found::Frame(frame) if frame.number == index as u64 => {
                self.check(|manifest| manifest.check_chunk(index, &frame.payload))?;
                Ok(frame.payload)
            }
            _ => Err(StoreError::CutOff { path: self.path.clone(), offset }),
        }
    }

    /// Nothing may stand behind the last chunk.
    fn end(mut self) -> Result<(PathBuf, Manifest), StoreError> {
        let offset = self.reader.offset();
        match self.reader.next_frame()? {
            Found::End => Ok((self.path, self.manifest)),
            _ => Err(StoreError::CutOff { path: self.path, offset }),
        }
    }
}

/// A snapshot's records in its file, each under its number.
pub(crate) fn records(snapshot: &Snapshot) -> Result<Vec<(u64, Vec<u8>)>, CborError> {
    let (manifest, encoded) = snapshot.split()?;
    let chunks = (0..).zip(chunks(&encoded)).map(|(index, chunk)| (index, chunk.to_vec()));
    Ok([(snapshot.header.height, manifest.encode()?)].into_iter().chain(chunks).collect())
}

/// Writes a snapshot: whole and durable under its name, or not there.
pub(super) fn write_snapshot(folder: &Path, snapshot: &Snapshot) -> Result<(), StoreError> {
    let height = snapshot.header.height;
    let snapshots = folder.join(SNAPSHOT_FOLDER);
    if !snapshots.is_dir() {
        fs::create_dir_all(&snapshots).map_err(io_error("making", &snapshots))?;
        sync_folder(folder)?;
    }
    let draft = snapshots.join(format!("{height:020}{DRAFT_SUFFIX}"));
    let records = records(snapshot)?;
    let mut writer = FrameWriter::open(&draft, 0, MAX_RECORD_BYTES)?;
    for (number, record) in &records {
        writer.append(*number, record)?;
    }
    writer.sync()?;
    let path = snapshot_path(folder, height);
    fs::rename(&draft, &path).map_err(io_error("renaming into place", &path))?;
    sync_folder(&snapshots)
}

/// A validator's snapshots: which are sound, and the one being written.
pub(super) struct Snapshots {
    folder: PathBuf,
    /// Heights of the sound ones, in order.
    sound: Vec<u64>,
    writing: Option<(u64, JoinHandle<Result<(), StoreError>>)>,
}

impl Snapshots {
    /// Looks through a data folder's snapshots. A damaged one is said aloud and not used; one that was
    /// not finished is removed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        for height in numbered_files(&folder.join(SNAPSHOT_FOLDER), DRAFT_SUFFIX)? {
            let draft = folder.join(SNAPSHOT_FOLDER).join(format!("{height:020}{DRAFT_SUFFIX}"));
            fs::remove_file(&draft).map_err(io_error("removing", &draft))?;
        }
        let mut sound = Vec::new();
        for height in snapshots(folder)? {
            match SnapshotFile::open(folder, height).and_then(|file| file.checked(|_| {})) {
                Ok(_) => sound.push(height),
                Err(error) => tracing::error!(height, %error, "a snapshot is damaged and not used"),
            }
        }
        Ok(Self { folder: folder.to_owned(), sound, writing: None })
    }

    /// Heights of the sound ones, in order.
    pub fn sound(&self) -> &[u64] {
        &self.sound
    }

    /// Height of the newest one that stands or is being written; 0 where there is none.
    pub fn newest_begun(&self) -> u64 {
        let writing = self.writing.as_ref().map(|(height, _)| *height);
        writing.max(self.sound.last().copied()).unwrap_or_default()
    }

    /// Begins to write a snapshot on a thread of its own, so that nobody waits for it. One at a time.
    pub fn begin(&mut self, snapshot: Snapshot) -> Result<(), StoreError> {
        self.finish()?;
        let (height, folder) = (snapshot.header.height, self.folder.clone());
        let thread = std::thread::Builder::new().name(format!("snapshot-{height}"));
        let path = snapshot_path(&self.folder, height);
        let thread = thread.spawn(move || write_snapshot(&folder, &snapshot));
        self.writing = Some((height, thread.map_err(io_error("starting a thread to write", &path))?));
        Ok(())
    }

    /// Writes a snapshot and waits for it.
    pub fn write(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.finish()?;
        write_snapshot(&self.folder, snapshot)?;
        self.written(snapshot.header.height)
    }

    /// Takes note of a snapshot that has been written meanwhile. Whether one has.
    pub fn poll(&mut self) -> Result<bool, StoreError> {
        match self.writing.as_ref().is_some_and(|(_, thread)| thread.is_finished()) {
            true => self.finish(),
            false => Ok(false),
        }
    }

    /// Waits for the snapshot being written, where there is one. Whether there was.
    pub fn finish(&mut self) -> Result<bool, StoreError> {
        let Some((height, thread)) = self.writing.take() else { return Ok(false) };
        let path = snapshot_path(&self.folder, height);
        thread.join().map_err(|_| StoreError::SnapshotThread { path })??;
        self.written(height)?;
        Ok(true)
    }

    /// A snapshot stands: those before the last ones go, damaged ones too.
    fn written(&mut self, height: u64) -> Result<(), StoreError> {
        self.sound.retain(|other| *other != height);
        self.sound.push(height);
        self.sound.sort_unstable();
        let surplus = self.sound.len().saturating_sub(KEPT_SNAPSHOTS);
        self.sound.drain(..surplus);
        let Some(oldest) = self.sound.first().copied() else { return Ok(()) };
        for other in snapshots(&self.folder)?.into_iter().filter(|other| *other < oldest) {
            let path = snapshot_path(&self.folder, other);
            fs::remove_file(&path).map_err(io_error("removing", &path))?;
        }
        Ok(())
    }
}

impl Drop for Snapshots {
    fn drop(&mut self) {
        if let Some((height, thread)) = self.writing.take() {
            // Nobody is left to be told but the log.
            match thread.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(height, %error, "the last snapshot was not written"),
                Err(_) => tracing::error!(height, "the last snapshot was not written"),
            }
        }
    }
}
