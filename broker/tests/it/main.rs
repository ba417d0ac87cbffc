//! Links over a real embedded broker, on real sockets.
#![allow(clippy::unwrap_used, reason = "in a test, what fails may panic")]

mod bad_input;
mod delivery;
mod gate;
mod listening;
mod proxy;
mod restarts;
mod several;
mod simulation;
mod world;
