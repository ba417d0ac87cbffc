//! Access tokens: a party shows, for a few minutes, that it holds its key. A CBOR Web Token (RFC 8392)
//! in base64url, signed as COSE_Sign1 with EdDSA, so that other people's libraries make them too.
//!
//! What a caller may do with one is not known here. A token is signed with no external data, and an
//! envelope with its topic as such, so that neither can be taken for the other.

use crate::cbor;
use crate::envelope::Signer;
use crate::hash::Hash32;
use crate::party::{PartyError, PartyId};
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use ciborium::value::Value;
use coset::cwt::{ClaimsSet, ClaimsSetBuilder, Timestamp};
use coset::{
    iana, AsCborValue, CborSerializable, CoseSign1, CoseSign1Builder, HeaderBuilder,
    RegisteredLabelWithPrivate, TaggedCborSerializable,
};
use ed25519_dalek::{Signature, VerifyingKey};
use thiserror::Error;

/// Longest token accepted, in characters.
pub const MAX_TOKEN_CHARS: usize = 1_024;
/// Longest time a token may be valid, in seconds.
pub const MAX_LIFETIME_S: i64 = 3_600;
/// How much clocks may differ, in seconds.
const SKEW_S: i64 = 30;
/// Tag of a CBOR Web Token (RFC 8392 section 6), which may stand around it.
const CWT_TAG: u64 = 61;
/// Longest protected header accepted, in bytes.
const MAX_PROTECTED_BYTES: usize = 128;

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TokenError {
    /// Not base64url of a COSE_Sign1 around claims, within the bounds.
    #[error("reading an access token: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// It is signed by another algorithm, or demands something that is not understood.
    #[error("reading an access token: its header is not that of an EdDSA signature and nothing more")]
    Header,
    /// A claim that must be there is not.
    #[error("reading an access token: it has no claim {claim}")]
    Missing {
        /// Its name.
        claim: &'static str,
    },
    /// Its issuer is no party's name.
    #[error("reading an access token: its issuer: {0}")]
    Issuer(#[from] PartyError),
    /// It is for another ledger.
    #[error("reading an access token: it is for {audience}, not for this ledger")]
    Audience {
        /// Whom it is for, cut to 80 characters.
        audience: String,
    },
    /// No key is known of its issuer.
    #[error("reading an access token: {issuer} is no participant, or not at this time")]
    Unknown {
        /// Who it says it is by.
        issuer: PartyId,
    },
    /// The signature does not hold.
    #[error("reading an access token: its signature is not by {issuer}")]
    Signature {
        /// Who it says it is by.
        issuer: PartyId,
    },
    /// It is over, or has not begun.
    #[error(
        "reading an access token: valid from {from_s} to {to_s}, and it is {now_s} (seconds since 1970)"
    )]
    Time {
        /// From when it is valid.
        from_s: i64,
        /// To when.
        to_s: i64,
        /// What time it is.
        now_s: i64,
    },
    /// It is valid for longer than any may be.
    #[error(
        "reading an access token: valid for {lifetime_s} s, and at most {MAX_LIFETIME_S} s are accepted"
    )]
    Lifetime {
        /// For how long.
        lifetime_s: i64,
    },
    /// It can't be made.
    #[error("making an access token: {reason}")]
    Encode {
        /// Why not.
        reason: String,
    },
}

