//! `gridpact ledger prove` and `gridpact ledger check`: one file with which a site's owner shows that her
//! commitment, price and payment are final, and its check from nothing but the genesis.

pub mod check;
pub mod prove;
mod words;
