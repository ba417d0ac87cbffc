//! What travels between agents: message types, deterministic CBOR, signatures, topics.
//!
//! Nothing here decides about energy or money, opens a socket or reads a clock; it says what a
//! message is and whether some bytes are one.

pub mod cbor;
pub mod entry;
pub mod envelope;
pub mod freshness;
pub mod hash;
pub mod merkle;
pub mod merkle_sum;
pub mod message;
pub mod party;
pub mod peek;
pub mod possession;
pub mod pseudonym;
pub mod receipt;
pub mod refusal;
pub mod replay;
pub mod signature;
pub mod token;
pub mod topic;

/// The market interval, which every envelope names.
pub use market::interval::Interval;
