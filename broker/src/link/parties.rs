//! Whose messages a link believes. It may change while the link runs: participants come, go and change keys.

use std::sync::{Arc, PoisonError, RwLock};
use wire::party::Registry;

/// The registry that a link and its handles go by.
#[derive(Clone, Debug)]
pub(super) struct Parties(Arc<RwLock<Arc<Registry>>>);

impl Parties {
    pub fn new(registry: Arc<Registry>) -> Self {
        Self(Arc::new(RwLock::new(registry)))
    }

    /// The registry as it is now.
    pub fn now(&self) -> Arc<Registry> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another one from now on.
    pub fn update(&self, registry: Arc<Registry>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = registry;
    }
}
