//! From a payload's bytes to a value in the house's units, or why there is none. Nothing is guessed: what is no
//! number is no number.

use super::path::JsonPath;
use crate::template::believable;
use crate::template::{PointName, Quantity, Unit};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use thiserror::Error;

/// Longest payload read, in bytes. A list of some forty devices of a bridge is longer; it is not a state.
pub const MAX_PAYLOAD_BYTES: usize = 16 * 1024;
/// Longest word kept, in bytes.
const MAX_WORD_BYTES: usize = 64;

/// A value in milliwatts, millijoules or thousandths of a degree Celsius, a switch, or a word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A quantity.
    Amount(i64),
    /// On or off.
    Switch(bool),
    /// A word.
    Word(String),
}

/// How one part of a point is found in a payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// What it is.
    pub point: PointName,
    /// The unit it is told in; none for switches and words.
    pub unit: Option<Unit>,
    /// What it is multiplied by.
    pub scale: f64,
    /// Words that mean on.
    pub on: Vec<String>,
    /// Words that mean off.
    pub off: Vec<String>,
    /// What can be true, in thousandths.
    pub range: (f64, f64),
}

/// A payload from which no value comes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// Longer than [`MAX_PAYLOAD_BYTES`].
    #[error("{0} bytes; {MAX_PAYLOAD_BYTES} are read")]
    TooLong(usize),
    /// No JSON, or no text.
    #[error("not what it must be: {0}")]
    Malformed(String),
    /// Another kind of value than the point has.
    #[error("{point} is {given}, which is no {wanted}")]
    Kind {
        /// The point.
        point: &'static str,
        /// What came, cut short.
        given: String,
        /// What it must be.
        wanted: &'static str,
    },
    /// A figure that can't be true.
    #[error("{point} of {given} can't be right")]
    Range {
        /// The point.
        point: &'static str,
        /// What came.
        given: String,
    },
}

impl PayloadError {
    /// The label under which it is counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "oversized",
            Self::Malformed(_) => "malformed",
            Self::Kind { .. } => "wrong_kind",
            Self::Range { .. } => "out_of_range",
        }
    }
}

/// A payload, read once for all that is found in it.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    text: &'a str,
    json: Option<Result<Json, String>>,
}

impl<'a> Payload<'a> {
    /// Takes a payload's bytes.
    ///
    /// # Errors
    /// Too many bytes, or no text.
    pub fn new(bytes: &'a [u8]) -> Result<Self, PayloadError> {
        if bytes.len() > MAX_PAYLOAD_BYTES {
            return Err(PayloadError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|e| PayloadError::Malformed(e.to_string()))?;
        Ok(Self { text: text.trim(), json: None })
    }

    fn json(&mut self) -> Result<&Json, PayloadError> {
        let read =
            self.json.get_or_insert_with(|| serde_json::from_str(self.text).map_err(|e| e.to_string()));
        read.as_ref().map_err(|e| PayloadError::Malformed(e.clone()))
    }

    /// The text at `path`, as it is compared with words; none where there is nothing.
    ///
    /// # Errors
    /// A path into something that is no JSON.
    pub fn word(&mut self, path: Option<&JsonPath>) -> Result<Option<String>, PayloadError> {
        let Some(path) = path else { return Ok(Some(cut(self.text))) };
        Ok(path.find(self.json()?).map(|json| match json {
            Json::String(text) => cut(text.trim()),
            other => cut(&other.to_string()),
        }))
    }

    /// The value that `found` describes; none where the payload says nothing of it, as messages about something else
    /// on the same topic do.
    ///
    /// # Errors
    /// What is there, at `path`, and is no such value.
    pub fn value(&mut self, found: &Found, path: Option<&JsonPath>) -> Result<Option<Value>, PayloadError> {
        let Some(word) = self.word(path)? else { return Ok(None) };
        match found.point.quantity() {
            Quantity::Switch => found.switch(&word).map(Value::Switch).map(Some),
            Quantity::Word => Ok(Some(Value::Word(word))),
            quantity => found.amount(&word, quantity).map(Value::Amount).map(Some),
        }
    }
}

impl Found {
    fn wrong(&self, given: &str, wanted: &'static str) -> PayloadError {
        PayloadError::Kind { point: self.point.word(), given: format!("{given:?}"), wanted }
    }

    fn switch(&self, word: &str) -> Result<bool, PayloadError> {
        let among = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(word));
        match (among(&self.on), among(&self.off)) {
            (true, _) => Ok(true),
            (false, true) => Ok(false),
            (false, false) => Err(self.wrong(word, "switch")),
        }
    }

