//! Why a product's file is none.

use std::path::PathBuf;
use thiserror::Error;

/// A file that describes no device, or a folder of them that can't be read.
#[derive(Debug, Error)]
pub enum TemplateError {
    /// More text than any product needs.
    #[error("{file}: {bytes} bytes; at most {} are read", super::MAX_FILE_BYTES)]
    TooLong {
        /// The file.
        file: String,
        /// Its length.
        bytes: usize,
    },
    /// No TOML, a key that is unknown or missing, or a value of another type. The text below shows line, key and value.
    #[error("{file}: {source}")]
    Toml {
        /// The file.
        file: String,
        /// What is wrong, where.
        source: Box<toml::de::Error>,
    },
    /// A value that can't be.
    #[error("{file}: {key} is {value}: {rule}")]
    Value {
        /// The file.
        file: String,
        /// The key, with the sections it stands in.
        key: String,
        /// What stands there.
        value: String,
        /// What must hold.
        rule: String,
    },
    /// The folder or a file in it can't be read.
    #[error("reading templates from {}: {source}", path.display())]
    Read {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder with more files than a site has products.
    #[error("{}: more than {most} templates", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// Most that are read.
        most: usize,
    },
    /// No such template.
    #[error("there is no template {name:?}; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// Those there are.
        known: String,
    },
}
