//! Entries that make tokens for money and end them for money. One token stands for one euro that a gateway holds.

use crate::hash::Hash32;
use crate::party::Id;
use market::units::NanoEur;
use serde::{Deserialize, Serialize};

/// A booking on the gateway's account outside, by which an auditor finds the money behind an entry. It says
/// nothing about who paid: the gateway keeps the booking's own reference and the salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reference {
    /// Day of the booking, in days since 1970-01-01.
    pub day: i64,
    /// Salted SHA-256 of the booking's reference.
    pub hash: Hash32,
}

/// Makes tokens for money that the gateway received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MintEntry {
    /// Account that receives them.
    pub to: Id,
    /// How much, more than zero.
    pub amount: NanoEur,
    /// The booking that backs them.
    pub reference: Reference,
}

/// Asks a gateway to pay out. The tokens leave the submitter's account and wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeemEntry {
    /// The gateway's identifier.
    pub gateway: Id,
    /// How much, more than zero.
    pub amount: NanoEur,
    /// Sender's transfer count before this one, against replay. It names the request.
    pub nonce: u64,
}

/// Ends a request to be paid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurnEntry {
    /// Account of who asked.
    pub account: Id,
    /// The request's number.
    pub nonce: u64,
    /// What came of it.
    pub outcome: Redeemed,
}

/// What came of a request to be paid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Redeemed {
    /// The gateway paid: the tokens end.
    Paid(Reference),
    /// It could not pay: the tokens go back.
    Returned,
}
