//! The gridpact program.
fn main() {}
