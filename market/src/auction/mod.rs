//! Markets without a network, in the forms that other systems use: buy and sell orders at one
//! uniform price, and demand curves on a price grid.

pub mod grid;
pub mod orders;
