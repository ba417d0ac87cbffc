//! Carries signed envelopes: an MQTT broker that can run inside this process, and links (MQTT
//! clients of one broker or several) that deliver once, repeat until the receiver itself has answered,
//! and drop what is not rightly signed.
//!
//! Nothing here knows what a message means. What to repeat, answer or drop is decided in
//! [`outbox`] and [`inbox`], which are pure; sockets and clocks are in [`link`] and [`embedded`].

pub mod embedded;
pub mod expiry;
pub mod gate;
pub mod inbox;
pub mod kept;
pub mod link;
pub mod metrics;
pub mod outbox;
mod pem;
pub mod rate;
pub mod routes;
pub mod skew;
