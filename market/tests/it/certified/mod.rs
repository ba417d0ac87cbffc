//! Certificates of clearings that know the grid: true ones are accepted, and the same with any
//! figure moved, or with a worse dispatch, are refused.

mod exact;
mod hostile;
mod made;
mod moved;
mod problems;
pub mod random;
mod relaxed;
pub mod same_bits;
mod solved;
