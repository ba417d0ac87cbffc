//! Integration tests of the program: the rules of the house, the configuration page, and the whole
//! path from bid to settlement over real sockets.

#![allow(clippy::unwrap_used)]

mod api;
mod clear;
mod client;
mod configuration;
mod console;
mod demo;
mod device;
mod gateway;
mod house;
mod joining;
mod packaging;
mod provision;
mod served;
mod torment;
mod voted;
mod watched;
