//! Append-only files of framed records: what must be durable stands in these and nowhere else.
//!
//! ```text
//! length u32 | number u64 | crc32 of both u32 | payload | crc32 of the payload u32     big-endian
//! ```
//!
//! The header has a checksum of its own, so that a damaged length is not taken for a record that
//! was cut off by a crash. A record cut off at the end (a torn tail) was never synced, nothing that
//! was published depends on it, and it is cut away when the file is opened. Where a file grew before
//! its content reached the disk, zeros stand in the content's place, from some sector on or in whole
//! sectors; that is a torn tail too. Any other damage, in the last record as well, is an error that
//! names the place. The number is the writer's (a height), and says where damage is.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

const HEADER_BYTES: u64 = 16;
const TRAILER_BYTES: u64 = 4;
/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it starts in the file, in bytes.
    pub offset: u64,
    /// Its number.
    pub number: u64,
    /// What was written.
    pub payload: Vec<u8>,
}

/// What stands at some place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole record.
    Frame(Frame),
    /// The file's end.
    End,
    /// A record cut off by the file's end.
    Torn {
        /// Where it starts.
        offset: u64,
    },
}

/// Why a file of records can't be read or written.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The operating system refused.
    #[error("{act} {}: {source}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// A record is damaged, and not by a crash while it was written.
    #[error("{} is damaged at offset {offset}, in the record after number {after}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged record starts, in bytes.
        offset: u64,
        /// Number of the last sound record before it; 0 where there is none.
        after: u64,
    },
    /// A record is larger than the file's records may be.
    #[error("a record of {size} bytes is larger than the {limit} that {} takes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

impl FrameError {
    /// What the operating system said when this was tried on this file.
    pub fn at<'a>(act: &'static str, path: &'a Path) -> impl Fn(io::Error) -> FrameError + 'a {
        move |source| FrameError::Io { act, path: path.to_owned(), source }
    }
}

/// Reads records in order, from a file or from whatever stands for one.
pub struct FrameReader<R = BufReader<File>> {
    path: PathBuf,
    input: R,
    offset: u64,
    length: u64,
    last: u64,
    limit: usize,
}

impl FrameReader {
    /// A reader from `offset` on, of records up to `limit` bytes each.
    ///
    /// # Errors
    /// Where the file can't be opened.
    pub fn open(path: &Path, offset: u64, limit: usize) -> Result<Self, FrameError> {
        let mut file = File::open(path).map_err(FrameError::at("opening", path))?;
        let length = file.metadata().map_err(FrameError::at("measuring", path))?.len();
        file.seek(SeekFrom::Start(offset)).map_err(FrameError::at("seeking in", path))?;
        Ok(Self { path: path.to_owned(), input: BufReader::new(file), offset, length, last: 0, limit })
    }
}

impl<R: Read> FrameReader<R> {
    /// A reader of `length` bytes from `input`, which `path` names in errors.
    pub fn over(path: PathBuf, input: R, length: u64, limit: usize) -> Self {
        Self { path, input, offset: 0, length, last: 0, limit }
    }

    /// The next record, or what stands in its place.
    ///
    /// # Errors
    /// Where a record is damaged or can't be read.
    pub fn next_frame(&mut self) -> Result<Found, FrameError> {
        let (offset, remaining) = (self.offset, self.length.saturating_sub(self.offset));
        if remaining == 0 {
            return Ok(Found::End);
        }
        if remaining < HEADER_BYTES {
            return Ok(Found::Torn { offset });
        }
        let mut header = [0; HEADER_BYTES as usize];
        self.fill(&mut header)?;
        let Some((length, number)) = parse_header(&header) else {
            // A file may have grown before its content reached the disk: zeros up to the end.
            let torn = header.iter().all(|byte| *byte == 0) && self.rest_is_zero()?;
            return if torn { Ok(Found::Torn { offset }) } else { Err(self.damaged()) };
        };
        if length as usize > self.limit {
            return Err(self.damaged());
        }
        let whole = HEADER_BYTES + u64::from(length) + TRAILER_BYTES;
        if remaining < whole {
            return Ok(Found::Torn { offset });
        }
        let mut payload = vec![0; length as usize];
        self.fill(&mut payload)?;
        let mut trailer = [0; TRAILER_BYTES as usize];
        self.fill(&mut trailer)?;
        if u32::from_be_bytes(trailer) != crc32fast::hash(&payload) {
            let torn =
                remaining == whole && never_written(offset, &[&header[..], &payload, &trailer].concat());
            return if torn { Ok(Found::Torn { offset }) } else { Err(self.damaged()) };
        }
        self.offset += whole;
        self.last = number;
        Ok(Found::Frame(Frame { offset, number, payload }))
    }

