//! Blocks proposed at the height being decided, each executed once, with the verdict.

use crate::block::Block;
use crate::execute::Executed;
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use wire::hash::Hash32;

/// Blocks taken in one round: an honest proposer proposes one, and two prove that it lied.
const MAX_PER_ROUND: usize = 2;

/// A block proposed.
pub struct Candidate {
    /// The block.
    pub block: Block,
    /// Its encoding.
    pub bytes: ByteBuf,
    /// What it does; none where it may not follow on the chain.
    pub executed: Option<Executed>,
    round: u32,
}

/// Blocks proposed at one height.
#[derive(Default)]
pub struct Candidates {
    blocks: BTreeMap<Hash32, Candidate>,
}

impl Candidates {
    /// Whether another block may be taken in a round.
    pub fn has_room(&self, round: u32) -> bool {
        self.blocks.values().filter(|candidate| candidate.round == round).count() < MAX_PER_ROUND
    }

    /// Takes a block with the verdict on it.
    pub fn insert(&mut self, round: u32, block: Block, bytes: ByteBuf, executed: Option<Executed>) {
        self.blocks.insert(block.header.hash(), Candidate { block, bytes, executed, round });
    }

    /// The block with this hash.
    pub fn get(&self, hash: &Hash32) -> Option<&Candidate> {
        self.blocks.get(hash)
    }

    /// Takes the block with this hash out.
    pub fn remove(&mut self, hash: &Hash32) -> Option<Candidate> {
        self.blocks.remove(hash)
    }

    /// Forgets all: another height begins.
    pub fn clear(&mut self) {
        self.blocks.clear();
    }
}
