//! Clearing of several coupled intervals, from outside.

mod case;
mod made;
mod orders;
mod perturbed;
mod reference;
mod same_bits;
mod session;
