//! Adapters against devices: register images and frames from elsewhere, over real sockets.

// What a test's own helper unwraps fails the test, as it should.
#![allow(clippy::unwrap_used)]

mod eastron;
mod fuzz;
mod fuzz_mqtt;
mod hostile;
mod mqtt_climate;
mod mqtt_login;
mod mqtt_peer;
mod ocpp;
mod ocpp_fuzz;
mod ocpp_peer;
mod ocpp_security;
mod ocpp_station;
mod peer;
mod points;
mod pymodbus;
mod sunspec;
mod sunspec_safety;
