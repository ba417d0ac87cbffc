//! A disk in memory: files of framed records with the real codec, and a model of what a crash leaves
//! of what was not synced. What was done since the last sync survives up to some point of it, and the
//! write at that point may be torn: cut off, or zeros from somewhere on.

use crate::store::frames::{encode, Found, FrameError, FrameReader};
use rand::Rng;
use std::path::PathBuf;

/// Largest record of any file.
const RECORD_LIMIT: usize = 1 << 21;
/// Bytes of a record's header, which a disk writes whole or not at all.
const HEADER_BYTES: usize = 16;
/// Bytes of its closing checksum, likewise.
const TRAILER_BYTES: usize = 4;

/// What all files of one machine depend on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Power {
    /// Whether the disk refuses to write.
    pub broken: bool,
    /// Writes left until the power goes; none where it stays.
    pub left: Option<u32>,
}

impl Power {
    /// Whether one more thing can be done to the disk.
    pub fn act(&mut self) -> Result<(), String> {
        if self.broken {
            return Err("the disk refuses to write".to_owned());
        }
        match &mut self.left {
            Some(0) => return Err("the power is gone".to_owned()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    /// Whether the power went.
    pub fn is_gone(&self) -> bool {
        self.left == Some(0)
    }
}

/// Something done to a file.
#[derive(Clone, Debug)]
enum Write {
    Append(Vec<u8>),
    Cut(usize),
}

/// One file.
#[derive(Clone, Debug, Default)]
pub struct DiskFile {
    /// What a sync made durable.
    durable: Vec<u8>,
    /// What was done since, in order.
    unsynced: Vec<Write>,
    /// The file as the running process sees it.
    current: Vec<u8>,
}

impl DiskFile {
    /// Writes one record behind the last; durable only after [`DiskFile::sync`].
    pub fn append(&mut self, power: &mut Power, number: u64, payload: &[u8]) -> Result<(), String> {
        power.act()?;
        let bytes =
            encode(number, payload, RECORD_LIMIT).map_err(|size| format!("{size} bytes in a record"))?;
        self.current.extend(&bytes);
        self.unsynced.push(Write::Append(bytes));
        Ok(())
    }

    /// Cuts the file to its first `end` bytes.
    pub fn cut(&mut self, power: &mut Power, end: usize) -> Result<(), String> {
        power.act()?;
        self.current.truncate(end);
        self.unsynced.push(Write::Cut(end));
        Ok(())
    }

    /// Makes everything done durable.
    pub fn sync(&mut self, power: &mut Power) -> Result<(), String> {
        power.act()?;
        self.durable.clone_from(&self.current);
        self.unsynced.clear();
        Ok(())
    }

    /// Bytes in it, as the running process sees it.
    pub fn len(&self) -> u64 {
        self.current.len() as u64
    }

    /// Reads it from its beginning; `path` names it in errors.
    pub fn reader(&self, path: PathBuf) -> FrameReader<&[u8]> {
        FrameReader::over(path, self.current.as_slice(), self.len(), RECORD_LIMIT)
    }

    /// The process dies, or the power goes.
    pub fn crash(&mut self, random: &mut impl Rng) {
        let kept = random.random_range(0..=self.unsynced.len());
        let mut bytes = std::mem::take(&mut self.durable);
        for write in &self.unsynced[..kept] {
            match write {
                Write::Append(record) => bytes.extend(record),
                Write::Cut(end) => bytes.truncate(*end),
            }
        }
        if let Some(Write::Append(record)) = self.unsynced.get(kept) {
            let torn = random.random_range(0..record.len());
            bytes.extend(&record[..torn]);
            if (HEADER_BYTES..=record.len() - TRAILER_BYTES).contains(&torn) && random.random_bool(0.3) {
                bytes.resize(bytes.len() + record.len() - torn, 0);
            }
        }
        self.unsynced.clear();
        self.current.clone_from(&bytes);
        self.durable = bytes;
    }

    /// Reads every sound record, and cuts a torn tail away, as a validator does when it starts.
    pub fn open(&mut self) -> Result<Vec<(u64, Vec<u8>)>, FrameError> {
        let mut reader = self.reader(PathBuf::from("a simulated file"));
        let mut records = Vec::new();
        let end = loop {
            match reader.next_frame()? {
                Found::Frame(frame) => records.push((frame.number, frame.payload)),
                Found::End => break reader.offset(),
                Found::Torn { offset } => break offset,
            }
        } as usize;
        self.current.truncate(end);
        self.durable.clone_from(&self.current);
        self.unsynced.clear();
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::SeedableRng;

    #[test]
    fn what_was_synced_survives_and_the_rest_up_to_some_point() {
        let mut seen = [false; 4];
        for seed in 0..200 {
            let mut random = SmallRng::seed_from_u64(seed);
            let (mut file, mut power) = (DiskFile::default(), Power::default());
            file.append(&mut power, 1, b"one").unwrap();
            file.sync(&mut power).unwrap();
            file.append(&mut power, 2, b"two").unwrap();
            file.append(&mut power, 3, b"three").unwrap();
            file.crash(&mut random);
            let numbers: Vec<u64> = file.open().unwrap().iter().map(|(number, _)| *number).collect();
            assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "seed {seed}");
            seen[numbers.len()] = true;
            file.append(&mut power, 9, b"after").unwrap();
            assert_eq!(file.open().unwrap().last().unwrap().0, 9, "seed {seed}");
        }
        assert_eq!(seen, [false, true, true, true]);
    }

    #[test]
    fn a_cut_that_was_not_synced_may_be_undone() {
        let left = |seed| {
            let (mut file, mut power) = (DiskFile::default(), Power::default());
            file.append(&mut power, 1, b"one").unwrap();
            file.sync(&mut power).unwrap();
            file.cut(&mut power, 0).unwrap();
            file.crash(&mut SmallRng::seed_from_u64(seed));
            file.open().unwrap().len()
        };
        assert_eq!((0..50).map(left).max(), Some(1));
        assert_eq!((0..50).map(left).min(), Some(0));
    }
}
