//! A payment from one account to another.

use crate::genesis::is_named_account;
use crate::state::receipt::Refusal;
use crate::state::{Account, Changes, State};
use market::units::NanoEur;
use thiserror::Error;
use wire::entry::TransferEntry;
use wire::party::Id;

/// Why a transfer can't be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransferRefusal {
    /// Zero or less.
    #[error("a transfer of {amount} moves nothing")]
    Amount {
        /// The amount.
        amount: NanoEur,
    },
    /// To an account that nobody owns.
    #[error("nobody owns the account {account}")]
    NoOwner {
        /// The account.
        account: Id,
    },
    /// To itself.
    #[error("a transfer to the account it comes from moves nothing")]
    ToItself,
    /// The account's transfer with this nonce was made before.
    #[error("the transfer's nonce {nonce} was used; the account's next is {next}")]
    NonceUsed {
        /// The nonce given.
        nonce: u64,
        /// The account's next.
        next: u64,
    },
    /// Transfers before this one are missing.
    #[error("the transfer's nonce {nonce} is ahead of the account's next, {next}")]
    NonceAhead {
        /// The nonce given.
        nonce: u64,
        /// The account's next.
        next: u64,
    },
    /// The account holds less.
    #[error("the account holds {balance} and can't pay {amount}")]
    Overdraft {
        /// What it holds.
        balance: NanoEur,
        /// What it should pay.
        amount: NanoEur,
    },
}

impl TransferRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            TransferRefusal::Amount { .. } | TransferRefusal::ToItself => "transfer-of-nothing",
            TransferRefusal::NoOwner { .. } => "no-owner",
            TransferRefusal::NonceUsed { .. } => "nonce-used",
            TransferRefusal::NonceAhead { .. } => "nonce-ahead",
            TransferRefusal::Overdraft { .. } => "overdraft",
        }
    }
}

/// What a transfer from the account `from` changes.
pub(super) fn execute(state: &State, from: &Id, entry: &TransferEntry) -> Result<Changes, Refusal> {
    let account = state.accounts().get(from).ok_or_else(|| Refusal::NoAccount { account: from.clone() })?;
    let TransferEntry { to, amount, nonce } = entry;
    let amount = *amount;
    if amount <= NanoEur::ZERO {
        return Err(TransferRefusal::Amount { amount }.into());
    }
    if to == from {
        return Err(TransferRefusal::ToItself.into());
    }
    if is_named_account(to) {
        return Err(TransferRefusal::NoOwner { account: to.clone() }.into());
    }
    check_nonce(account, *nonce)?;
    if account.balance < amount {
        return Err(TransferRefusal::Overdraft { balance: account.balance, amount }.into());
    }
    let payments = [(from.clone(), -amount), (to.clone(), amount)].into();
    Ok(Changes { payments, transfer_by: Some(from.clone()), ..Changes::default() })
}

/// Checks that a count of transfers is the account's next.
pub(super) fn check_nonce(account: &Account, nonce: u64) -> Result<(), TransferRefusal> {
    match account.nonce {
        next if nonce < next => Err(TransferRefusal::NonceUsed { nonce, next }),
        next if nonce > next => Err(TransferRefusal::NonceAhead { nonce, next }),
        _ => Ok(()),
    }
}
