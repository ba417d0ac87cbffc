//! Network-aware clearing from outside: against a general conic solver, and against the conditions
//! of optimality worked out here from the problem alone.

pub mod conic;
pub mod hand;
pub mod large;
pub mod optimal;
pub mod random;
pub mod refused;
pub mod solved;
