//! Where the data sets' text comes from: the binary itself, or a directory laid out like `gridpact/data`.
//! What the text means is other files' business.

use super::day::Season;
use super::simbench::Grid;
use std::borrow::Cow;
use std::path::PathBuf;
use thiserror::Error;

/// Largest data file read, in bytes. The largest carried is a quarter of a megabyte.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A source of data files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dataset {
    /// The files built into the program.
    #[default]
    Embedded,
    /// The same names under a directory of the user's.
    Directory(PathBuf),
}

/// One file of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataFile {
    /// A grid.
    Grid(Grid),
    /// A season's load profiles.
    LoadProfiles(Season),
    /// A season's PV profiles.
    GeneratorProfiles(Season),
    /// A season's day-ahead prices.
    Prices(Season),
}

/// A data file that could not be read.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// The operating system refused.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Larger than any data file should be.
    #[error("reading {path}: {bytes} bytes are more than the {MAX_FILE_BYTES} allowed")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
}

impl DataFile {
    /// Its path within the data set.
    pub fn path(self) -> String {
        match self {
            DataFile::Grid(grid) => format!("simbench/lv-{}-2.json", grid.word()),
            DataFile::LoadProfiles(season) => format!("simbench/profiles-load-{}.csv", season.word()),
            DataFile::GeneratorProfiles(season) => {
                format!("simbench/profiles-generator-{}.csv", season.word())
            }
            DataFile::Prices(season) => format!("prices/de-lu-day-ahead-{}.csv", season.word()),
        }
    }

    fn embedded(self) -> &'static str {
        macro_rules! data {
            ($path:literal) => {
                include_str!(concat!("../../data/", $path))
            };
        }
        match self {
            DataFile::Grid(Grid::Rural1) => data!("simbench/lv-rural1-2.json"),
            DataFile::Grid(Grid::Semiurb4) => data!("simbench/lv-semiurb4-2.json"),
            DataFile::Grid(Grid::Urban6) => data!("simbench/lv-urban6-2.json"),
            DataFile::LoadProfiles(Season::Winter) => data!("simbench/profiles-load-winter.csv"),
            DataFile::LoadProfiles(Season::Summer) => data!("simbench/profiles-load-summer.csv"),
            DataFile::GeneratorProfiles(Season::Winter) => data!("simbench/profiles-generator-winter.csv"),
            DataFile::GeneratorProfiles(Season::Summer) => data!("simbench/profiles-generator-summer.csv"),
            DataFile::Prices(Season::Winter) => data!("prices/de-lu-day-ahead-winter.csv"),
            DataFile::Prices(Season::Summer) => data!("prices/de-lu-day-ahead-summer.csv"),
        }
    }
}

impl Dataset {
    /// The text of one file.
    ///
    /// # Errors
    /// Where a directory is given and the file there can't be read.
    pub fn text(&self, file: DataFile) -> Result<Cow<'static, str>, DatasetError> {
        let Dataset::Directory(directory) = self else {
            return Ok(Cow::Borrowed(file.embedded()));
        };
        let path = directory.join(file.path());
        let read = |source| DatasetError::Read { path: path.clone(), source };
        let bytes = std::fs::metadata(&path).map_err(read)?.len();
        if bytes > MAX_FILE_BYTES {
            return Err(DatasetError::TooLarge { path, bytes });
        }
        std::fs::read_to_string(&path).map(Cow::Owned).map_err(read)
    }
}
