//! Integration tests of the ledger.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy's own exception misses its helpers")]

mod aggregates;
mod answers;
mod archive;
mod archive_peer;
mod archive_s3;
mod bilateral;
mod carbon;
mod catch_up;
mod concern;
mod contracts;
mod day;
mod day_ahead;
mod evidence;
mod flips;
mod follower;
mod full_disk;
mod governance;
mod hostile;
mod issuance;
mod joining;
mod late;
mod mempool;
mod mesh;
mod network;
mod openings;
mod page;
mod play;
mod proof;
mod proposals;
#[path = "../../../broker/tests/it/proxy.rs"]
mod proxy;
mod pruning;
mod query;
mod query_governance;
mod query_proofs;
mod query_rights;
mod query_statements;
mod reactive;
mod receipts;
mod registry;
mod reserve;
mod response;
mod rights;
mod roster;
mod rotation;
mod sequences;
mod settlement;
mod simulation;
mod statement;
mod store;
mod tamper;
mod votes;
mod world;
