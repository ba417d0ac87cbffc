//! Keys of the index. Numbers stand in them with the highest byte first, so that they are in order.

use crate::rights::EntryKind;
use crate::store::remembered::Remembered;
use market::interval::Interval;
use wire::merkle::Node;
use wire::party::Id;

/// The last block.
pub const TIP_KEY: &[u8] = b"tip";
/// What the keys and values here mean: see [`super::FORMAT`].
pub const FORMAT_KEY: &[u8] = b"format";
/// Where a block stands: this and its height.
const BLOCK: u8 = b'b';
/// What is remembered of a block: this and its height.
pub const REMEMBERED: u8 = b'r';
/// An entry about an interval: this, the interval, the entry's kind, a zero byte, height and place in the block.
const ABOUT: u8 = b'a';
/// Rows of the state: this, the piece's name, a zero byte, the row's key.
pub const STATE: u8 = b's';
/// A node of the tree over the blocks: this, its level and its place there.
const NODE: u8 = b'n';
/// What an account holds after a block that paid it: this, the account, a zero byte and the height.
const HELD: u8 = b'h';
/// An entry of a kind that is looked for by kind: this, the kind, a zero byte, height and place in the block.
const KIND: u8 = b'k';
/// A block after which other validators decide: this and its height.
pub const SUCCESSION: u8 = b'c';

/// Kinds that are looked for by kind.
pub const FOUND_BY_KIND: [EntryKind; 3] =
    [EntryKind::Evidence, EntryKind::Proposal, EntryKind::DoubleClearing];

pub fn row_key(piece: &str, key: &[u8]) -> Vec<u8> {
    [&[STATE], piece.as_bytes(), &[0], key].concat()
}

pub fn block_key(height: u64) -> Vec<u8> {
    [&[BLOCK][..], &height.to_be_bytes()].concat()
}

pub fn remembered_key(height: u64) -> Vec<u8> {
    [&[REMEMBERED][..], &height.to_be_bytes()].concat()
}

pub fn succession_key(height: u64) -> Vec<u8> {
    [&[SUCCESSION][..], &height.to_be_bytes()].concat()
}

pub fn node_key(node: Node) -> Vec<u8> {
    [&[NODE, node.level][..], &node.index.to_be_bytes()].concat()
}

pub fn held_key(account: &Id, height: u64) -> Vec<u8> {
    [&[HELD], account.as_str().as_bytes(), &[0], &height.to_be_bytes()].concat()
}

pub fn kind_prefix(kind: &str) -> Vec<u8> {
    [&[KIND], kind.as_bytes(), &[0]].concat()
}

/// Of any kind, where none is given.
pub fn about_prefix(interval: Interval, kind: Option<&str>) -> Vec<u8> {
    let start = [&[ABOUT], &interval.0 .0.to_be_bytes()[..]].concat();
    match kind {
        Some(kind) => [&start[..], kind.as_bytes(), &[0]].concat(),
        None => start,
    }
}

/// The height at a key's end.
pub fn height_in(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*key.last_chunk()?))
}

/// Height and place at a key's end.
pub fn place_in(key: &[u8]) -> Option<(u64, usize)> {
    let (rest, place) = key.split_last_chunk()?;
    Some((height_in(rest)?, u32::from_be_bytes(*place) as usize))
}

/// Keys under which a block's entries are found.
pub fn entry_keys(height: u64, remembered: &Remembered) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0u32..).zip(&remembered.entries).flat_map(move |(place, entry)| {
        let by_kind = FOUND_BY_KIND.into_iter().filter(|kind| kind.word() == entry.kind);
        let by_interval = entry.intervals().map(|interval| about_prefix(interval, Some(&entry.kind)));
        let prefixes = by_kind.map(|kind| kind_prefix(kind.word())).chain(by_interval);
        prefixes.map(move |prefix| [&prefix[..], &height.to_be_bytes(), &place.to_be_bytes()].concat())
    })
}
