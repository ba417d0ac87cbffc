//! A console in the browser: the market as its ledger tells it, read only. The pages are files built into the program
//! ([`assets`]), the figures come from a [`core::Book`] that a task keeps ([`follow`]) and [`views`] show by the viewer's
//! rights. Nothing can be written through here. `docs/adr/0030` says which process serves it.

pub mod assets;
pub mod core;
pub mod curves;
pub mod devices;
pub mod exact;
pub mod follow;
pub mod grid;
pub mod heard;
pub mod routes;
pub mod viewer;
pub mod views;

use self::core::Book;
use devices::DeviceView;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wire::envelope::Opened;
use wire::party::Id;

/// Says what a site's devices are like now; none for a site whose devices are not known.
pub type Devices = Arc<dyn Fn(&Id) -> Option<Vec<DeviceView>> + Send + Sync>;

/// What a console shows. Clones show the same.
#[derive(Clone)]
pub struct Console {
    book: Arc<Mutex<Book>>,
}

impl Console {
    /// Takes in a message whose signature holds.
    pub fn hear(&self, message: &Opened) {
        self.book().hear(message);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
