//! One walk through a ledger for whatever is to be given out of it.

use crate::audit::{folders, AuditError};
use ledger::contracts::rules::Rules;
use ledger::state::State;
use ledger::verify::{replay, Replayed};
use std::path::Path;
use std::sync::Arc;

/// Walks through the first ledger in `directory`, checking everything. `begin` sees the state before the first block;
/// `each` every block with the rules it was executed under and the state after it, until it says to stop.
///
/// # Errors
/// Names the first thing in the ledger that does not hold.
pub(super) fn walk<T>(
    directory: &Path,
    begin: impl FnOnce(&State) -> T,
    mut each: impl FnMut(&mut T, &Replayed, &Arc<Rules>, &State) -> bool,
) -> Result<T, AuditError> {
    let folder = folders(directory)?.swap_remove(0);
    let wrong = |source| AuditError::Wrong { path: folder.clone(), source };
    let mut ledger = replay(&folder).map_err(wrong)?;
    let mut taken = begin(ledger.state());
    loop {
        let rules = ledger.rules().clone();
        let Some(block) = ledger.next() else { return Ok(taken) };
        let block = block.map_err(wrong)?;
        if !each(&mut taken, &block, &rules, ledger.state()) {
            return Ok(taken);
        }
    }
}
