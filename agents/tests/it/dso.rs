//! The DSO's core, step by step.
