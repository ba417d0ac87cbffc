//! What travels between agents: message types, deterministic CBOR, signatures, topics.
//!
//! Nothing here decides about energy or money, opens a socket or reads a clock; it says what a
//! message is and whether some bytes are one.

pub mod entry;
pub mod hash;
pub mod message;
pub mod party;
pub mod topic;
