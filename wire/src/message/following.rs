//! How those who keep no state learn what is governed, where they missed the blocks that changed it.

use crate::hash::Hash32;
use serde::{Deserialize, Serialize};

/// Anyone to the validators: tell me what is governed, if it is not this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryQuestion {
    /// Hash of what the asker knows to be governed.
    pub known: Hash32,
}