    /// Where the next record starts.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Number of the last record read; 0 where none was.
    pub fn last_number(&self) -> u64 {
        self.last
    }

    /// Bytes of the whole file when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), FrameError> {
        let Self { path, input, .. } = self;
        input.read_exact(buffer).map_err(|source| FrameError::Io {
            act: "reading",
            path: path.clone(),
            source,
        })
    }

    fn rest_is_zero(&mut self) -> Result<bool, FrameError> {
        let mut rest = vec![0; (self.length - self.offset - HEADER_BYTES) as usize];
        self.fill(&mut rest)?;
        Ok(rest.iter().all(|byte| *byte == 0))
    }

    fn damaged(&self) -> FrameError {
        FrameError::Damaged { path: self.path.clone(), offset: self.offset, after: self.last }
    }
}

/// Whether part of a record that starts at `offset` never reached the disk: a sector of it, or its
/// end, is nothing but zeros.
fn never_written(offset: u64, record: &[u8]) -> bool {
    let zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    let in_first = SECTOR_BYTES - (offset % SECTOR_BYTES as u64) as usize;
    let (first, rest) = record.split_at(in_first.min(record.len()));
    let trailer = &record[record.len() - TRAILER_BYTES as usize..];
    zeros(first) || rest.chunks(SECTOR_BYTES).any(zeros) || zeros(trailer)
}

fn parse_header(header: &[u8; HEADER_BYTES as usize]) -> Option<(u32, u64)> {
    let crc = u32::from_be_bytes(header[12..16].try_into().ok()?);
    (crc == crc32fast::hash(&header[..12])).then_some(())?;
    let length = u32::from_be_bytes(header[..4].try_into().ok()?);
    let number = u64::from_be_bytes(header[4..12].try_into().ok()?);
    Some((length, number))
}

/// One record's bytes.
///
/// # Errors
/// The payload's size, where that is more than `limit`.
pub fn encode(number: u64, payload: &[u8], limit: usize) -> Result<Vec<u8>, usize> {
    let length = u32::try_from(payload.len()).map_err(|_| payload.len())?;
    if payload.len() > limit {
        return Err(payload.len());
    }
    let mut bytes = Vec::with_capacity(payload.len() + 20);
    bytes.extend(length.to_be_bytes());
    bytes.extend(number.to_be_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(payload).to_be_bytes());
    Ok(bytes)
}

/// Appends records.
#[derive(Debug)]
pub struct FrameWriter {
    path: PathBuf,
    file: File,
    end: u64,
    limit: usize,
}

impl FrameWriter {
    /// Opens a file, made where it doesn't exist, to append from `end` on; what stands behind
    /// (a torn tail) is cut away, durably.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn open(path: &Path, end: u64, limit: usize) -> Result<Self, FrameError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(FrameError::at("opening", path))?;
        let mut writer = Self { path: path.to_owned(), file, end, limit };
        writer.cut(end)?;
        writer.sync()?;
        sync_folder(path)?;
        Ok(writer)
    }

    /// Bytes that a record with so large a payload takes in a file.
    pub fn record_bytes(payload_bytes: usize) -> u64 {
        HEADER_BYTES + payload_bytes as u64 + TRAILER_BYTES
    }

    /// Writes one record behind the last; durable only after [`FrameWriter::sync`]. Returns where
    /// it starts.
    ///
    /// # Errors
    /// Where it is too large or the operating system refuses. Whoever meets one must stop: what
    /// stands in the file is unknown then.
    pub fn append(&mut self, number: u64, payload: &[u8]) -> Result<u64, FrameError> {
        let bytes = encode(number, payload, self.limit).map_err(|size| FrameError::TooLarge {
            path: self.path.clone(),
            size,
            limit: self.limit,
        })?;
        let offset = self.end;
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.write_all(&bytes))
            .map_err(|source| self.io("appending to", source))?;
        self.end += bytes.len() as u64;
        Ok(offset)
    }

    /// Makes everything appended durable (`fdatasync`).
    ///
    /// # Errors
    /// Where the disk refuses; whoever meets one must stop.
    pub fn sync(&mut self) -> Result<(), FrameError> {
        self.file.sync_data().map_err(|source| self.io("syncing", source))
    }

    /// Cuts the file to its first `end` bytes.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn cut(&mut self, end: u64) -> Result<(), FrameError> {
        self.file.set_len(end).map_err(|source| self.io("cutting", source))?;
        self.end = end;
        Ok(())
    }

    /// Where the next record will start.
    pub fn end(&self) -> u64 {
        self.end
    }

    fn io(&self, act: &'static str, source: io::Error) -> FrameError {
        FrameError::at(act, &self.path)(source)
    }
}

