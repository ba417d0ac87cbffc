//! An onlooker: learns from the market's own messages what the demo shows. It takes part in nothing, is
//! in no registry, and executes every block again by itself.

pub mod core;
pub mod day_ahead;
pub mod shell;
