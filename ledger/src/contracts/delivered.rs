//! A site's energy over one interval, as contracts beside the market's own see it.

use market::units::Millijoule;

/// What a site was committed to and what its meter counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    /// What it was committed to.
    pub committed: Millijoule,
    /// What its meter counted; none where no reading came in time.
    pub metered: Option<Millijoule>,
}

impl Delivered {
    /// What counts as delivered: as committed where no meter says otherwise.
    pub fn energy(&self) -> Millijoule {
        self.metered.unwrap_or(self.committed)
    }
}