/// A file just made is found again after a power loss only once its folder is synced too.
fn sync_folder(path: &Path) -> Result<(), FrameError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(FrameError::at("syncing the folder of", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LIMIT: usize = 1000;

    fn written(folder: &Path) -> PathBuf {
        let path = folder.join("frames");
        let mut writer = FrameWriter::open(&path, 0, LIMIT).unwrap();
        for (number, payload) in [(1, &b"one"[..]), (2, b""), (3, b"three")] {
            writer.append(number, payload).unwrap();
        }
        writer.sync().unwrap();
        path
    }

    /// Numbers read, then how it ended.
    fn read(path: &Path) -> (Vec<u64>, String) {
        let mut reader = FrameReader::open(path, 0, LIMIT).unwrap();
        let mut numbers = Vec::new();
        loop {
            match reader.next_frame() {
                Ok(Found::Frame(frame)) => numbers.push(frame.number),
                Ok(Found::End) => return (numbers, "end".to_owned()),
                Ok(Found::Torn { .. }) => return (numbers, "torn".to_owned()),
                Err(FrameError::Damaged { .. }) => return (numbers, "damaged".to_owned()),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&written(folder.path())), (vec![1, 2, 3], "end".to_owned()));
    }

    #[test]
    fn any_cut_is_a_torn_tail_and_appending_goes_on_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let whole = fs::read(written(folder.path())).unwrap();
        let starts = [0, 23, 43, whole.len()];
        for cut in 0..whole.len() {
            let path = folder.path().join("cut");
            fs::write(&path, &whole[..cut]).unwrap();
            let (numbers, how) = read(&path);
            assert_eq!(how == "end", starts.contains(&cut), "cut at {cut}: {how}");
            assert_ne!(how, "damaged", "cut at {cut}");
            let end = starts[numbers.len()] as u64;
            FrameWriter::open(&path, end, LIMIT).unwrap().append(9, b"new").unwrap();
            let (after, how) = read(&path);
            assert_eq!((after.last(), how.as_str()), (Some(&9), "end"), "cut at {cut}");
        }
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let whole = fs::read(written(folder.path())).unwrap();
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[place] ^= 1 << bit;
                let path = folder.path().join("flipped");
                fs::write(&path, bytes).unwrap();
                assert_eq!(read(&path).1, "damaged", "bit {bit} of byte {place}");
            }
        }
    }

    /// A record of several sectors, of which only some reached the disk before the power went.
    #[test]
    fn sectors_that_were_never_written_are_a_torn_tail() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let whole = fs::read(&path).unwrap().len();
        let payload: Vec<u8> = (0..900u32).map(|at| (at % 251) as u8 + 1).collect();
        FrameWriter::open(&path, whole as u64, LIMIT).unwrap().append(4, &payload).unwrap();
        let bytes = fs::read(&path).unwrap();
        let borders = [whole, 512, bytes.len()];
        for lost in [0..1, 1..2, 0..2] {
            let mut torn = bytes.clone();
            torn[borders[lost.start]..borders[lost.end]].fill(0);
            fs::write(&path, torn).unwrap();
            // Without its header a record's end is unknown, and what follows on it looks like damage.
            let expected = if lost == (0..1) { "damaged" } else { "torn" };
            assert_eq!(read(&path), (vec![1, 2, 3], expected.to_owned()), "{lost:?}");
        }
    }

    #[test]
    fn zeros_at_the_end_are_a_torn_tail() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend([0; 50]);
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path), (vec![1, 2, 3], "torn".to_owned()));
    }
}
