//! What everyone agrees on: blocks, accounts, contracts, consensus, store, proofs.

pub mod genesis;
