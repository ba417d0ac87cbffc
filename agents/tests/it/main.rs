//! The roles playing together without sockets: real cores, real envelopes, the links' own outbox and inbox,
//! the ledger's own contracts and votes, over a network that delays, repeats and loses by a seed.

mod aggregator;
mod dso;
mod household;
mod inspect;
mod market_day;
mod network;
mod party;
mod validators;
mod world;
