//! The block log: decided blocks with their votes, in order of height, in segments. A segment is an
//! append-only file of framed records named by its first block's height, so that old blocks go by
//! deleting whole files. What a block does is not known here.

use super::frames::{Found, Frame, FrameError, FrameReader, FrameWriter};
use super::{io_error, sync_folder, StoreError};
use crate::block::MAX_BLOCK_BYTES;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Folder of the segments in a data folder.
pub const LOG_FOLDER: &str = "blocks";
/// What a segment's name ends in.
const SEGMENT_SUFFIX: &str = ".log";

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// First height of the segment.
    pub segment: u64,
    /// Where in it, in bytes.
    pub offset: u64,
}

/// What stands at some place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Logged {
    /// A block's encoding.
    Block {
        /// Where it starts.
        place: Place,
        /// Its height.
        height: u64,
        /// Its encoding.
        payload: Vec<u8>,
    },
    /// The log's end.
    End(Place),
    /// A record of the last segment cut off by its end.
    Torn(Place),
}

/// The file of the segment that begins with this height.
pub fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(LOG_FOLDER).join(format!("{first:020}{SEGMENT_SUFFIX}"))
}

/// First heights of the segments in a data folder, in order; none where there is no log yet.
///
/// # Errors
/// Where the folder can't be read.
pub fn segments(folder: &Path) -> Result<Vec<u64>, StoreError> {
    let mut found = super::numbered_files(&folder.join(LOG_FOLDER), SEGMENT_SUFFIX)?;
    found.sort_unstable();
    Ok(found)
}

/// Reads blocks in order, over segments. Changes nothing.
pub struct LogReader {
    folder: PathBuf,
    /// Segments not begun yet, the next one last.
    later: Vec<u64>,
    segment: u64,
    reader: FrameReader,
    next: u64,
}

impl LogReader {
    /// A reader of a whole log; none where there is no segment.
    ///
    /// # Errors
    /// Where the folder or its first segment can't be read.
    pub fn from_start(folder: &Path) -> Result<Option<Self>, StoreError> {
        let Some(first) = segments(folder)?.first().copied() else { return Ok(None) };
        Self::from_place(folder, Place { segment: first, offset: 0 }, first).map(Some)
    }

    /// A reader from a place on, where the block at `height` stands or will.
    ///
    /// # Errors
    /// Where the folder or the segment can't be read.
    pub fn from_place(folder: &Path, place: Place, height: u64) -> Result<Self, StoreError> {
        let mut later = segments(folder)?;
        later.retain(|first| *first > place.segment);
        later.reverse();
        let path = segment_path(folder, place.segment);
        let reader = FrameReader::open(&path, place.offset, MAX_BLOCK_BYTES)?;
        Ok(Self { folder: folder.to_owned(), later, segment: place.segment, reader, next: height })
    }

    /// The next block, or what stands in its place.
    ///
    /// # Errors
    /// Where a record is damaged, is not the one that should stand here, or can't be read.
    pub fn next_block(&mut self) -> Result<Logged, StoreError> {
        loop {
            let place = self.place();
            match self.reader.next_frame()? {
                Found::Frame(frame) if frame.number == self.next => {
                    self.next = self.next.saturating_add(1);
                    return Ok(Logged::Block { place, height: frame.number, payload: frame.payload });
                }
                Found::Frame(frame) => {
                    return Err(StoreError::OtherHeight {
                        path: segment_path(&self.folder, self.segment),
                        offset: frame.offset,
                        expected: self.next,
                        found: frame.number,
                    })
                }
                Found::Torn { .. } if self.later.is_empty() => return Ok(Logged::Torn(place)),
                Found::Torn { offset } => {
                    let path = segment_path(&self.folder, self.segment);
                    return Err(FrameError::Damaged { path, offset, after: self.next - 1 }.into());
                }
                Found::End if self.later.is_empty() => return Ok(Logged::End(place)),
                Found::End => self.turn_over()?,
            }
        }
    }

    /// Where the next record starts.
    pub fn place(&self) -> Place {
        Place { segment: self.segment, offset: self.reader.offset() }
    }

    /// Height of the next block.
    pub fn next_height(&self) -> u64 {
        self.next
    }

    /// Goes on with the next segment, which must begin where this one ends.
    fn turn_over(&mut self) -> Result<(), StoreError> {
        let Some(first) = self.later.pop() else { return Ok(()) };
        let path = segment_path(&self.folder, first);
        if first != self.next {
            return Err(StoreError::OtherHeight { path, offset: 0, expected: self.next, found: first });
        }
        self.reader = FrameReader::open(&path, 0, MAX_BLOCK_BYTES)?;
        self.segment = first;
        Ok(())
    }
}

/// Appends blocks, and takes the oldest away.
pub(super) struct BlockLog {
    folder: PathBuf,
    /// First heights of the segments; the last is written to.
    segments: Vec<u64>,
    writer: FrameWriter,
    segment_bytes: u64,
}

