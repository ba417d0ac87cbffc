//! Adapters against devices: register images and frames from elsewhere, over real sockets.

mod ocpp;
mod peer;
mod sunspec;
