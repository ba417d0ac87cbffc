//! What a site controller has to show, as data; how it is shown is the shell's business.

use super::plan::Allocation;
use market::units::Milliwatt;

/// Something to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// An interval has begun with this firm allocation.
    Firm(Allocation),
    /// An interval has begun without a firm price.
    NoFirm,
    /// The firm price for the interval under way has come late.
    Late(Allocation),
    /// The meter was read.
    Metered(Milliwatt),
    /// A device is found to disobey, or to obey again.
    Obeys {
        /// The device.
        device: String,
        /// Whether it does what it takes.
        obeys: bool,
    },
}
