//! COSE Receipts (RFC 9942): signatures over the root of a Merkle tree, and the proofs that lead to it,
//! in the form that other people's COSE libraries read and verify.
//!
//! A receipt is a COSE_Sign1 whose payload, the root, is left out: whoever verifies it works the root out
//! from the leaf and the proof. What a root is signed *as* stands in the protected header, so that a
//! signature counts for one purpose alone. Who may sign what is not known here.

use crate::cbor::{self, CborError};
use crate::hash::Hash32;
use crate::merkle;
use crate::signature::{self, Signature};
use ciborium::value::{Integer, Value};
use coset::{iana, AsCborValue, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Header parameter that names the kind of tree (RFC 9942 section 2).
const VDS: i64 = 395;
/// Header parameter that holds the proofs.
const VDP: i64 = 396;
/// The tree of RFC 9162 over SHA-256 (RFC 9942 section 4.1).
const RFC9162_SHA256: i64 = 1;
/// Key of inclusion proofs among the proofs (section 4.2).
const INCLUSION: i64 = -1;
/// Most bytes of one receipt: 64 siblings need less than half.
pub const MAX_RECEIPT_BYTES: usize = 8 * 1024;
/// Most siblings on a path: a tree has no more than 2^64 leaves.
const MAX_PATH: usize = 64;

/// Proof that a leaf lies in a tree, written as RFC 9942 section 5.2 has it: an array of size, index
/// and path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, Vec<Hash32>)", into = "(u64, u64, Vec<Hash32>)")]
pub struct Inclusion {
    /// Leaves in the tree.
    pub size: u64,
    /// The leaf's place, from 0.
    pub index: u64,
    /// Siblings from the leaf upward.
    pub path: Vec<Hash32>,
}

/// Proof that a tree was only appended to, written as RFC 9942 section 5.3 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64, Vec<Hash32>)", into = "(u64, u64, Vec<Hash32>)")]
pub struct Consistency {
    /// Leaves in the older tree.
    pub old_size: u64,
    /// Leaves in the newer tree.
    pub new_size: u64,
    /// The path of RFC 9162 section 2.1.4.1.
    pub path: Vec<Hash32>,
}

impl From<(u64, u64, Vec<Hash32>)> for Inclusion {
    fn from((size, index, path): (u64, u64, Vec<Hash32>)) -> Self {
        Self { size, index, path }
    }
}

impl From<Inclusion> for (u64, u64, Vec<Hash32>) {
    fn from(proof: Inclusion) -> Self {
        (proof.size, proof.index, proof.path)
    }
}

impl From<(u64, u64, Vec<Hash32>)> for Consistency {
    fn from((old_size, new_size, path): (u64, u64, Vec<Hash32>)) -> Self {
        Self { old_size, new_size, path }
    }
}

impl From<Consistency> for (u64, u64, Vec<Hash32>) {
    fn from(proof: Consistency) -> Self {
        (proof.old_size, proof.new_size, proof.path)
    }
}

impl Inclusion {
    /// The proof for the leaf (a hash) at `index`; none where there is no such leaf.
    pub fn of(leaves: &[Hash32], index: usize) -> Option<Self> {
        let path = merkle::inclusion_proof(leaves, index)?;
        Some(Self { size: leaves.len() as u64, index: index as u64, path })
    }

    /// Whether it leads from `leaf` (a hash) to `root`.
    pub fn holds(&self, leaf: &Hash32, root: &Hash32) -> bool {
        self.path.len() <= MAX_PATH && merkle::verify_inclusion(leaf, self.index, self.size, &self.path, root)
    }
}

impl Consistency {
    /// The proof that the tree over `leaves` (hashes) begins with that over its first `old_size`; none
    /// where these are none, or more than there are.
    pub fn of(leaves: &[Hash32], old_size: usize) -> Option<Self> {
        let path = merkle::consistency_proof(leaves, old_size)?;
        Some(Self { old_size: old_size as u64, new_size: leaves.len() as u64, path })
    }

    /// Whether it leads from `old_root` to `new_root`.
    pub fn holds(&self, old_root: &Hash32, new_root: &Hash32) -> bool {
        let Self { old_size, new_size, path } = self;
        path.len() <= MAX_PATH + 1
            && merkle::verify_consistency(*old_size, *new_size, path, old_root, new_root)
    }
}

/// What a root is signed as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Name of the purpose: the label of a protected header parameter.
    pub name: &'static str,
    /// What tells it from others of its name, at fixed places: the parameter's value.
    pub context: Vec<u8>,
}

/// Why bytes are no receipt for a purpose.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// No CBOR, or too much of it.
    #[error("a receipt's encoding: {0}")]
    Cbor(#[from] CborError),
    /// Not a COSE_Sign1 with the headers of a receipt, or in another encoding than the one there is.
    #[error("it is no receipt of inclusion for a {purpose}, or not as it is encoded")]
    Form {
        /// The purpose it should have.
        purpose: &'static str,
    },
}

