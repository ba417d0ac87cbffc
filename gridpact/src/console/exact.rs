//! Integers that travel as text: a browser's numbers hold 53 bits, and what is shown is the ledger's figure to the last
//! digit.

use serde::{Serialize, Serializer};

/// An integer, in the unit that its key names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exact(pub i64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: i64, expected: &str) {
        assert_eq!(serde_json::to_string(&Exact(value)).unwrap(), expected);
    }

    #[test]
    fn every_integer_is_written_whole() {
        check(0, "\"0\"");
        check(-9_007_199_254_740_993, "\"-9007199254740993\"");
        check(i64::MIN, "\"-9223372036854775808\"");
    }
}
