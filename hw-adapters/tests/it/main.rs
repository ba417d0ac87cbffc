//! Adapters against devices: register images and frames from elsewhere, over real sockets.

// What a test's own helper unwraps fails the test, as it should.
#![allow(clippy::unwrap_used)]

mod hostile;
mod ocpp;
mod ocpp_fuzz;
mod ocpp_peer;
mod ocpp_security;
mod ocpp_station;
mod peer;
mod sunspec;
