//! Plain MQTT devices: plugs, heat pumps, thermostats and meters, each as its template describes it.
//!
//! Deciding is pure: [`path`], [`payload`], [`points`], [`entity`] and [`profile`] say what a message means, [`core`]
//! what is believed and done. The shell is `link`, `task` and `device`. Retained messages don't count but for
//! availability and announcements: they say what was, not what is.

pub mod core;
mod device;
pub mod entity;
mod link;
pub mod login;
pub mod path;
pub mod payload;
pub mod points;
pub mod profile;
pub mod state;
mod task;

pub use device::{MqttDevice, MqttError, Reach};
pub(crate) use link::{address, client_id, connect, Heard};

#[cfg(test)]
mod tests;