    fn amount(&self, word: &str, quantity: Quantity) -> Result<i64, PayloadError> {
        let number: f64 = word.parse().map_err(|_| self.wrong(word, "number"))?;
        if !number.is_finite() {
            return Err(self.wrong(word, "number"));
        }
        let unit = self.unit.ok_or_else(|| self.wrong(word, "number with a unit"))?;
        let thousandths = unit.thousandths(number * self.scale).round();
        let (min, max) = self.range;
        if !believable(quantity).contains(&thousandths) || !(min..=max).contains(&thousandths) {
            return Err(PayloadError::Range { point: self.point.word(), given: cut(word) });
        }
        Ok(thousandths as i64)
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_WORD_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(point: PointName, path: Option<&str>, unit: Option<Unit>) -> (Found, Option<JsonPath>) {
        let found = Found {
            point,
            unit,
            scale: 1.0,
            on: vec!["on".into(), "true".into(), "1".into()],
            off: vec!["off".into(), "false".into(), "0".into()],
            range: (f64::MIN, f64::MAX),
        };
        (found, path.map(|path| JsonPath::parse(path).unwrap()))
    }

    fn check(
        payload: &str,
        (found, path): &(Found, Option<JsonPath>),
        expected: Result<Option<Value>, &str>,
    ) {
        let got =
            Payload::new(payload.as_bytes()).and_then(|mut payload| payload.value(found, path.as_ref()));
        assert_eq!(
            got.as_ref().map_err(PayloadError::reason),
            expected.as_ref().map_err(|e| *e),
            "{payload}"
        );
    }

    #[test]
    fn plain_values_and_values_in_json_are_read_in_their_units() {
        let power = found(PointName::Power, Some("apower"), Some(Unit::W));
        check(r#"{"apower":812.5}"#, &power, Ok(Some(Value::Amount(812_500))));
        check(r#"{"apower":"812.5"}"#, &power, Ok(Some(Value::Amount(812_500))));
        check(r#"{"apower":-3}"#, &power, Ok(Some(Value::Amount(-3_000))));
        check(r#"{"voltage":231}"#, &power, Ok(None));
        check(r#"{"apower":null}"#, &power, Ok(None));
        let energy = found(PointName::Imported, None, Some(Unit::KilowattHour));
        check(" 1.25\n", &energy, Ok(Some(Value::Amount(4_500_000_000))));
        let room = found(PointName::Room, None, Some(Unit::Fahrenheit));
        check("68", &room, Ok(Some(Value::Amount(20_000))));
        check("-40", &room, Ok(Some(Value::Amount(-40_000))));
    }

    #[test]
    fn what_is_no_value_is_counted_for_what_it_is_and_never_a_number() {
        let power = found(PointName::Power, None, Some(Unit::W));
        for (payload, reason) in [
            ("nan", "wrong_kind"),
            ("NaN", "wrong_kind"),
            ("inf", "wrong_kind"),
            ("-inf", "wrong_kind"),
            ("unavailable", "wrong_kind"),
            ("", "wrong_kind"),
            ("12 W", "wrong_kind"),
            ("1e300", "out_of_range"),
            ("1e11", "out_of_range"),
        ] {
            check(payload, &power, Err(reason));
        }
        check("{\"apower\":1", &found(PointName::Power, Some("apower"), Some(Unit::W)), Err("malformed"));
        check("-1", &found(PointName::Imported, None, Some(Unit::Wh)), Err("out_of_range"));
        check("\u{0}\u{1}", &power, Err("wrong_kind"));
        let long = "1".repeat(MAX_PAYLOAD_BYTES + 1);
        check(&long, &power, Err("oversized"));
        assert_eq!(Payload::new(b"\xff\xfe").unwrap_err().reason(), "malformed");
    }

    #[test]
    fn a_switch_is_on_or_off_by_its_words_and_nothing_else() {
        let on = found(PointName::On, Some("output"), None);
        check(r#"{"output":true}"#, &on, Ok(Some(Value::Switch(true))));
        check(r#"{"output":"OFF"}"#, &on, Ok(Some(Value::Switch(false))));
        check(r#"{"output":1}"#, &on, Ok(Some(Value::Switch(true))));
        check(r#"{"output":"overpower"}"#, &on, Err("wrong_kind"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_value_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for point in [PointName::Power, PointName::On, PointName::Mode] {
                for path in [None, Some("a.b[0]")] {
                    if let Ok(mut payload) = Payload::new(&bytes) {
                        let (found, path) = found(point, path, Some(Unit::W));
                        let _ = payload.value(&found, path.as_ref());
                    }
                }
            }
        }
    }
}
