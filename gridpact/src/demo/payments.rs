//! What each role was paid, from a validator's own log, replayed and checked block by block.

use ledger::genesis::{Genesis, ROUNDING_ACCOUNT};
use ledger::verify::{replay, VerifyError};
use market::units::NanoEur;
use std::collections::BTreeMap;
use std::path::Path;

/// What each role received (negative: paid) since the genesis, by its word. Sums to zero.
///
/// # Errors
/// Where the log does not hold.
pub fn by_role(folder: &Path, genesis: &Genesis) -> Result<BTreeMap<&'static str, NanoEur>, VerifyError> {
    let roles: BTreeMap<_, _> =
        genesis.participants.iter().map(|known| (&known.account, known.party.role.word())).collect();
    let mut paid: BTreeMap<&'static str, NanoEur> = BTreeMap::new();
    for block in replay(folder)? {
        for (_, receipt) in block?.receipts {
            for payment in receipt.payments {
                // The rounding account is the only one that is no participant's.
                let role = roles.get(&payment.account).copied().unwrap_or(ROUNDING_ACCOUNT);
                *paid.entry(role).or_default() += payment.amount;
            }
        }
    }
    Ok(paid)
}