/// A token for `signer`'s party to read the ledger with this identity, valid from `now_s` (seconds since
/// 1970) for `lifetime_s`.
///
/// # Errors
/// Where it would be valid for longer than any may be.
pub fn issue(signer: &Signer, ledger: &Hash32, now_s: i64, lifetime_s: i64) -> Result<String, TokenError> {
    if !(1..=MAX_LIFETIME_S).contains(&lifetime_s) {
        return Err(TokenError::Lifetime { lifetime_s });
    }
    let encode = |reason: String| TokenError::Encode { reason };
    let party = signer.party().to_string();
    let claims = ClaimsSetBuilder::new()
        .issuer(party.clone())
        .audience(ledger.to_string())
        .issued_at(Timestamp::WholeSeconds(now_s))
        .expiration_time(Timestamp::WholeSeconds(now_s.saturating_add(lifetime_s)))
        .build();
    let header = HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(party.into_bytes()).build();
    let payload = claims.to_vec().map_err(|e| encode(e.to_string()))?;
    let sign1 = CoseSign1Builder::new()
        .protected(header)
        .payload(payload)
        .create_signature(&[], |bytes| signer.sign_cose(bytes))
        .build();
    Ok(URL_SAFE_NO_PAD.encode(sign1.to_tagged_vec().map_err(|e| encode(e.to_string()))?))
}

/// Whose token this is, for the ledger with this identity, at `now_s` (seconds since 1970). `key_of` knows
/// participants' keys.
///
/// # Errors
/// Names the first thing that does not hold.
pub fn read(
    text: &str,
    ledger: &Hash32,
    now_s: i64,
    key_of: impl FnOnce(&PartyId) -> Option<Hash32>,
) -> Result<PartyId, TokenError> {
    let sign1 = decode(text)?;
    let claims = ClaimsSet::from_slice(sign1.payload.as_deref().unwrap_or_default()).map_err(malformed)?;
    let issuer = claims.issuer.as_deref().ok_or(TokenError::Missing { claim: "iss" })?;
    let issuer: PartyId = issuer.parse()?;
    let audience = claims.audience.as_deref().ok_or(TokenError::Missing { claim: "aud" })?;
    if audience != ledger.to_string() {
        return Err(TokenError::Audience { audience: audience.chars().take(80).collect() });
    }
    let key = key_of(&issuer).and_then(|key| VerifyingKey::from_bytes(&key.0).ok());
    let key = key.ok_or_else(|| TokenError::Unknown { issuer: issuer.clone() })?;
    let signature = Signature::from_slice(&sign1.signature);
    if signature.and_then(|signature| key.verify_strict(&sign1.tbs_data(&[]), &signature)).is_err() {
        return Err(TokenError::Signature { issuer });
    }
    check_times(&claims, now_s)?;
    Ok(issuer)
}

fn check_times(claims: &ClaimsSet, now_s: i64) -> Result<(), TokenError> {
    let issued_s = whole(claims.issued_at.as_ref()).ok_or(TokenError::Missing { claim: "iat" })?;
    let to_s = whole(claims.expiration_time.as_ref()).ok_or(TokenError::Missing { claim: "exp" })?;
    let from_s = whole(claims.not_before.as_ref()).map_or(issued_s, |at| at.max(issued_s));
    let lifetime_s = to_s.saturating_sub(issued_s);
    if lifetime_s > MAX_LIFETIME_S {
        return Err(TokenError::Lifetime { lifetime_s });
    }
    if now_s >= to_s || now_s < from_s.saturating_sub(SKEW_S) {
        return Err(TokenError::Time { from_s, to_s, now_s });
    }
    Ok(())
}

/// Seconds; libraries write them as whole numbers or as fractions.
fn whole(at: Option<&Timestamp>) -> Option<i64> {
    match at? {
        Timestamp::WholeSeconds(seconds) => Some(*seconds),
        Timestamp::FractionalSeconds(seconds) if seconds.is_finite() => Some(*seconds as i64),
        Timestamp::FractionalSeconds(_) => None,
    }
}

