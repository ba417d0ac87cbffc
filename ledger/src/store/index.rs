//! The index: where each block stands in the log, and the state after the last one. A sled tree,
//! not trusted for durability: whatever it says is checked against the log.

use super::StoreError;
use crate::execute::Tip;
use crate::governed::Governed;
use crate::state::contracts::ContractRecords;
use crate::state::day_ahead::DayAheadRecord;
use crate::state::{Account, IntervalRecord, State, Touched};
use market::interval::{Interval, UnixSeconds};
use market::units::NanoEur;
use serde::{de::DeserializeOwned, Deserialize, Serialize};
use sled::{Batch, Db};
use std::path::Path;
use std::sync::Arc;
use wire::cbor;
use wire::hash::Hash32;

/// Memory the database may use for its cache.
const CACHE_BYTES: u64 = 4 << 20;
/// Largest value read back: an interval's record on the largest feeder.
const MAX_VALUE_BYTES: usize = 1 << 26;

const TIP_KEY: &[u8] = b"tip";
const VOTING_KEY: &[u8] = b"voting";
const GOVERNED_KEY: &[u8] = b"governed";
const ACCOUNT: u8 = b'a';
const BLOCK: u8 = b'b';
const CONTRACTS: u8 = b'c';
const DAY_AHEAD: u8 = b'd';
const INTERVAL: u8 = b'i';

/// What an index holds.
pub(super) struct Indexed {
    /// The last block indexed.
    pub tip: Tip,
    /// Where it starts in the log.
    pub offset: u64,
    /// Where it ends.
    pub end: u64,
    /// The state after it.
    pub state: State,
}

#[derive(Serialize, Deserialize)]
struct TipValue {
    height: u64,
    hash: Hash32,
    time_ms: u64,
    offset: u64,
    end: u64,
    forgotten_to: Option<Interval>,
    issued: NanoEur,
}

pub(super) struct Index {
    tree: Db,
}

