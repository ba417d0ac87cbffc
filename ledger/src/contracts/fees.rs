//! What entries cost. Market operation, settlement and issuance are free: others' money waits for them.

use crate::state::receipt::Refusal;
use crate::state::{Changes, State};
use market::charges::Charges;
use market::units::NanoEur;
use wire::entry::{BilateralEntry, Entry, ReserveEntry, ResponseEntry};
use wire::party::Id;

/// What an entry costs its submitter.
pub fn fee_of(charges: &Charges, entry: &Entry) -> NanoEur {
    match entry {
        Entry::Transfer(_) | Entry::Redeem(_) => charges.transfer_fee,
        Entry::Bilateral(BilateralEntry::Approve(_))
        | Entry::Reserve(ReserveEntry::Tender(_) | ReserveEntry::Award(_) | ReserveEntry::Activate(_))
        | Entry::Response(ResponseEntry::Call(_) | ResponseEntry::Settle(_)) => NanoEur::ZERO,
        Entry::Bilateral(_) | Entry::Reserve(_) | Entry::Response(_) => charges.entry_fee,
        Entry::Clearing(_) | Entry::DayAhead(_) | Entry::Delivery(_) | Entry::Mint(_) | Entry::Burn(_) => {
            NanoEur::ZERO
        }
        Entry::Evidence(_) | Entry::DoubleClearing(_) => NanoEur::ZERO,
        // Those return before fees are asked for: the registry must stay open to whoever has nothing.
        Entry::Participant(_) | Entry::Proposal(_) | Entry::Ballot(_) => NanoEur::ZERO,
    }
}

/// Adds an entry's fee to what it changes.
///
/// # Errors
/// Where the submitter can't pay it from what the entry leaves.
pub(super) fn charge(
    state: &State,
    (payer, fees): (&Id, &Id),
    fee: NanoEur,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    if fee == NanoEur::ZERO {
        return Ok(());
    }
    let moved = changes.payments.get(payer).copied().unwrap_or_default();
    let balance = state.balance(payer).checked_add(moved);
    let balance = balance.ok_or_else(|| Refusal::Overflow { account: payer.clone() })?;
    if balance < fee {
        return Err(Refusal::Fee { balance, fee });
    }
    changes.move_between(payer, fees, fee)
}
