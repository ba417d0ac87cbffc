//! The timekeeper: simulated time for demonstrations and tests. Where the market runs on the system's
//! clock there is none. It overhears the market's messages to see when a phase's work is done; that is a
//! right only a simulation gives.

pub mod core;
mod listener;
pub mod phases;
mod shell;
pub mod watch;

pub use self::core::{Pace, Progress, TimekeeperCore};
pub use self::shell::{start, TimekeeperOptions};