impl Index {
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let config = || sled::Config::default().path(folder).cache_capacity(CACHE_BYTES);
        match config().open() {
            Ok(tree) => Ok(Self { tree }),
            Err(sled::Error::Corruption { .. }) => {
                tracing::warn!(folder = %folder.display(), "the index is damaged; it is rebuilt from the log");
                std::fs::remove_dir_all(folder).map_err(super::io_error("removing", folder))?;
                Ok(Self { tree: config().open()? })
            }
            Err(other) => Err(other.into()),
        }
    }

    /// What it holds; none where that is nothing, or can't be read.
    pub fn load(&self) -> Option<Indexed> {
        let tip: TipValue = self.value(TIP_KEY)?;
        let voting = self.value(VOTING_KEY)?;
        let accounts = self.values(ACCOUNT, |key| std::str::from_utf8(key).ok()?.parse().ok())?;
        let intervals = self.values(INTERVAL, interval_of)?;
        let day_ahead: Vec<(Interval, DayAheadRecord)> = self.values(DAY_AHEAD, interval_of)?;
        let intervals = intervals.into_iter().map(|(at, record): (_, IntervalRecord)| (at, Arc::new(record)));
        let (accounts, day_ahead) = (accounts.into_iter().collect(), day_ahead.into_iter().collect());
        let governed = Arc::new(self.value::<Governed>(GOVERNED_KEY)?);
        let contracts = ContractRecords::from_stored(|tag| self.stored(&[CONTRACTS, tag]))?;
        let (intervals, forgotten_to) = (intervals.collect(), tip.forgotten_to);
        let state = State::from_parts(accounts, intervals, forgotten_to, day_ahead, voting, governed)
            .with_contracts(contracts, tip.issued);
        let TipValue { height, hash, time_ms, offset, end, .. } = tip;
        Some(Indexed { tip: Tip { height, hash, time_ms, votes: None }, offset, end, state })
    }

    pub fn clear(&self) -> Result<(), StoreError> {
        Ok(self.tree.clear()?)
    }

    /// Where the block at this height starts in the log.
    pub fn offset(&self, height: u64) -> Result<Option<u64>, StoreError> {
        let value = self.tree.get(block_key(height))?;
        Ok(value.and_then(|bytes| Some(u64::from_be_bytes(bytes.as_ref().try_into().ok()?))))
    }

    /// All accounts of a state that has no block yet, and what is governed.
    pub fn put_state(&self, state: &State) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.insert(GOVERNED_KEY, cbor::to_vec(state.governed().as_ref())?);
        for (name, account) in state.accounts() {
            batch.insert(key(ACCOUNT, name.as_str().as_bytes()), cbor::to_vec(account)?);
        }
        Ok(self.tree.apply_batch(batch)?)
    }

    /// A block that stands in the log from `span.0` to `span.1`, with what it changed, in one step.
    pub fn put_block(&self, tip: &Tip, span: (u64, u64), state: &mut State) -> Result<(), StoreError> {
        let Touched { accounts, intervals, day_ahead, governed } = state.take_touched();
        let mut batch = Batch::default();
        if governed {
            batch.insert(GOVERNED_KEY, cbor::to_vec(state.governed().as_ref())?);
        }
        for name in accounts {
            let account: Option<&Account> = state.accounts().get(&name);
            put(&mut batch, key(ACCOUNT, name.as_str().as_bytes()), account)?;
        }
        for at in intervals {
            let record = state.intervals().get(&at).map(Arc::as_ref);
            put(&mut batch, interval_key(INTERVAL, at), record)?;
        }
        for at in day_ahead {
            put(&mut batch, interval_key(DAY_AHEAD, at), state.day_ahead().get(at))?;
        }
        batch.insert(VOTING_KEY, cbor::to_vec(state.voting())?);
        for (tag, (rest, value)) in state.contracts_mut().take_touched()? {
            let key = [&[CONTRACTS, tag], &rest[..]].concat();
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(block_key(tip.height), &span.0.to_be_bytes());
        let Tip { height, hash, time_ms, .. } = *tip;
        let forgotten_to = state.forgotten_to();
        let (offset, end, issued) = (span.0, span.1, state.issued());
        let value = TipValue { height, hash, time_ms, offset, end, forgotten_to, issued };
        batch.insert(TIP_KEY, cbor::to_vec(&value)?);
        Ok(self.tree.apply_batch(batch)?)
    }

    fn value<T: Serialize + DeserializeOwned>(&self, key: &[u8]) -> Option<T> {
        cbor::from_slice(&self.tree.get(key).ok()??, MAX_VALUE_BYTES).ok()
    }

    /// Everything under a prefix: what stands behind it in each key, and the value.
    fn stored(&self, prefix: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let pairs = self.tree.scan_prefix(prefix).map(|pair| {
            let (key, value) = pair.ok()?;
            Some((key.get(prefix.len()..)?.to_vec(), value.to_vec()))
        });
        pairs.collect()
    }

    fn values<K, T: Serialize + DeserializeOwned>(
        &self,
        prefix: u8,
        parse: impl Fn(&[u8]) -> Option<K>,
    ) -> Option<Vec<(K, T)>> {
        let pairs = self.tree.scan_prefix([prefix]).map(|pair| {
            let (key, value) = pair.ok()?;
            Some((parse(key.get(1..)?)?, cbor::from_slice(&value, MAX_VALUE_BYTES).ok()?))
        });
        pairs.collect()
    }
}

fn put<T: Serialize>(batch: &mut Batch, key: Vec<u8>, value: Option<&T>) -> Result<(), StoreError> {
    match value {
        Some(value) => batch.insert(key, cbor::to_vec(value)?),
        None => batch.remove(key),
    }
    Ok(())
}

fn key(prefix: u8, rest: &[u8]) -> Vec<u8> {
    let mut key = vec![prefix];
    key.extend(rest);
    key
}

/// A key in the order of intervals.
fn interval_key(prefix: u8, at: Interval) -> Vec<u8> {
    let ordered = (at.0 .0 as u64) ^ (1 << 63);
    key(prefix, &ordered.to_be_bytes())
}

/// The interval that the rest of a key names.
fn interval_of(rest: &[u8]) -> Option<Interval> {
    let ordered = u64::from_be_bytes(rest.try_into().ok()?);
    Some(Interval(UnixSeconds((ordered ^ (1 << 63)) as i64)))
}

fn block_key(height: u64) -> Vec<u8> {
    key(BLOCK, &height.to_be_bytes())
}
