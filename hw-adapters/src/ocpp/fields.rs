//! Reading a payload's fields as charge points really send them: numbers as strings, timestamps
//! with or without a zone, booleans in any case. Bounded; a missing field is named.

use serde_json::Value;
use thiserror::Error;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{OffsetDateTime, PrimitiveDateTime};

/// Longest text kept of a field. The standard's longest (a configuration value) has 500.
const TEXT_MAX_CHARS: usize = 500;

/// A field that is missing or can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    /// Not there.
    #[error("field {0} is missing")]
    Missing(&'static str),
    /// There, but not what it must be.
    #[error("field {0} is not {1}")]
    Wrong(&'static str, &'static str),
}

/// The fields of one object.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a Value);

impl<'a> Fields<'a> {
    fn get(self, name: &'static str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text, cut at 500 characters; a number is taken as its digits.
    ///
    /// # Errors
    /// Where there is none.
    pub fn text(self, name: &'static str) -> Result<String, FieldError> {
        match self.get(name) {
            Some(Value::String(text)) => Ok(text.chars().take(TEXT_MAX_CHARS).collect()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(_) => Err(FieldError::Wrong(name, "a text")),
            None => Err(FieldError::Missing(name)),
        }
    }

    /// A text that may be missing; then empty.
    pub fn text_or_empty(self, name: &'static str) -> String {
        self.text(name).unwrap_or_default()
    }

    /// A finite number, also where it stands in a text.
    ///
    /// # Errors
    /// Where there is none.
    pub fn number(self, name: &'static str) -> Result<f64, FieldError> {
        let number = match self.get(name) {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) if text.len() <= 64 => text.trim().parse().ok(),
            Some(_) => None,
            None => return Err(FieldError::Missing(name)),
        };
        number.filter(|number: &f64| number.is_finite()).ok_or(FieldError::Wrong(name, "a finite number"))
    }

    /// A whole number of at most 53 bits, also where it stands in a text or ends in `.0`.
    ///
    /// # Errors
    /// Where there is none.
    pub fn integer(self, name: &'static str) -> Result<i64, FieldError> {
        let number = self.number(name)?;
        let exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
        exact.then_some(number as i64).ok_or(FieldError::Wrong(name, "a whole number"))
    }

    /// An instant in milliseconds since 1970; none where it is missing or unreadable, since no
    /// decision rests on a charge point's clock alone.
    pub fn instant_ms(self, name: &'static str) -> Option<i64> {
        match self.get(name)? {
            Value::String(text) => instant_ms(text),
            _ => None,
        }
    }

    /// Whether a flag is set, also where it stands in a text; one that is missing is not.
    pub fn flag(self, name: &'static str) -> bool {
        match self.get(name) {
            Some(Value::Bool(set)) => *set,
            Some(Value::String(text)) => text.trim().eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// The objects in an array; a single object counts as an array of one. Others are passed over.
    pub fn objects(self, name: &'static str) -> impl Iterator<Item = Fields<'a>> {
        let found: &[Value] = match self.get(name) {
            Some(Value::Array(values)) => values,
            Some(value) => std::slice::from_ref(value),
            None => &[],
        };
        found.iter().filter(|value| value.is_object()).map(Fields)
    }

    /// An object inside.
    pub fn object(self, name: &'static str) -> Option<Fields<'a>> {
        self.get(name).filter(|value| value.is_object()).map(Fields)
    }
}

/// Milliseconds since 1970 of a timestamp with or without zone (then UTC), with `T` or a blank.
pub fn instant_ms(text: &str) -> Option<i64> {
    if text.len() > 40 || !text.is_ascii() {
        return None;
    }
    let text = text.trim().replacen(' ', "T", 1);
    let instant = OffsetDateTime::parse(&text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&text, &Iso8601::DEFAULT))
        .or_else(|_| PrimitiveDateTime::parse(&text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc))
        .ok()?;
    i64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok()
}

/// An instant as the standard writes it, in UTC.
pub fn timestamp(unix_s: i64) -> String {
    let instant = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    instant.format(&Rfc3339).unwrap_or_else(|_| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn check_number(value: Value, expected: Option<f64>) {
        assert_eq!(Fields(&json!({ "n": value })).number("n").ok(), expected);
    }

    fn check_instant(text: &str, expected: Option<i64>) {
        assert_eq!(instant_ms(text), expected, "{text}");
    }

    #[test]
    fn numbers_are_read_from_texts() {
        check_number(json!(12.5), Some(12.5));
        check_number(json!(" 12.50 "), Some(12.5));
        check_number(json!("NaN"), None);
        check_number(json!("1e999"), None);
        check_number(json!([1]), None);
        assert_eq!(Fields(&json!({"n": "7.0"})).integer("n"), Ok(7));
        assert_eq!(Fields(&json!({"n": 7.5})).integer("n"), Err(FieldError::Wrong("n", "a whole number")));
        assert_eq!(Fields(&json!({"n": null})).integer("n"), Err(FieldError::Missing("n")));
    }

    #[test]
    fn timestamps_are_read_as_charge_points_write_them() {
        check_instant("2024-01-01T00:00:00Z", Some(1_704_067_200_000));
        check_instant("2024-01-01T01:00:00.250+01:00", Some(1_704_067_200_250));
        check_instant("2024-01-01T00:00:00", Some(1_704_067_200_000));
        check_instant("2024-01-01 00:00:00.5", Some(1_704_067_200_500));
        check_instant("yesterday", None);
        check_instant("2024-13-01T00:00:00Z", None);
        assert_eq!(timestamp(1_704_067_200), "2024-01-01T00:00:00Z");
    }

    proptest! {
        #[test]
        fn any_text_is_an_instant_or_none(text in ".{0,50}", unix_s in 0i64..10_000_000_000) {
            let _ = instant_ms(&text);
            prop_assert_eq!(instant_ms(&timestamp(unix_s)), Some(unix_s * 1000));
        }
    }
}
