//! The day-ahead market between agents: a session of coupled intervals on a feeder whose limits are known,
//! in integers and provable to anyone.
//!
//! [`rules`] say when a session is and [`terms`] what binds in it; [`orders`] are what the market itself
//! schedules. The optimum is [`crate::horizon`]'s, on what is known of everyone's curves; nobody need
//! trust it. What comes out is [`clearing`]'s integers, and [`certificate`] checks them without solver or
//! curve: in each interval what the real-time certificate checks, and each order against its bus's prices.

pub mod certificate;
pub mod clearing;
pub mod orders;
mod question;
pub mod rounds;
pub mod rules;
#[cfg(test)]
mod sample;
mod schedule;
pub mod terms;

pub use question::MAX_ASKED;
