//! Deterministic encoding in one pass: bytes are written as values come, and a map's entries are put in order
//! where they stand. What needs more than this knows is left to the slow way over a tree of values, which
//! gives the same bytes.

use serde::ser::{self, Serialize};
use std::fmt::Display;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
/// What the names begin with by which ciborium passes tags through serde.
const INTERNAL: &str = "@@";

/// Why the one pass does not give an encoding.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The slow way must be taken: floats, numbers of more than 64 bits, tags, lengths unknown before.
    Unsupported,
    /// There is no encoding.
    Failed(String),
}

impl Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stopped::Unsupported => f.write_str("not encodable in one pass"),
            Stopped::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Stopped {}

impl ser::Error for Stopped {
    fn custom<T: Display>(reason: T) -> Self {
        Stopped::Failed(reason.to_string())
    }
}

/// The deterministic encoding of `value`.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Stopped> {
    let mut encoder = Encoder { out: Vec::with_capacity(256) };
    value.serialize(&mut encoder)?;
    Ok(encoder.out)
}

struct Encoder {
    out: Vec<u8>,
}

impl Encoder {
    /// A major type with its argument in the shortest way (RFC 8949 section 3).
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        match argument {
            0..=23 => self.out.push(major | argument as u8),
            24..=0xff => self.out.extend([major | 24, argument as u8]),
            0x100..=0xffff => {
                self.out.push(major | 25);
                self.out.extend((argument as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.out.push(major | 26);
                self.out.extend((argument as u32).to_be_bytes());
            }
            _ => {
                self.out.push(major | 27);
                self.out.extend(argument.to_be_bytes());
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.head(TEXT, text.len() as u64);
        self.out.extend(text.as_bytes());
    }

    /// A map of one entry, its key the name of an enum's variant.
    fn variant(&mut self, variant: &str) -> Result<(), Stopped> {
        if variant.starts_with(INTERNAL) {
            return Err(Stopped::Unsupported);
        }
        self.head(MAP, 1);
        self.text(variant);
        Ok(())
    }

    fn entries(&mut self, count: usize) -> Entries<'_> {
        self.head(MAP, count as u64);
        let start = self.out.len();
        Entries { encoder: self, start, left: count, entries: Vec::with_capacity(count) }
    }

    fn items(&mut self, count: usize) -> Items<'_> {
        self.head(ARRAY, count as u64);
        Items { encoder: self, left: count }
    }
}

/// An array being written.
struct Items<'a> {
    encoder: &'a mut Encoder,
    left: usize,
}

impl Items<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        self.left = self.left.checked_sub(1).ok_or(Stopped::Unsupported)?;
        value.serialize(&mut *self.encoder)
    }

    fn done(self) -> Result<(), Stopped> {
        (self.left == 0).then_some(()).ok_or(Stopped::Unsupported)
    }
}

/// A map being written.
struct Entries<'a> {
    encoder: &'a mut Encoder,
    start: usize,
    left: usize,
    /// Where each entry starts, its key ends and it ends.
    entries: Vec<(usize, usize, usize)>,
}

impl Entries<'_> {
    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stopped> {
        self.left = self.left.checked_sub(1).ok_or(Stopped::Unsupported)?;
        let start = self.encoder.out.len();
        key.serialize(&mut *self.encoder)?;
        let end = self.encoder.out.len();
        self.entries.push((start, end, end));
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        value.serialize(&mut *self.encoder)?;
        if let Some(entry) = self.entries.last_mut() {
            entry.2 = self.encoder.out.len();
        }
        Ok(())
    }

    /// Puts the entries in the order of their keys' bytes.
    fn done(mut self) -> Result<(), Stopped> {
        // Fewer than announced: some were skipped, and the head is wrong.
        if self.left != 0 {
            return Err(Stopped::Unsupported);
        }
        let out = &mut self.encoder.out;
        if !self.entries.is_sorted_by(|a, b| out[a.0..a.1] < out[b.0..b.1]) {
            self.entries.sort_by(|a, b| out[a.0..a.1].cmp(&out[b.0..b.1]));
            let same =
                |pair: &[(usize, usize, usize)]| out[pair[0].0..pair[0].1] == out[pair[1].0..pair[1].1];
            if self.entries.windows(2).any(same) {
                return Err(Stopped::Failed("a map has the same key twice".to_owned()));
            }
            let unordered = out[self.start..].to_vec();
            out.truncate(self.start);
            for (start, _, end) in &self.entries {
                out.extend(&unordered[start - self.start..end - self.start]);
            }
        }
        Ok(())
    }
}