impl BlockLog {
    /// Opens the log to append from `end` on. What stands behind, a torn tail, is cut away.
    pub fn open(folder: &Path, end: Place, segment_bytes: u64) -> Result<Self, StoreError> {
        let blocks = folder.join(LOG_FOLDER);
        if !blocks.is_dir() {
            fs::create_dir_all(&blocks).map_err(io_error("making", &blocks))?;
            sync_folder(folder)?;
        }
        let writer = FrameWriter::open(&segment_path(folder, end.segment), end.offset, MAX_BLOCK_BYTES)?;
        Ok(Self { folder: folder.to_owned(), segments: segments(folder)?, writer, segment_bytes })
    }

    /// Writes a block behind the last and makes it durable. Returns where it starts and ends.
    pub fn append(&mut self, height: u64, payload: &[u8]) -> Result<(Place, u64), StoreError> {
        if self.writer.end() >= self.segment_bytes {
            self.writer = FrameWriter::open(&segment_path(&self.folder, height), 0, MAX_BLOCK_BYTES)?;
            self.segments.push(height);
        }
        let offset = self.writer.append(height, payload)?;
        self.writer.sync()?;
        Ok((Place { segment: self.current(), offset }, self.writer.end()))
    }

    /// The encoding of the block that stands at a place.
    pub fn read(&self, place: Place, height: u64) -> Result<Vec<u8>, StoreError> {
        let path = segment_path(&self.folder, place.segment);
        match FrameReader::open(&path, place.offset, MAX_BLOCK_BYTES)?.next_frame()? {
            Found::Frame(frame) if frame.number == height => Ok(frame.payload),
            Found::Frame(Frame { offset, number: found, .. }) => {
                Err(StoreError::OtherHeight { path, offset, expected: height, found })
            }
            Found::End | Found::Torn { .. } => Err(StoreError::LogTooShort { height }),
        }
    }

    /// The encoding of a block that no index knows, found by reading its segment.
    pub fn search(&self, height: u64) -> Result<Option<(Place, Vec<u8>)>, StoreError> {
        let Some(segment) = self.segments.iter().rev().find(|first| **first <= height).copied() else {
            return Ok(None);
        };
        let mut reader = LogReader::from_place(&self.folder, Place { segment, offset: 0 }, segment)?;
        loop {
            match reader.next_block()? {
                Logged::Block { place, height: at, payload } if at == height => {
                    return Ok(Some((place, payload)))
                }
                Logged::Block { .. } => {}
                Logged::End(_) | Logged::Torn(_) => return Ok(None),
            }
        }
    }

    /// Lowest height it can hold: its first segment's.
    pub fn first(&self) -> u64 {
        self.segments.first().copied().unwrap_or(u64::MAX)
    }

    /// Deletes segments that hold nothing but blocks up to `height`; never the one written to.
    pub fn remove_up_to(&mut self, height: u64) -> Result<(), StoreError> {
        let surplus = surplus(&self.segments, height);
        if surplus == 0 {
            return Ok(());
        }
        for first in self.segments.drain(..surplus) {
            let path = segment_path(&self.folder, first);
            fs::remove_file(&path).map_err(io_error("removing", &path))?;
        }
        sync_folder(&self.folder.join(LOG_FOLDER))
    }

    fn current(&self) -> u64 {
        self.segments.last().copied().unwrap_or(u64::MAX)
    }
}

/// How many of the first of these segments, by their first heights, hold nothing but blocks up to `height`;
/// never the last, which is written to.
pub(crate) fn surplus(segments: &[u64], height: u64) -> usize {
    let kept = segments.windows(2).position(|pair| pair[1] > height.saturating_add(1));
    kept.unwrap_or(segments.len().saturating_sub(1))
}

/// Deletes every segment: a snapshot further on takes the log's place.
pub(super) fn remove_all(folder: &Path) -> Result<(), StoreError> {
    let blocks = folder.join(LOG_FOLDER);
    for first in segments(folder)? {
        let path = segment_path(folder, first);
        fs::remove_file(&path).map_err(io_error("removing", &path))?;
    }
    if blocks.is_dir() {
        sync_folder(&blocks)?;
    }
    Ok(())
}

/// What a log holds, as far as its names and its last segment say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// First height it can hold.
    pub first: u64,
    /// Last height it holds; one less than the first where it holds none.
    pub last: u64,
}

impl Span {
    /// Looks at the segments' names and reads the last one.
    pub fn of(folder: &Path) -> Result<Self, StoreError> {
        let segments = segments(folder)?;
        let (Some(first), Some(last)) = (segments.first().copied(), segments.last().copied()) else {
            return Ok(Self { first: 1, last: 0 });
        };
        let mut reader = LogReader::from_place(folder, Place { segment: last, offset: 0 }, last)?;
        loop {
            match reader.next_block()? {
                Logged::Block { .. } => {}
                Logged::End(_) => break,
                Logged::Torn(Place { segment, offset }) => {
                    let segment = segment_path(folder, segment);
                    tracing::warn!(segment = %segment.display(), offset, "the log's last record was cut off; removed");
                    break;
                }
            }
        }
        Ok(Self { first, last: reader.next_height() - 1 })
    }

    /// Whether it holds no block.
    pub fn is_empty(&self) -> bool {
        self.last < self.first
    }
}
