//! A look into CBOR without decoding it: finds one value by its place and passes over what stands before
//! it, so that bytes of unknown origin can be sorted out for next to nothing. What is found is worth no more
//! than its origin: only decoding shows whether the bytes are right.

/// Most items passed over on the way to one; who needs more is not looking for something cheap.
const MOST_PASSED: usize = 64;
/// Tag of a COSE_Sign1 structure (RFC 9052 section 2).
const COSE_SIGN1: u64 = 18;
/// Place of the payload in it.
const PAYLOAD: u64 = 2;

/// Bytes that begin with one CBOR item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek<'a>(&'a [u8]);

/// An item's head (RFC 8949 section 3): major type, argument, and what follows.
struct Head<'a> {
    major: u8,
    argument: u64,
    rest: &'a [u8],
}

impl<'a> Peek<'a> {
    /// A look at the item these bytes begin with.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The body of an envelope: its kind's word, and its value.
    pub fn into_envelope(bytes: &'a [u8]) -> Option<(&'a str, Peek<'a>)> {
        let payload = Peek(bytes).tagged(COSE_SIGN1)?.nth(PAYLOAD)?.bytes()?;
        Peek(payload).get("body")?.variant()
    }

    /// What stands under this tag.
    pub fn tagged(self, tag: u64) -> Option<Peek<'a>> {
        let head = self.head(6)?;
        (head.argument == tag).then_some(Peek(head.rest))
    }

    /// An item of a list, from 0.
    pub fn nth(self, place: u64) -> Option<Peek<'a>> {
        let head = self.head(4)?;
        if place >= head.argument {
            return None;
        }
        let mut passed = 0;
        (0..place).try_fold(Peek(head.rest), |item, _| item.after(&mut passed))
    }

    /// The value under a key of a map whose keys are texts.
    pub fn get(self, key: &str) -> Option<Peek<'a>> {
        let head = self.head(5)?;
        let (mut item, mut passed) = (Peek(head.rest), 0);
        for _ in 0..head.argument {
            let (name, value) = item.text()?;
            if name == key {
                return Some(value);
            }
            item = value.after(&mut passed)?;
        }
        None
    }

    /// Name and value of an enumeration's variant: a map with one entry.
    pub fn variant(self) -> Option<(&'a str, Peek<'a>)> {
        let head = self.head(5)?;
        (head.argument == 1).then_some(Peek(head.rest))?.text()
    }

    /// The content of a byte string.
    pub fn bytes(self) -> Option<&'a [u8]> {
        let head = self.head(2)?;
        head.rest.get(..usize::try_from(head.argument).ok()?)
    }

    /// A number that is not negative.
    pub fn number(self) -> Option<u64> {
        Some(self.head(0)?.argument)
    }

    /// A text, and what stands after it.
    fn text(self) -> Option<(&'a str, Peek<'a>)> {
        let head = self.head(3)?;
        let (text, rest) = head.rest.split_at_checked(usize::try_from(head.argument).ok()?)?;
        Some((std::str::from_utf8(text).ok()?, Peek(rest)))
    }

    /// What stands after this item.
    fn after(self, passed: &mut usize) -> Option<Peek<'a>> {
        let (mut rest, mut left) = (self.0, 1u64);
        while left > 0 {
            *passed += 1;
            if *passed > MOST_PASSED {
                return None;
            }
            let head = head(rest)?;
            left -= 1;
            rest = head.rest;
            match head.major {
                2 | 3 => rest = rest.get(usize::try_from(head.argument).ok()?..)?,
                4 => left = left.checked_add(head.argument)?,
                5 => left = left.checked_add(head.argument.checked_mul(2)?)?,
                6 => left += 1,
                _ => {}
            }
        }
        Some(Peek(rest))
    }

    fn head(self, major: u8) -> Option<Head<'a>> {
        head(self.0).filter(|head| head.major == major)
    }
}

/// Items of indefinite length have no such head: ours have none.
fn head(bytes: &[u8]) -> Option<Head<'_>> {
    let (first, rest) = bytes.split_first()?;
    let (major, short) = (first >> 5, first & 31);
    let following = match short {
        0..=23 => return Some(Head { major, argument: short.into(), rest }),
        24..=27 => 1usize << (short - 24),
        _ => return None,
    };
    let (argument, rest) = rest.split_at_checked(following)?;
    let argument = argument.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some(Head { major, argument, rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use ciborium::value::Value;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        let list = Value::Array(vec![Value::Bool(true), Value::Null, Value::Float(1.5), Value::from(70_000)]);
        let inner = Value::Map(vec![(Value::from("only"), Value::Bytes(vec![7; 300]))]);
        let tagged = Value::Tag(18, Box::new(list));
        let entries =
            [("b", tagged), ("aa", inner), ("ccc", Value::from("text")), ("dddd", Value::from(u64::MAX))];
        let map = entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect();
        cbor::to_vec(&Value::Map(map)).unwrap()
    }

    #[test]
    fn values_are_found_by_key_place_and_tag() {
        let bytes = sample();
        let top = Peek::new(&bytes);
        assert_eq!(top.get("dddd").unwrap().number(), Some(u64::MAX));
        assert_eq!(top.get("b").unwrap().tagged(18).unwrap().nth(3).unwrap().number(), Some(70_000));
        let (name, value) = top.get("aa").unwrap().variant().unwrap();
        assert_eq!((name, value.bytes().unwrap()), ("only", &[7; 300][..]));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let bytes = sample();
        let top = Peek::new(&bytes);
        assert_eq!(top.get("missing"), None);
        assert_eq!(top.get("b").unwrap().tagged(17), None);
        assert_eq!(top.get("b").unwrap().tagged(18).unwrap().nth(4), None);
        assert_eq!(top.get("ccc").unwrap().number(), None);
        assert_eq!(Peek::new(&[]).number(), None);
        // A list of 2^64 - 1 items, and a byte string that claims as many.
        assert_eq!(Peek::new(&[0x82, 0x9b, 255, 255, 255, 255, 255, 255, 255, 255]).nth(1), None);
        assert_eq!(Peek::new(&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255]).bytes(), None);
    }

    #[test]
    fn no_more_is_passed_over_than_is_cheap() {
        let long = |count| cbor::to_vec(&(vec![0u8; count], 5)).unwrap();
        assert_eq!(Peek::new(&long(MOST_PASSED - 1)).nth(1).unwrap().number(), Some(5));
        assert_eq!(Peek::new(&long(MOST_PASSED)).nth(1), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200), place in any::<u64>()) {
            let _ = Peek::into_envelope(&bytes);
            let _ = Peek::new(&bytes).nth(place).map(Peek::bytes);
            let _ = Peek::new(&bytes).get("a");
        }
    }
}
