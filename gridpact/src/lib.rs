//! The program people run, as a library, so that tests play what the commands play.

pub mod neighbourhood;
