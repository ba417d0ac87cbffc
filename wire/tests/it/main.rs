//! What travels, against independent figures and against forgery.

#![allow(clippy::unwrap_used, reason = "in a test, what fails may panic")]

mod day_ahead;
mod forgery;
mod golden;
mod kinds;
mod merkle_vectors;
mod receipt;
mod registry;
mod world;
