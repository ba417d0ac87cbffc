//! Certificates of clearings that know the grid: true ones are accepted, and the same with any
//! figure moved, or with a worse dispatch, are refused.

mod hostile;
mod made;
mod moved;
mod random;
mod same_bits;
