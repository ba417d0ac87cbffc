//! What everyone agrees on: blocks, accounts, contracts, consensus, store, proofs.

pub mod block;
pub mod contracts;
pub mod execute;
pub mod genesis;
pub mod state;
pub mod store;
