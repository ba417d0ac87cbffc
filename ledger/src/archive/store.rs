//! The shell around an `object_store`: writes batches so that they outlast a power loss, and reads them back as the
//! ledger names them. Knows nothing of what a batch holds.

use super::location::{Place, PlaceError};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use wire::entry::BatchReference;
use wire::hash::Hash32;

/// Largest batch read back: a hundred thousand sites' signed bids with their curves.
pub const MAX_BATCH_BYTES: u64 = 1 << 28;

/// What an S3-compatible store needs besides its URL. Credentials come from the environment, by AWS's own names:
/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// Its address, where it is not Amazon's.
    pub endpoint: Option<String>,
    /// Its region, where the environment's AWS_REGION does not say.
    pub region: Option<String>,
}

/// Why a batch can't be stored or had.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// Not a place, or not of this archive.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A path no store takes.
    #[error("a batch's path: {0}")]
    Path(#[from] object_store::path::Error),
    /// The store refused.
    #[error("the archive: {0}")]
    Store(#[from] object_store::Error),
    /// The file system refused.
    #[error("{act} {}: {source}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// More bytes than a batch has.
    #[error("the batch at {location} has {size} bytes, more than the {MAX_BATCH_BYTES} allowed")]
    Oversized {
        /// Where it lies.
        location: String,
        /// Its size in bytes.
        size: u64,
    },
    /// Not the bytes the ledger names.
    #[error(
        "the file at {location} is not the batch on the ledger: its SHA-256 is {actual}, not {expected}"
    )]
    Changed {
        /// Where it lies.
        location: String,
        /// The digest of what lies there.
        actual: Hash32,
        /// The digest on the ledger.
        expected: Hash32,
    },
}

/// An archive, opened.
#[derive(Clone, Debug)]
pub struct Archive {
    place: Place,
    store: Arc<dyn ObjectStore>,
    /// In S3, what comes before every path.
    prefix: String,
}

impl Archive {
    /// Opens an archive; a folder is made where there is none.
    ///
    /// # Errors
    /// Where it can't be.
    pub fn open(place: &Place, s3: &S3Settings) -> Result<Self, ArchiveError> {
        let (store, prefix) = match place {
            Place::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(io_error("making", folder))?;
                let store: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
                (store, String::new())
            }
            Place::S3 { bucket, prefix } => (s3_store(bucket, s3)?, prefix.clone()),
        };
        Ok(Self { place: place.clone(), store, prefix })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Stores a file under `path`. In a folder it then outlasts a power loss: file and folders are synced.
    ///
    /// # Errors
    /// Where the store refuses. What then lies there is unknown; the same again does no harm.
    pub async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        self.store.put(&self.object(path)?, bytes.into()).await?;
        let Some(folder) = self.place.folder().map(Path::to_owned) else { return Ok(()) };
        let path = path.to_owned();
        match tokio::task::spawn_blocking(move || sync(&folder, &path)).await {
            Ok(synced) => synced,
            Err(error) => {
                Err(io_error("syncing", self.place.folder().unwrap_or(Path::new("")))(error.into()))
            }
        }
    }

    /// The bytes of a batch, which are those the ledger names.
    ///
    /// # Errors
    /// Where it lies elsewhere, is not there any more, or is another.
    pub async fn fetch(&self, batch: &BatchReference) -> Result<Vec<u8>, ArchiveError> {
        let location = &batch.location;
        let bytes = self.get(self.place.path_in(location)?).await?;
        let actual = Hash32::plain(&bytes);
        if actual != batch.sha256 {
            let (location, expected) = (location.clone(), batch.sha256);
            return Err(ArchiveError::Changed { location, actual, expected });
        }
        Ok(bytes.into())
    }

    /// The bytes under `path`, whatever they are.
    ///
    /// # Errors
    /// Where nothing is there, or more than a batch may have.
    pub async fn get(&self, path: &str) -> Result<Bytes, ArchiveError> {
        let found = self.store.get(&self.object(path)?).await?;
        let size = found.meta.size;
        if size > MAX_BATCH_BYTES {
            return Err(ArchiveError::Oversized { location: self.place.location(path), size });
        }
        Ok(found.bytes().await?)
    }

    /// Erases what lies under `path`.
    ///
    /// # Errors
    /// Where the store refuses.
    pub async fn delete(&self, path: &str) -> Result<(), ArchiveError> {
        Ok(self.store.delete(&self.object(path)?).await?)
    }

    /// Every path in it, in order.
    ///
    /// # Errors
    /// Where the store refuses.
    pub async fn paths(&self) -> Result<Vec<String>, ArchiveError> {
        let within = (!self.prefix.is_empty()).then(|| ObjectPath::parse(&self.prefix)).transpose()?;
        let found: Vec<_> = self.store.list(within.as_ref()).try_collect().await?;
        let inner = |path: &ObjectPath| {
            let path = path.as_ref();
            path.strip_prefix(&self.prefix).unwrap_or(path).trim_start_matches('/').to_owned()
        };
        let mut paths: Vec<String> = found.iter().map(|object| inner(&object.location)).collect();
        paths.sort();
        Ok(paths)
    }

    fn object(&self, path: &str) -> Result<ObjectPath, ArchiveError> {
        match self.prefix.as_str() {
            "" => Ok(ObjectPath::parse(path)?),
            prefix => Ok(ObjectPath::parse(format!("{prefix}/{path}"))?),
        }
    }
}

/// A rename is durable once the folder is synced, and a new folder once the one above it is.
fn sync(folder: &Path, path: &str) -> Result<(), ArchiveError> {
    let file = folder.join(path);
    for at in file.ancestors() {
        File::open(at).and_then(|opened| opened.sync_all()).map_err(io_error("syncing", at))?;
        if at == folder {
            break;
        }
    }
    Ok(())
}

fn s3_store(bucket: &str, settings: &S3Settings) -> Result<Arc<dyn ObjectStore>, ArchiveError> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket);
    if let Some(endpoint) = &settings.endpoint {
        // Plain HTTP only where the operator's own configuration says so in full.
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    if let Some(region) = &settings.region {
        builder = builder.with_region(region);
    }
    Ok(Arc::new(builder.build()?))
}

fn io_error<'a>(act: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> ArchiveError + 'a {
    move |source| ArchiveError::Io { act, path: path.to_owned(), source }
}
