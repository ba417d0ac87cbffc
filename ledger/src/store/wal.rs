//! The write-ahead log of one height: what this validator said and what it saw before it said so.
//! Synced before anything is published that depends on it, read back after a crash, emptied when
//! the height is decided. What a record means is consensus's business.

use super::frames::{Found, FrameError, FrameReader, FrameWriter};
use super::WAL_FILE;
use crate::block::MAX_BLOCK_BYTES;
use std::path::Path;

/// A block proposed is the largest thing recorded; its own fields need less than the difference.
const MAX_RECORD_BYTES: usize = MAX_BLOCK_BYTES + 1024;

/// Reads a data folder's write-ahead log, where there is one, and checks every record's checksums.
///
/// # Errors
/// Where one is damaged or cut off, or the log can't be read.
pub fn check_wal(folder: &Path) -> Result<(), FrameError> {
    let path = folder.join(WAL_FILE);
    if !path.exists() {
        return Ok(());
    }
    let mut reader = FrameReader::open(&path, 0, MAX_RECORD_BYTES)?;
    loop {
        match reader.next_frame()? {
            Found::Frame(_) => {}
            Found::End => return Ok(()),
            Found::Torn { offset } => {
                return Err(FrameError::Damaged { path, offset, after: reader.last_number() })
            }
        }
    }
}

/// A validator's write-ahead log.
#[derive(Debug)]
pub struct Wal {
    file: FrameWriter,
    unsynced: bool,
}

impl Wal {
    /// Opens the log in a data folder and reads what it holds of `height`, in order. Older heights
    /// were decided: their records are worth nothing any more.
    ///
    /// # Errors
    /// Where it is damaged anywhere but at its tail.
    pub fn open(folder: &Path, height: u64) -> Result<(Self, Vec<Vec<u8>>), FrameError> {
        let path = folder.join(WAL_FILE);
        if !path.exists() {
            FrameWriter::open(&path, 0, MAX_RECORD_BYTES)?;
        }
        let mut reader = FrameReader::open(&path, 0, MAX_RECORD_BYTES)?;
        let mut records = Vec::new();
        let end = loop {
            match reader.next_frame()? {
                Found::Frame(frame) if frame.number == height => records.push(frame.payload),
                Found::Frame(_) => {}
                Found::End => break reader.offset(),
                Found::Torn { offset } => break offset,
            }
        };
        let mut file = FrameWriter::open(&path, end, MAX_RECORD_BYTES)?;
        if records.is_empty() {
            file.cut(0)?;
        }
        Ok((Self { file, unsynced: false }, records))
    }

    /// Writes a record; durable only after [`Wal::sync`].
    ///
    /// # Errors
    /// Whoever meets one must stop, and not vote.
    pub fn append(&mut self, height: u64, record: &[u8]) -> Result<(), FrameError> {
        self.file.append(height, record)?;
        self.unsynced = true;
        Ok(())
    }

    /// Makes everything appended durable.
    ///
    /// # Errors
    /// Whoever meets one must stop, and not vote.
    pub fn sync(&mut self) -> Result<(), FrameError> {
        if self.unsynced {
            self.file.sync()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Forgets everything: the height is decided and stands in the block log.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn clear(&mut self) -> Result<(), FrameError> {
        self.unsynced = false;
        self.file.cut(0)
    }
}
