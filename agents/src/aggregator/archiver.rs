//! Keeps an aggregator's batches: straight in its archive where that is a folder; otherwise first in a folder of this
//! machine, from where they go to the store as soon as it takes them, across restarts.

use super::delivery::StoredBatch;
use crate::shell::StartError;
use ledger::archive::location::Place;
use ledger::archive::store::{Archive, ArchiveError, S3Settings};
use prometheus::IntGauge;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Time between two attempts at a store that refuses.
const RETRY: Duration = Duration::from_secs(30);

/// Where batches go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveOptions {
    /// The archive.
    pub place: Place,
    /// What it needs besides, where it is S3-compatible.
    pub s3: S3Settings,
}

impl ArchiveOptions {
    /// A folder below a role's own.
    pub fn in_folder(data_dir: &Path) -> Self {
        Self { place: Place::Folder(data_dir.join("archive")), s3: S3Settings::default() }
    }
}

/// Keeps batches. Uploading ends when it is dropped.
pub(super) struct Archiver {
    archive: Archive,
    /// Batches that the archive has not taken yet; none where it is a folder itself.
    waiting: Option<Arc<Waiting>>,
}

struct Waiting {
    folder: Archive,
    arrived: Notify,
    count: IntGauge,
}

impl Archiver {
    /// Opens the archive and, on the current arbiter, begins to upload what waits for it.
    ///
    /// # Errors
    /// Where it can't be opened.
    pub fn open(options: &ArchiveOptions, data_dir: &Path, count: IntGauge) -> Result<Self, StartError> {
        let opened = |place: &Place| {
            Archive::open(place, &options.s3)
                .map_err(|error| StartError::Options { reason: error.to_string() })
        };
        let archive = opened(&options.place)?;
        if options.place.folder().is_some() {
            return Ok(Self { archive, waiting: None });
        }
        let folder = opened(&Place::Folder(data_dir.join("waiting")))?;
        let waiting = Arc::new(Waiting { folder, arrived: Notify::new(), count });
        actix::spawn(upload(archive.clone(), Arc::downgrade(&waiting)));
        Ok(Self { archive, waiting: Some(waiting) })
    }

    /// Makes these batches outlast a power loss.
    pub fn keep(
        &self,
        batches: Vec<StoredBatch>,
    ) -> impl std::future::Future<Output = Result<(), ArchiveError>> + 'static {
        let (waiting, archive) = (self.waiting.clone(), self.archive.clone());
        async move {
            let folder = waiting.as_ref().map_or(&archive, |waiting| &waiting.folder);
            for batch in batches {
                folder.put(&batch.path, batch.bytes).await?;
            }
            if let Some(waiting) = &waiting {
                waiting.arrived.notify_one();
            }
            Ok(())
        }
    }
}

/// Brings what waits to the archive, until nobody keeps batches here any more.
async fn upload(archive: Archive, waiting: Weak<Waiting>) {
    while let Some(here) = waiting.upgrade() {
        match upload_all(&archive, &here).await {
            Ok(()) => {
                // Looked for now and then even so, that a dropped archiver is noticed.
                let _ = tokio::time::timeout(RETRY, here.arrived.notified()).await;
            }
            Err(error) => {
                tracing::warn!(archive = %archive.place(), %error, "batches wait for their archive");
                drop(here);
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// A batch leaves this machine's folder only once the archive has it.
async fn upload_all(archive: &Archive, waiting: &Waiting) -> Result<(), ArchiveError> {
    let paths = waiting.folder.paths().await?;
    waiting.count.set(paths.len() as i64);
    for path in paths {
        let bytes = waiting.folder.get(&path).await?;
        archive.put(&path, bytes.into()).await?;
        waiting.folder.delete(&path).await?;
        waiting.count.dec();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::hash::Hash32;

    #[tokio::test]
    async fn what_an_archive_does_not_take_waits_until_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| {
            Archive::open(&Place::Folder(folder.path().join(name)), &S3Settings::default()).unwrap()
        };
        let (archive, count) = (open("archive"), IntGauge::new("waiting", "batches").unwrap());
        let waiting = Waiting { folder: open("waiting"), arrived: Notify::new(), count };
        let waiting = Arc::new(waiting);
        let archiver = Archiver { archive: archive.clone(), waiting: Some(waiting.clone()) };
        let path = "readings/a1/900.parquet".to_owned();
        let batch = StoredBatch { path: path.clone(), sha256: Hash32::plain(b"a"), bytes: b"a".to_vec() };
        archiver.keep(vec![batch]).await.unwrap();
        assert_eq!(waiting.folder.paths().await.unwrap(), [path.as_str()]);

        // A file stands where the archive's folder would have to.
        let obstacle = folder.path().join("archive/readings");
        std::fs::write(&obstacle, b"").unwrap();
        assert!(upload_all(&archive, &waiting).await.is_err());
        assert_eq!((waiting.folder.paths().await.unwrap().len(), waiting.count.get()), (1, 1));

        // The same folder after a restart, and an archive that takes it.
        std::fs::remove_file(&obstacle).unwrap();
        let restarted =
            Waiting { folder: open("waiting"), arrived: Notify::new(), count: waiting.count.clone() };
        upload_all(&archive, &restarted).await.unwrap();
        assert_eq!(archive.get(&path).await.unwrap(), &b"a"[..]);
        assert_eq!((restarted.folder.paths().await.unwrap().len(), waiting.count.get()), (0, 0));
    }
}
