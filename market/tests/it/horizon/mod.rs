//! Clearing of several coupled intervals, from outside.

mod case;
mod perturbed;
mod reference;
