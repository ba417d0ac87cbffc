//! Makes hostile values from sound ones: anything in them replaced by something extreme, missing, doubled or borrowed.

use ciborium::value::Value;
use serde::de::DeserializeOwned;
use serde::Serialize;
use wire::cbor;

/// Names that mean something in the tests' markets, and some that don't.
const NAMES: [&str; 16] = [
    "account-s1",
    "account-s2",
    "account-s3",
    "account-dso",
    "account-tso",
    "account-agg-1",
    "fees",
    "penalties",
    "redemptions",
    "rounding",
    "bank",
    "a",
    "b",
    "grid",
    "nobody",
    "",
];
/// Figures at which arithmetic breaks, and small ones.
const FIGURES: [i64; 18] = [
    0,
    1,
    -1,
    2,
    96,
    672,
    900,
    1_000,
    1_001,
    1_000_000,
    1_000_000_000_000,
    1_000_000_000_000_000,
    1_700_000_100,
    i64::MAX,
    i64::MIN,
    i64::MAX / 2,
    i64::MIN / 2,
    i64::MAX / 900 * 900,
];

/// Throws that depend on their seed alone (splitmix64, Steele, Lea and Flood 2014).
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, sides: usize) -> usize {
        (self.throw() % sides.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    pub fn of<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    /// A figure: extreme, or of any size.
    pub fn figure(&mut self) -> i64 {
        match self.below(3) {
            0 => (self.throw() as i64) >> self.below(64),
            _ => *self.of(&FIGURES),
        }
    }

    pub fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }
}

/// Tries to make a value of the same type.
const TRIES: usize = 6;

/// The value with a few things in it changed; none where nothing of its type comes of that.
pub fn mutate<T: Serialize + DeserializeOwned>(dice: &mut Dice, sound: &T) -> Option<T> {
    (0..TRIES).find_map(|_| mutated(dice, sound))
}

fn mutated<T: Serialize + DeserializeOwned>(dice: &mut Dice, sound: &T) -> Option<T> {
    let mut value: Value = ciborium::from_reader(&cbor::to_vec(sound).ok()?[..]).ok()?;
    for _ in 0..=dice.below(3) {
        let node = dice.below(count(&value));
        change(dice, &mut value, &mut { node });
    }
    let mut bytes = Vec::new();
    ciborium::into_writer(&value, &mut bytes).ok()?;
    // Rarely, bytes are no CBOR at all.
    if dice.one_in(50) {
        flip(dice, &mut bytes);
    }
    cbor::from_slice(&bytes, 1 << 22).ok()
}

/// Changes some bytes.
pub fn flip(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), dice.throw() as u8),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
        }
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Map(pairs) => pairs.iter().map(|(_, item)| count(item)).sum::<usize>(),
        Value::Tag(_, inner) => count(inner),
        _ => 0,
    }
}

/// Changes the node at this place, counted from the root down.
fn change(dice: &mut Dice, value: &mut Value, place: &mut usize) -> bool {
    if *place == 0 {
        here(dice, value);
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(dice, item, place)),
        Value::Map(pairs) => pairs.iter_mut().any(|(_, item)| change(dice, item, place)),
        Value::Tag(_, inner) => change(dice, inner, place),
        _ => false,
    }
}

fn here(dice: &mut Dice, value: &mut Value) {
    match value {
        Value::Integer(_) => *value = Value::Integer(dice.figure().into()),
        Value::Text(text) => dice.name().clone_into(text),
        // A hash keeps its length, or it would be none.
        Value::Bytes(bytes) if bytes.len() == 32 => bytes[dice.below(32)] ^= 1 << dice.below(8),
        Value::Bytes(bytes) => flip(dice, bytes),
        Value::Bool(it) => *it = !*it,
        Value::Null => *value = Value::Integer(dice.figure().into()),
        Value::Array(items) => list(dice, items),
        Value::Map(pairs) => {
            let at = dice.below(pairs.len());
            if at < pairs.len() {
                pairs.remove(at);
            }
        }
        other => *other = Value::Null,
    }
}

fn list(dice: &mut Dice, items: &mut Vec<Value>) {
    let at = dice.below(items.len());
    if at >= items.len() {
        return;
    }
    match dice.below(5) {
        0 => drop(items.remove(at)),
        1 => items.insert(at, items[at].clone()),
        2 => items.clear(),
        3 => {
            let other = dice.below(items.len());
            items.swap(at, other);
        }
        _ => items.extend(std::iter::repeat_n(items[at].clone(), 300)),
    }
}
