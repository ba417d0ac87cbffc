//! Integration tests of the ledger.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy's own exception misses its helpers")]

mod answers;
mod bilateral;
mod carbon;
mod concern;
mod contracts;
mod day;
mod day_ahead;
mod evidence;
mod governance;
mod issuance;
mod late;
mod mempool;
mod mesh;
mod network;
mod openings;
mod play;
mod proof;
mod proposals;
#[path = "../../../broker/tests/it/proxy.rs"]
mod proxy;
mod reactive;
mod receipts;
mod registry;
mod reserve;
mod response;
mod rights;
mod settlement;
mod simulation;
mod store;
mod tamper;
mod votes;
mod world;
