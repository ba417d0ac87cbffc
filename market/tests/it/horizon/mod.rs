//! Clearing of several coupled intervals, from outside.

mod case;
mod orders;
mod perturbed;
mod reference;
mod session;
