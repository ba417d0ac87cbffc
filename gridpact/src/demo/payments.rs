//! What each role was paid, from a validator's own log, replayed and checked block by block.

use ledger::genesis::{Genesis, CARBON_ACCOUNT, ROUNDING_ACCOUNT};
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
                let of_nobody = || match payment.account.as_str() {
                    CARBON_ACCOUNT => CARBON_ACCOUNT,
                    _ => ROUNDING_ACCOUNT,
                };
                let role = roles.get(&payment.account).copied().unwrap_or_else(of_nobody);
                *paid.entry(role).or_default() += payment.amount;
            }
        }
    }
    Ok(paid)
}
