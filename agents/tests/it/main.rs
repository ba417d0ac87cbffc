//! The roles playing together: without sockets, over a network that delays, repeats and loses by a seed, with
//! the links' own outbox and inbox and the ledger's own contracts and votes; and once over a real broker.
#![allow(clippy::unwrap_used, reason = "in a test, what fails may panic")]

mod aggregator;
mod balance;
mod day_ahead;
mod double_clearing;
mod dso;
mod household;
mod inspect;
mod killed;
mod market_day;
mod network;
mod party;
mod planner;
mod session_day;
mod sockets;
mod stage;
mod timekeeper;
mod turning;
mod validators;
mod world;
