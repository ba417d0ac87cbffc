//! A change of the registry: somebody registers, rotates a key, leaves, or says what it operates.

use super::rules::Rules;
use crate::block::At;
use crate::governed::registry::change;
use crate::governed::{Edit, Governed};
use crate::state::receipt::Refusal;
use wire::entry::registry::ParticipantEntry;
use wire::party::PartyId;

/// What such an entry changes.
pub(super) fn execute(
    rules: &Rules,
    governed: &Governed,
    at: At,
    by: &PartyId,
    entry: &ParticipantEntry,
) -> Result<Edit, Refusal> {
    let member = change(governed, rules.ground(), at, by, entry)?;
    Ok(Edit::Member(Box::new(member)))
}