/// One signer's receipt of inclusion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who signed, in the words of the key's identifier.
    pub kid: String,
    /// From the leaf to the root signed.
    pub inclusion: Inclusion,
    /// Ed25519 signature over the root, by [`signed_bytes`].
    pub signature: [u8; 64],
}

/// The bytes that are signed for a root: COSE's Sig_structure (RFC 9052 section 4.4) with the root as
/// payload.
pub fn signed_bytes(purpose: &Purpose, root: &Hash32) -> Vec<u8> {
    let sign1 = CoseSign1Builder::new().protected(protected(purpose)).build();
    sign1.tbs_detached_data(&root.0, &[])
}

/// Whether `signature` is by `key` over `root` for this purpose, by the strict rules, under which every
/// machine gives the same verdict.
pub fn verify_root(key: &Hash32, purpose: &Purpose, root: &Hash32, signature: &[u8; 64]) -> bool {
    signature::verify(key, &signed_bytes(purpose, root), &Signature(*signature))
}

fn protected(purpose: &Purpose) -> Header {
    HeaderBuilder::new()
        .algorithm(iana::Algorithm::EdDSA)
        .value(VDS, Value::from(RFC9162_SHA256))
        .text_value(purpose.name.to_owned(), Value::Bytes(purpose.context.clone()))
        .build()
}

impl Receipt {
    /// The receipt's one encoding.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self, purpose: &Purpose) -> Result<Vec<u8>, ReceiptError> {
        let proofs = Value::Array(vec![Value::Bytes(cbor::to_vec(&self.inclusion)?)]);
        let unprotected = HeaderBuilder::new()
            .key_id(self.kid.as_bytes().to_vec())
            .value(VDP, Value::Map(vec![(Value::from(INCLUSION), proofs)]))
            .build();
        let sign1 = CoseSign1Builder::new()
            .protected(protected(purpose))
            .unprotected(unprotected)
            .signature(self.signature.to_vec())
            .build();
        let unencodable = |e: coset::CoseError| CborError::Encode { reason: e.to_string() };
        Ok(sign1.to_tagged_vec().map_err(unencodable)?)
    }

    /// A receipt from bytes of unknown origin. Says nothing yet about proof or signature.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8], purpose: &Purpose) -> Result<Self, ReceiptError> {
        let wrong = || ReceiptError::Form { purpose: purpose.name };
        let value: Value = cbor::decode(bytes, MAX_RECEIPT_BYTES)?;
        let (tag, inner) = value.into_tag().map_err(|_| wrong())?;
        if tag != CoseSign1::TAG {
            return Err(wrong());
        }
        let parts = inner.as_array().ok_or_else(wrong)?;
        let [Value::Bytes(header), unprotected, Value::Null, Value::Bytes(signature)] = parts.as_slice()
        else {
            return Err(wrong());
        };
        // Compared as bytes, not decoded: there is one header for a purpose.
        if Some(header.as_slice()) != header_bytes(purpose).as_deref() {
            return Err(wrong());
        }
        let kid = lookup(unprotected, iana::HeaderParameter::Kid as i64).and_then(Value::as_bytes);
        let proofs = lookup(unprotected, VDP).and_then(|proofs| lookup(proofs, INCLUSION));
        let proof = proofs.and_then(Value::as_array).and_then(|proofs| proofs.first()?.as_bytes());
        let receipt = Self {
            kid: kid.and_then(|kid| String::from_utf8(kid.clone()).ok()).ok_or_else(wrong)?,
            inclusion: cbor::from_slice(proof.ok_or_else(wrong)?, MAX_RECEIPT_BYTES)?,
            signature: signature.as_slice().try_into().map_err(|_| wrong())?,
        };
        // The one form there is, built anew from what is believed, must be the bytes given.
        if receipt.encode(purpose)? != bytes {
            return Err(wrong());
        }
        Ok(receipt)
    }

    /// Whether it proves, for this purpose, that `leaf` (a hash) lies under a root that `key` signed.
    pub fn verify(&self, key: &Hash32, purpose: &Purpose, leaf: &Hash32, root: &Hash32) -> bool {
        self.inclusion.holds(leaf, root) && verify_root(key, purpose, root, &self.signature)
    }
}

fn header_bytes(purpose: &Purpose) -> Option<Vec<u8>> {
    let header = protected(purpose).to_cbor_value().ok()?;
    let mut bytes = Vec::new();
    ciborium::into_writer(&header, &mut bytes).ok()?;
    Some(bytes)
}

fn lookup(map: &Value, key: i64) -> Option<&Value> {
    let key = Value::Integer(Integer::from(key));
    map.as_map()?.iter().find(|(label, _)| *label == key).map(|(_, value)| value)
}
