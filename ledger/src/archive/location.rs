//! Where batches lie: the archive's place, a batch's path in it, and what of both goes on the ledger. No disk and no
//! network here.

use market::interval::Interval;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::Id;

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchKind {
    /// Meter readings.
    Readings,
    /// Bids.
    Bids,
}

impl BatchKind {
    /// The kind's word in paths.
    pub fn word(self) -> &'static str {
        match self {
            BatchKind::Readings => "readings",
            BatchKind::Bids => "bids",
        }
    }
}

/// A batch's path in its aggregator's archive: `readings/a1/1700000100-0123456789abcdef.parquet`. What the bytes are
/// is part of it, so that nothing is ever written over something else.
pub fn path_of(kind: BatchKind, aggregator: &Id, interval: Interval, sha256: &Hash32) -> String {
    let digits = sha256.to_string();
    format!("{}/{aggregator}/{}-{}.parquet", kind.word(), interval.start().0, &digits[..16])
}

/// Where an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket of an S3-compatible store.
    S3 {
        /// The bucket.
        bucket: String,
        /// What every path in it begins with; empty, or without a slash at either end.
        prefix: String,
    },
}

/// Why a text is no place, or a location not in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlaceError {
    /// Not a URL of a kind there is.
    #[error("{url:?} is no archive: give file:///folder or s3://bucket/prefix")]
    Url {
        /// The text.
        url: String,
    },
    /// A batch lies in another archive than the one at hand.
    #[error("the batch lies at {location}, which is not in {place}")]
    Elsewhere {
        /// Where it lies.
        location: String,
        /// The archive at hand.
        place: String,
    },
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError::Url { url: text.chars().take(200).collect() };
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_end_matches('/');
            // Only characters that no store and no URL writes otherwise.
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            let segments = prefix.is_empty()
                || prefix.split('/').all(|part| !["", ".", ".."].contains(&part) && part.chars().all(plain));
            if bucket.is_empty() || !bucket.chars().all(plain) || !segments {
                return Err(wrong());
            }
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
        }
        let url = url::Url::parse(text).ok().filter(|url| url.scheme() == "file").ok_or_else(wrong)?;
        url.to_file_path().map(Self::Folder).map_err(|()| wrong())
    }
}

impl Place {
    /// What the ledger says of a batch at `path` in this archive: the whole URL in a store that others can reach, and
    /// the path alone in a folder of one machine, whose name is nobody else's business.
    pub fn location(&self, path: &str) -> String {
        match self {
            Place::Folder(_) => path.to_owned(),
            Place::S3 { bucket, prefix } if prefix.is_empty() => format!("s3://{bucket}/{path}"),
            Place::S3 { bucket, prefix } => format!("s3://{bucket}/{prefix}/{path}"),
        }
    }

    /// The path in this archive of a batch that lies at `location`: one of its own, or one relative to it. So nothing
    /// that somebody put on the ledger sends anybody to a machine of that somebody's choosing.
    ///
    /// # Errors
    /// [`PlaceError::Elsewhere`].
    pub fn path_in<'a>(&self, location: &'a str) -> Result<&'a str, PlaceError> {
        let elsewhere = || PlaceError::Elsewhere { location: location.to_owned(), place: self.to_string() };
        if !location.contains("://") {
            return Ok(location);
        }
        let of_ours = self.location("");
        location.strip_prefix(of_ours.as_str()).filter(|_| !of_ours.is_empty()).ok_or_else(elsewhere)
    }

    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Place::Folder(folder) => Some(folder),
            Place::S3 { .. } => None,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Folder(folder) => write!(f, "{}", folder.display()),
            Place::S3 { .. } => f.write_str(self.location("").trim_end_matches('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(url.parse::<Place>().ok().map(|place| place.to_string()).as_deref(), expected, "{url}");
    }

    #[test]
    fn archives_have_urls_and_nothing_else_does() {
        check("file:///var/lib/grid%20pact", Some("/var/lib/grid pact"));
        check("s3://bucket", Some("s3://bucket"));
        check("s3://bucket/a/b/", Some("s3://bucket/a/b"));
        check("s3://", None);
        check("s3://bucket/a/../b", None);
        check("s3://bucket/a//b", None);
        check("s3://bucket/a?b", None);
        check("https://example.org/x", None);
        check("/var/lib/gridpact", None);
        check("file://elsewhere/x", None);
    }

    #[test]
    fn a_location_is_found_again_in_its_own_archive_and_in_no_other() {
        let place = |url: &str| url.parse::<Place>().unwrap();
        let check = |written: &str, read: &str, found: bool| {
            let location = place(written).location("bids/a1/7.parquet");
            let path = place(read).path_in(&location).ok().map(str::to_owned);
            assert_eq!(path, found.then(|| "bids/a1/7.parquet".to_owned()), "{location} in {read}");
        };
        check("file:///one", "file:///two", true);
        check("file:///one", "s3://bucket/x", true);
        check("s3://bucket/x", "s3://bucket/x", true);
        check("s3://bucket", "s3://bucket", true);
        check("s3://bucket/x", "s3://bucket/y", false);
        check("s3://bucket/x", "s3://bucket2/x", false);
        check("s3://bucket/x", "file:///one", false);
    }

    #[test]
    fn a_path_names_what_it_holds() {
        let sha256 = Hash32([0x5a; 32]);
        let interval = Interval(market::interval::UnixSeconds(900));
        let path = path_of(BatchKind::Bids, &"a1".parse().unwrap(), interval, &sha256);
        assert_eq!(path, "bids/a1/900-5a5a5a5a5a5a5a5a.parquet");
    }
}
