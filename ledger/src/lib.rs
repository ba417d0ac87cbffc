//! What everyone agrees on: blocks, accounts, contracts, consensus, store, proofs.

pub mod aggregates;
pub mod archive;
mod beginning;
pub mod block;
pub mod consensus;
pub mod contracts;
pub mod double_clearing;
pub mod execute;
pub mod follower;
pub mod genesis;
pub mod governed;
pub mod mempool;
pub mod proof;
pub mod query;
pub mod receipts;
pub mod rights;
pub mod simulation;
pub mod snapshot;
pub mod state;
pub mod statement;
pub mod store;
pub mod validator;
pub mod verify;
