//! Who a charge point says it is, and whether it may: the identity in its URL, and HTTP basic authentication
//! tied to it (OCPP 1.6 security whitepaper, section 3; 2.0.1 part 2, use case A00). Pure.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use sha2::{Digest, Sha256};
use std::fmt;

/// Longest path read.
const PATH_MAX: usize = 2000;
/// Longest `Authorization` header read.
const HEADER_MAX: usize = 1000;

/// What a charge point must know: the SHA-256 of its password, so that the password itself lies nowhere here.
#[derive(Clone, PartialEq, Eq)]
pub struct Password([u8; 32]);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    /// By the password itself.
    pub fn of(password: &str) -> Self {
        Self(Sha256::digest(password.as_bytes()).into())
    }

    /// By its SHA-256 in hexadecimal; none where that is none.
    pub fn from_sha256(hex: &str) -> Option<Self> {
        let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        let sound = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
        bytes.filter(|_| sound).and_then(|bytes| bytes.try_into().ok()).map(Self)
    }

    /// Whether these bytes are it: as they stand, or written in hexadecimal, since charge points of 1.6 hold their
    /// key in hexadecimal and send it as bytes.
    fn is(&self, given: &[u8]) -> bool {
        let hex = |upper: bool| -> String {
            given
                .iter()
                .map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") })
                .collect()
        };
        // All three are looked at, whichever fits, and every byte of each: time tells nothing.
        let candidates = [given.to_vec(), hex(false).into_bytes(), hex(true).into_bytes()];
        candidates.iter().fold(false, |found, candidate| {
            let digest: [u8; 32] = Sha256::digest(candidate).into();
            found | (digest.iter().zip(self.0).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0)
        })
    }
}

/// The identity in a URL's path: its last segment, percent-decoded. None where there is none.
pub(super) fn identity(path: &str) -> Option<String> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    if path.len() > PATH_MAX {
        return None;
    }
    let segment = path.rsplit('/').next().unwrap_or_default().as_bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    let mut at = 0;
    while let Some(byte) = segment.get(at) {
        if *byte == b'%' {
            let digits = std::str::from_utf8(segment.get(at + 1..at + 3)?).ok()?;
            let sound = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            decoded.push(u8::from_str_radix(digits, 16).ok().filter(|_| sound)?);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok().filter(|identity| !identity.is_empty())
}

/// Whether a charge point of this identity may connect with this `Authorization` header: it must know the
/// password where it has one. A header that names somebody else is refused in any case.
pub(super) fn may_connect(identity: &str, password: Option<&Password>, header: Option<&[u8]>) -> bool {
    let Some(header) = header else { return password.is_none() };
    let Some((user, given)) = credentials(header) else { return false };
    user == identity.as_bytes() && password.is_none_or(|password| password.is(&given))
}

fn credentials(header: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let text = std::str::from_utf8(header).ok().filter(|text| text.len() <= HEADER_MAX)?;
    let (scheme, encoded) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    // An identity may hold a colon, a password too: it is the identity that is known.
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some((decoded[..colon].to_vec(), decoded[colon + 1..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_identity(path: &str, expected: Option<&str>) {
        assert_eq!(identity(path).as_deref(), expected, "{path}");
    }

    #[test]
    fn the_identity_is_the_last_segment_decoded() {
        check_identity("/ocpp/CP-1", Some("CP-1"));
        check_identity("/CP-1?token=x", Some("CP-1"));
        check_identity("/ocpp/CP%2D1", Some("CP-1"));
        check_identity("/ocpp/a%7Cb", Some("a|b"));
        check_identity("/ocpp/..%2FCP-1", Some("../CP-1"));
        for bad in ["", "/", "/ocpp/", "/x/%", "/x/%4", "/x/%zz", "/x/%+1", "/x/%ff", "/x/%é1"] {
            check_identity(bad, None);
        }
        check_identity(&"x".repeat(PATH_MAX + 1), None);
    }

    fn check(password: Option<&str>, header: Option<&str>, expected: bool) {
        let password = password.map(Password::of);
        let may = may_connect("CP-1", password.as_ref(), header.map(str::as_bytes));
        assert_eq!(may, expected, "{header:?}");
    }

    fn basic(user: &str, password: &[u8]) -> String {
        format!("Basic {}", STANDARD.encode([user.as_bytes(), b":", password].concat()))
    }

    #[test]
    fn a_password_is_asked_for_where_there_is_one_and_is_the_identitys() {
        check(None, None, true);
        check(None, Some(&basic("CP-1", b"anything")), true);
        check(None, Some(&basic("CP-2", b"anything")), false);
        check(Some("secret"), None, false);
        check(Some("secret"), Some(&basic("CP-1", b"secret")), true);
        check(Some("secret"), Some(&basic("CP-1", b"secreT")), false);
        check(Some("secret"), Some(&basic("CP-2", b"secret")), false);
        check(Some("00ff10"), Some(&basic("CP-1", &[0, 255, 16])), true);
        check(Some("00FF10"), Some(&basic("CP-1", &[0, 255, 16])), true);
        for bad in ["Basic", "Basic !!", "Bearer Q1AtMTpzZWNyZXQ=", "Basic Q1A=", ""] {
            check(Some("secret"), Some(bad), false);
        }
    }

    #[test]
    fn a_password_is_known_by_its_hash() {
        let hex = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        assert_eq!(Password::from_sha256(hex), Some(Password::of("secret")));
        assert_eq!(Password::from_sha256("2bb8"), None);
        assert_eq!(Password::from_sha256(&"é".repeat(32)), None);
    }
}
