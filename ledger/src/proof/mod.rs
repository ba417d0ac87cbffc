//! Proofs for whoever holds the genesis and nothing else. [`finality`] proves one entry of one block;
//! [`settlement`] is the file with which a site's owner shows that her commitment, price and payment are
//! final; [`head`] proves a block's place on the chain; [`chain`] says which validators decide at a height. Nothing here reads a clock, a file or a
//! ledger: [`prove`] makes proofs from blocks it is given.

pub mod chain;
pub mod finality;
pub mod foreign;
pub mod gathered;
pub mod head;
pub mod part;
pub mod prove;
pub mod settlement;
pub mod way;

pub use finality::{FinalityProof, ProofError, Proven};