/// Takes a token apart. Says nothing yet about its signature.
fn decode(text: &str) -> Result<CoseSign1, TokenError> {
    if text.len() > MAX_TOKEN_CHARS {
        return Err(malformed(format!("{} characters, and at most {MAX_TOKEN_CHARS} are read", text.len())));
    }
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(malformed)?;
    let mut value: Value = cbor::decode(&bytes, MAX_TOKEN_CHARS).map_err(malformed)?;
    if let Value::Tag(CWT_TAG, inner) = value {
        value = *inner;
    }
    let Value::Tag(CoseSign1::TAG, inner) = value else {
        return Err(malformed("it has not the tag of COSE_Sign1"));
    };
    let protected = inner.as_array().and_then(|parts| parts.first()).and_then(Value::as_bytes);
    if protected.is_none_or(|bytes| bytes.len() > MAX_PROTECTED_BYTES) {
        return Err(TokenError::Header);
    }
    let sign1 = CoseSign1::from_cbor_value(*inner).map_err(malformed)?;
    let header = &sign1.protected.header;
    let eddsa = header.alg == Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA));
    match eddsa && header.crit.is_empty() {
        true => Ok(sign1),
        false => Err(TokenError::Header),
    }
}

fn malformed(reason: impl ToString) -> TokenError {
    TokenError::Malformed { reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Role;
    use crate::topic::Network;
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    const NOW_S: i64 = 1_700_000_000;

    fn ledger() -> Hash32 {
        Hash32([7; 32])
    }

    fn signer() -> Signer {
        let network = Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() };
        let party = PartyId::new(Role::Site, "s1".parse().unwrap());
        Signer::new(network, party, SigningKey::from_bytes(&[1; 32]), 1)
    }

    fn check(text: &str, ledger: &Hash32, now_s: i64, expected: Result<(), &str>) {
        let known = signer();
        let key_of = |party: &PartyId| (party == known.party()).then(|| known.public_key());
        match (read(text, ledger, now_s, key_of), expected) {
            (Ok(party), Ok(())) => assert_eq!(party, *known.party()),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}, not {part}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_token_holds_for_its_ledger_and_time_alone() {
        let token = issue(&signer(), &ledger(), NOW_S, 300).unwrap();
        check(&token, &ledger(), NOW_S, Ok(()));
        check(&token, &ledger(), NOW_S + 299, Ok(()));
        check(&token, &ledger(), NOW_S - 30, Ok(()));
        check(&token, &ledger(), NOW_S + 300, Err("valid from"));
        check(&token, &ledger(), NOW_S - 31, Err("valid from"));
        check(&token, &Hash32([8; 32]), NOW_S, Err("not for this ledger"));
        check("", &ledger(), NOW_S, Err("reading"));
        check(&"A".repeat(1_025), &ledger(), NOW_S, Err("1025 characters"));
        let too_long = issue(&signer(), &ledger(), NOW_S, MAX_LIFETIME_S + 1);
        assert_eq!(too_long, Err(TokenError::Lifetime { lifetime_s: MAX_LIFETIME_S + 1 }));
    }

    #[test]
    fn a_token_by_a_stranger_or_another_key_is_refused() {
        let token = issue(&signer(), &ledger(), NOW_S, 300).unwrap();
        let issuer = signer().party().clone();
        let unknown = read(&token, &ledger(), NOW_S, |_| None);
        assert_eq!(unknown, Err(TokenError::Unknown { issuer: issuer.clone() }));
        let other = Hash32(SigningKey::from_bytes(&[2; 32]).verifying_key().to_bytes());
        let other = read(&token, &ledger(), NOW_S, |_| Some(other));
        assert_eq!(other, Err(TokenError::Signature { issuer }));
    }

    proptest! {
        #[test]
        fn no_changed_token_is_believed(place in 0usize..400, with in 0u8..64) {
            let token = issue(&signer(), &ledger(), NOW_S, 300).unwrap();
            let mut letters: Vec<char> = token.chars().collect();
            let place = place % letters.len();
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            letters[place] = alphabet.chars().nth(with.into()).unwrap();
            let changed: String = letters.into_iter().collect();
            let key = signer().public_key();
            let read = read(&changed, &ledger(), NOW_S, |_| Some(key));
            prop_assert!(changed == token || read.is_err(), "{read:?}");
        }

        #[test]
        fn no_bytes_are_a_token(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let key = signer().public_key();
            prop_assert!(read(&URL_SAFE_NO_PAD.encode(bytes), &ledger(), NOW_S, |_| Some(key)).is_err());
        }
    }
}
