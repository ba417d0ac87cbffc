//! OCPP-J framing (OCPP-J 1.6, section 4.2; 2.0.1 part 4, section 4.2): calls, results and errors as JSON arrays, bounded.

use super::version::Version;
use serde_json::{json, Map, Value};
use thiserror::Error;

/// Longest message read, in bytes. A charge point's whole configuration fits several times.
pub const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// Deepest nesting of arrays and objects read. OCPP's own messages reach 7.
pub const DEPTH_MAX: usize = 16;
/// Longest message id read; the standard says 36.
pub const ID_MAX_CHARS: usize = 64;
/// Longest action name read; the standard's longest has 33.
pub const ACTION_MAX_CHARS: usize = 64;

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A request: `[2, id, action, payload]`.
    Call {
        /// Given back in the answer.
        id: String,
        /// What is asked.
        action: String,
        /// Its fields.
        payload: Value,
    },
    /// An answer: `[3, id, payload]`.
    Result {
        /// Of the call answered.
        id: String,
        /// Its fields.
        payload: Value,
    },
    /// A refusal: `[4, id, code, description, details]`.
    Error {
        /// Of the call refused.
        id: String,
        /// One of the standard's error codes.
        code: String,
        /// In words; may be empty.
        description: String,
    },
}

/// Text that is no OCPP-J message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Longer than [`MESSAGE_MAX_BYTES`].
    #[error("message of {0} bytes; {MESSAGE_MAX_BYTES} are read")]
    TooLong(usize),
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("message nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// No JSON.
    #[error("message is no JSON: {0}")]
    NotJson(String),
    /// JSON, but not one of the three arrays.
    #[error("message is no OCPP-J frame: {0}")]
    NotAFrame(&'static str),
    /// A call that can be answered, and nothing more.
    #[error("call {id} is no call: {what}")]
    BadCall {
        /// Its message id.
        id: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl FrameError {
    /// The label under which it is counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "oversized",
            Self::TooDeep => "too_deep",
            Self::NotJson(_) => "not_json",
            Self::NotAFrame(_) | Self::BadCall { .. } => "not_a_frame",
        }
    }

    /// The id of the call it was meant to be, where there is one to answer.
    pub fn call(&self) -> Option<&str> {
        match self {
            Self::BadCall { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The error code to answer such a call with.
    pub fn code(&self, version: Version) -> &'static str {
        match version {
            Version::V16 => "FormationViolation",
            Version::V201 => "FormatViolation",
        }
    }
}

impl Frame {
    /// Reads a message. Missing trailing elements of results and errors are taken as empty, since
    /// charge points leave them out.
    ///
    /// # Errors
    /// Text that is no such message, or beyond the bounds.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        if text.len() > MESSAGE_MAX_BYTES {
            return Err(FrameError::TooLong(text.len()));
        }
        if depth(text) > DEPTH_MAX {
            return Err(FrameError::TooDeep);
        }
        let value: Value = serde_json::from_str(text).map_err(|e| FrameError::NotJson(e.to_string()))?;
        let Value::Array(elements) = value else {
            return Err(FrameError::NotAFrame("not an array"));
        };
        let mut elements = elements.into_iter();
        let kind = elements.next().ok_or(FrameError::NotAFrame("empty"))?;
        let id = bounded_text(elements.next(), ID_MAX_CHARS).ok_or(FrameError::NotAFrame("no message id"))?;
        match kind_number(&kind) {
            Some(2) => {
                let bad = |what| FrameError::BadCall { id: id.clone(), what };
                let action =
                    bounded_text(elements.next(), ACTION_MAX_CHARS).ok_or(bad("it has no action"))?;
                let payload = object(elements.next()).map_err(|_| bad("its payload is no object"))?;
                Ok(Self::Call { id, action, payload })
            }
            Some(3) => Ok(Self::Result { id, payload: object(elements.next())? }),
            Some(4) => {
                let code = bounded_text(elements.next(), ACTION_MAX_CHARS)
                    .unwrap_or_else(|| "GenericError".to_owned());
                let description: String = match elements.next() {
                    Some(Value::String(text)) => text.chars().take(255).collect(),
                    _ => String::new(),
                };
                Ok(Self::Error { id, code, description })
            }
            _ => Err(FrameError::NotAFrame("unknown message type")),
        }
    }

    /// The message as text.
    pub fn text(&self) -> String {
        match self {
            Self::Call { id, action, payload } => json!([2, id, action, payload]),
            Self::Result { id, payload } => json!([3, id, payload]),
            Self::Error { id, code, description } => json!([4, id, code, description, {}]),
        }
        .to_string()
    }
}

fn kind_number(kind: &Value) -> Option<i64> {
    match kind {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn bounded_text(value: Option<Value>, max_chars: usize) -> Option<String> {
    let text = match value? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && text.chars().count() <= max_chars).then_some(text)
}

fn object(value: Option<Value>) -> Result<Value, FrameError> {
    match value {
        Some(Value::Object(fields)) => Ok(Value::Object(fields)),
        None | Some(Value::Null) => Ok(Value::Object(Map::new())),
        Some(_) => Err(FrameError::NotAFrame("payload is no object")),
    }
}

/// Nesting of arrays and objects, without parsing: brackets inside strings don't count.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<Frame, &str>) {
        let got = Frame::parse(text);
        assert_eq!(got.as_ref().map_err(FrameError::reason), expected.as_ref().map_err(|e| *e), "{text}");
    }

    #[test]
    fn the_standards_examples_are_read() {
        let boot = json!({"chargePointVendor": "VendorX", "chargePointModel": "SingleSocketCharger"});
        check(
            r#"[2, "19223201", "BootNotification", {"chargePointVendor": "VendorX", "chargePointModel": "SingleSocketCharger"}]"#,
            Ok(Frame::Call { id: "19223201".into(), action: "BootNotification".into(), payload: boot }),
        );
        check(
            r#"[4, "162376037", "NotSupported", "", {}]"#,
            Ok(Frame::Error { id: "162376037".into(), code: "NotSupported".into(), description: "".into() }),
        );
    }

    #[test]
    fn what_charge_points_leave_out_is_empty() {
        let empty = Frame::Result { id: "7".into(), payload: json!({}) };
        check(r#"[3,"7"]"#, Ok(empty.clone()));
        check(r#"[3,7,null]"#, Ok(empty.clone()));
        check(r#"["3","7",{}]"#, Ok(empty));
        check(
            r#"[4,"7"]"#,
            Ok(Frame::Error { id: "7".into(), code: "GenericError".into(), description: "".into() }),
        );
    }

    #[test]
    fn what_is_no_frame_is_refused_by_reason() {
        check("", Err("not_json"));
        check("{}", Err("not_a_frame"));
        check("[]", Err("not_a_frame"));
        check(r#"[5,"1",{}]"#, Err("not_a_frame"));
        check(r#"[2,"1","Heartbeat",[]]"#, Err("not_a_frame"));
        check(&format!(r#"[2,"{}","Heartbeat",{{}}]"#, "x".repeat(65)), Err("not_a_frame"));
        check(&format!("[{}", "[".repeat(20_000)), Err("too_deep"));
        check(&" ".repeat(MESSAGE_MAX_BYTES + 1), Err("oversized"));
        check(
            r#"[3,"[[[[[[[[[[[[[[[[[[[[[",{}]"#,
            Ok(Frame::Result { id: "[".repeat(21), payload: json!({}) }),
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_we_write_reads_back(text in ".{0,300}", id in "[a-z0-9-]{1,36}") {
            let _ = Frame::parse(&text);
            let frame = Frame::Call { id, action: "Heartbeat".into(), payload: json!({ "text": text }) };
            prop_assert_eq!(Frame::parse(&frame.text()), Ok(frame));
        }
    }
}