impl<'a> ser::Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = Stopped;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Entries<'a>;
    type SerializeStructVariant = Entries<'a>;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), Stopped> {
        self.out.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Stopped> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Stopped> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Stopped> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Stopped> {
        // -1 - n stands for the negative n: the same as every bit turned.
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            Err(_) => self.head(NEGATIVE, !value as u64),
        }
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), Stopped> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Stopped> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Stopped> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Stopped> {
        self.head(UNSIGNED, value);
        Ok(())
    }

    fn serialize_i128(self, _: i128) -> Result<(), Stopped> {
        Err(Stopped::Unsupported)
    }

    fn serialize_u128(self, _: u128) -> Result<(), Stopped> {
        Err(Stopped::Unsupported)
    }

    fn serialize_f32(self, _: f32) -> Result<(), Stopped> {
        Err(Stopped::Unsupported)
    }

    fn serialize_f64(self, _: f64) -> Result<(), Stopped> {
        Err(Stopped::Unsupported)
    }

    fn serialize_char(self, value: char) -> Result<(), Stopped> {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Stopped> {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Stopped> {
        self.head(BYTES, value.len() as u64);
        self.out.extend(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Stopped> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stopped> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Stopped> {
        self.out.push(NULL);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Stopped> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Stopped> {
        self.text(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Stopped> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Stopped> {
        self.variant(variant)?;
        value.serialize(self)
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Items<'a>, Stopped> {
        count.map(|count| self.items(count)).ok_or(Stopped::Unsupported)
    }

    fn serialize_tuple(self, count: usize) -> Result<Items<'a>, Stopped> {
        Ok(self.items(count))
    }

    fn serialize_tuple_struct(self, _: &'static str, count: usize) -> Result<Items<'a>, Stopped> {
        Ok(self.items(count))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Items<'a>, Stopped> {
        self.variant(variant)?;
        Ok(self.items(count))
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Entries<'a>, Stopped> {
        count.map(|count| self.entries(count)).ok_or(Stopped::Unsupported)
    }

    fn serialize_struct(self, _: &'static str, count: usize) -> Result<Entries<'a>, Stopped> {
        Ok(self.entries(count))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        count: usize,
    ) -> Result<Entries<'a>, Stopped> {
        self.variant(variant)?;
        Ok(self.entries(count))
    }
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Stopped;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        self.item(value)
    }
    fn end(self) -> Result<(), Stopped> {
        self.done()
    }
}

impl ser::SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = Stopped;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        self.item(value)
    }
    fn end(self) -> Result<(), Stopped> {
        self.done()
    }
}

impl ser::SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = Stopped;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        self.item(value)
    }
    fn end(self) -> Result<(), Stopped> {
        self.done()
    }
}

impl ser::SerializeTupleVariant for Items<'_> {
    type Ok = ();
    type Error = Stopped;
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        self.item(value)
    }
    fn end(self) -> Result<(), Stopped> {
        self.done()
    }
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = Stopped;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stopped> {
        self.key(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stopped> {
        self.value(value)
    }
    fn end(self) -> Result<(), Stopped> {
        self.done()
    }
}

impl ser::SerializeStruct for Entries<'_> {
    type Ok = ();
    type Error = Stopped;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Stopped> {
        self.key(key)?;
        self.value(value)
    }
    fn end(self) -> Result<(), Stopped> {
        self.done()
    }
}

impl ser::SerializeStructVariant for Entries<'_> {
    type Ok = ();
    type Error = Stopped;
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Stopped> {
        self.key(key)?;
        self.value(value)
    }
    fn end(self) -> Result<(), Stopped> {
        self.done()
    }
}
