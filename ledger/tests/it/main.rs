//! Integration tests of the ledger.

mod simulation;
mod world;
