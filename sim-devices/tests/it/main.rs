//! Simulated devices over real sockets, read by others.

// What a test's own helper unwraps fails the test, as it should.
#![allow(clippy::unwrap_used)]

mod heat_pump;
mod ocpp;
mod ocpp_peer;
mod ocpp_schemas;
mod ocpp_tls;
mod peers;
mod site;
mod sunspec;
mod volt_var;
