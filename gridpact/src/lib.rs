//! The program people run, as a library, so that tests play what the commands play.

pub mod api;
pub mod audit;
pub mod bench;
pub mod clear;
pub mod cli;
mod clock;
pub mod cluster;
pub mod configuration;
pub mod console;
pub mod demo;
pub mod device;
pub mod forecast;
pub mod gateway;
pub mod logging;
pub mod members;
pub mod metrics_page;
pub mod neighbourhood;
pub mod proof;
pub mod provision;
pub mod run;
pub mod sim;
pub mod simulate;
pub mod token;
pub mod topics_page;
pub mod torment;
