//! The aggregator's core, step by step.
