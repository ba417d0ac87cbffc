//! Markets in the forms that other systems use: buy and sell orders at one uniform price or each at its
//! own, demand curves on a price grid, and curves at the buses of a transmission network.

pub mod grid;
pub mod nodal;
pub mod orders;
pub mod pay_as_bid;
