//! A small file of records that outlives crashes and power cuts: read whole when it is opened, then appended to, and now
//! and then written anew. Its frames are [`frames`](super::frames)'. What records mean is for whoever keeps them.

use super::frames::{Found, FrameError, FrameReader, FrameWriter};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A file of records.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    limit: usize,
    /// None after a write that failed: what stands behind `end` is unknown then, and cut away.
    writer: Option<FrameWriter>,
    /// Where the last record ends that was synced.
    end: u64,
}

impl RecordFile {
    /// Opens a file of records of at most `limit` bytes, made where it isn't there, and gives what `decode` makes of
    /// them. A last record that was cut off is cut away. A file that is damaged, or has a record that `decode` makes
    /// nothing of, is put aside (`.damaged`) with a line in the log, and what stood before the damage goes on.
    ///
    /// # Errors
    /// Where it can't be read or written.
    pub fn open<T>(
        path: &Path,
        limit: usize,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<(RecordFile, Vec<T>), FrameError> {
        let Content { records, damaged, end } = read(path, limit, decode)?;
        if damaged {
            let aside = path.with_extension("damaged");
            tracing::error!(path = %path.display(), aside = %aside.display(), "a file of records is damaged; put aside");
            let put = fs::copy(path, &aside).and_then(|_| File::open(&aside)?.sync_all());
            put.map_err(FrameError::at("putting aside", path))?;
        }
        let writer = Some(FrameWriter::open(path, end, limit)?);
        Ok((RecordFile { path: path.to_owned(), limit, writer, end }, records))
    }

    /// Appends records, durably and with one sync. After an error none of them counts; they may be appended again.
    ///
    /// # Errors
    /// Where one is too large or the disk refuses.
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<(), FrameError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => FrameWriter::open(&self.path, self.end, self.limit)?,
        };
        append(&mut writer, records)?;
        self.end = writer.end();
        self.writer = Some(writer);
        Ok(())
    }

    /// Puts these records in the place of all before, at once: after an error either those or these are there.
    ///
    /// # Errors
    /// Where one is too large or the disk refuses.
    pub fn renew(&mut self, records: &[Vec<u8>]) -> Result<(), FrameError> {
        let next = self.path.with_extension("next");
        let mut writer = FrameWriter::open(&next, 0, self.limit)?;
        append(&mut writer, records)?;
        self.writer = None;
        fs::rename(&next, &self.path).map_err(FrameError::at("putting in place", &self.path))?;
        self.end = writer.end();
        self.writer = Some(FrameWriter::open(&self.path, self.end, self.limit)?);
        Ok(())
    }

    /// Bytes of it that count.
    pub fn bytes(&self) -> u64 {
        self.end
    }
}

fn append(writer: &mut FrameWriter, records: &[Vec<u8>]) -> Result<(), FrameError> {
    for (number, record) in (1..).zip(records) {
        writer.append(number, record)?;
    }
    writer.sync()
}

/// What a file holds, up to its end or its first damage.
struct Content<T> {
    records: Vec<T>,
    damaged: bool,
    /// Where the last whole record ends.
    end: u64,
}

fn read<T>(path: &Path, limit: usize, decode: impl Fn(&[u8]) -> Option<T>) -> Result<Content<T>, FrameError> {
    let mut content = Content { records: Vec::new(), damaged: false, end: 0 };
    if !path.exists() {
        return Ok(content);
    }
    let mut reader = FrameReader::open(path, 0, limit)?;
    loop {
        let decoded = match reader.next_frame() {
            Ok(Found::Frame(frame)) => decode(&frame.payload),
            Ok(Found::End | Found::Torn { .. }) => return Ok(content),
            Err(FrameError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(record) = decoded else {
            content.damaged = true;
            return Ok(content);
        };
        content.records.push(record);
        content.end = reader.offset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 100;

    /// Records of one byte each, none of which is 13.
    fn open(path: &Path) -> (RecordFile, Vec<u8>) {
        let decode = |bytes: &[u8]| bytes.first().copied().filter(|byte| *byte != 13);
        RecordFile::open(path, LIMIT, decode).unwrap()
    }

    fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
        bytes.iter().map(|byte| vec![*byte]).collect()
    }

    #[test]
    fn a_cut_at_any_byte_loses_the_record_it_goes_through_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.log");
        let (mut file, before) = open(&path);
        assert_eq!(before, Vec::<u8>::new());
        for batch in [&[1, 2][..], &[3], &[4, 5, 6]] {
            file.append(&records(batch)).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        assert_eq!(whole.len() as u64, file.bytes());
        for cut in 0..=whole.len() {
            let path = folder.path().join(format!("cut-{cut}.log"));
            fs::write(&path, &whole[..cut]).unwrap();
            let uncut = cut as u64 / FrameWriter::record_bytes(1);
            let (mut file, found) = open(&path);
            assert!(found.iter().copied().eq(1..=uncut as u8), "{found:?} cut at {cut}");
            file.append(&records(&[9])).unwrap();
            assert_eq!(open(&path).1, [found, vec![9]].concat(), "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_file_is_put_aside_and_what_stood_before_the_damage_goes_on() {
        let check = |damage: fn(&mut RecordFile, &Path), expected: &[u8]| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("records.log");
            let (mut file, _) = open(&path);
            file.append(&records(&[1, 2, 3])).unwrap();
            damage(&mut file, &path);
            drop(file);
            let (mut file, found) = open(&path);
            assert_eq!(found, expected);
            assert!(path.with_extension("damaged").exists());
            file.append(&records(&[7])).unwrap();
            assert_eq!(open(&path).1, [expected, &[7]].concat());
        };
        let flip = |_: &mut RecordFile, path: &Path| {
            let mut bytes = fs::read(path).unwrap();
            let place = bytes.len() / 2;
            bytes[place] ^= 1;
            fs::write(path, bytes).unwrap();
        };
        check(flip, &[1]);
        check(|file, _| file.append(&records(&[13, 4])).unwrap(), &[1, 2, 3]);
    }

    #[test]
    fn what_the_disk_refuses_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.log");
        let (mut file, _) = open(&path);
        file.append(&records(&[1, 2])).unwrap();
        // The name that a renewed file is written under is taken by a folder.
        let obstacle = path.with_extension("next");
        fs::create_dir(&obstacle).unwrap();
        assert!(file.renew(&records(&[8])).is_err());
        let too_large = file.append(&[vec![3], vec![0; LIMIT + 1]]);
        assert!(matches!(too_large, Err(FrameError::TooLarge { size: 101, .. })), "{too_large:?}");
        file.append(&records(&[4])).unwrap();
        assert_eq!(open(&path).1, [1, 2, 4]);
        fs::remove_dir(&obstacle).unwrap();
        file.renew(&records(&[8])).unwrap();
        file.append(&records(&[9])).unwrap();
        assert_eq!(open(&path).1, [8, 9]);
    }
}
