//! The whole state as rows, as one hash and as one value. Whoever adds a piece to the state adds it
//! here, in three places that the compiler names, and it is hashed, stored and sent with the rest.

use super::contracts::ContractRecords;
use super::table::{EncodedRow, Piece, RowChange};
use super::State;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::hash::Hash32;

/// Largest encoding of a state that is taken, in bytes.
pub const MAX_STATE_BYTES: usize = 1 << 28;

/// Why rows are no state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EncodingError {
    /// A row's or the whole's encoding is none.
    #[error("the state: {0}")]
    Cbor(#[from] CborError),
    /// Rows of a piece that no state has.
    #[error("a state has no piece {name:?}")]
    UnknownPiece {
        /// Its name.
        name: String,
    },
}

/// A row that changed, with the name of its piece.
pub type NamedChange = (&'static str, RowChange);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PieceValue {
    name: String,
    rows: Vec<(ByteBuf, ByteBuf)>,
}

impl State {
    /// Every piece under its name: what the state hash covers, the index holds and a snapshot carries.
    fn pieces(&self) -> Vec<(&'static str, &dyn Piece)> {
        let Self { accounts, intervals, day_ahead, forgotten_to, voting, governed, contracts, issued } = self;
        let mut pieces: Vec<(&'static str, &dyn Piece)> = vec![
            ("accounts", accounts),
            ("intervals", intervals),
            ("day-ahead", day_ahead),
            ("forgotten-to", forgotten_to),
            ("voting", voting),
            ("governed", governed),
            ("issued", issued),
        ];
        pieces.extend(contracts.pieces());
        pieces
    }

    /// The same, to be changed.
    fn pieces_mut(&mut self) -> Vec<(&'static str, &mut dyn Piece)> {
        let Self { accounts, intervals, day_ahead, forgotten_to, voting, governed, contracts, issued } = self;
        let mut pieces: Vec<(&'static str, &mut dyn Piece)> = vec![
            ("accounts", accounts),
            ("intervals", intervals),
            ("day-ahead", day_ahead),
            ("forgotten-to", forgotten_to),
            ("voting", voting),
            ("governed", governed),
            ("issued", issued),
        ];
        pieces.extend(contracts.pieces_mut());
        pieces
    }

    /// Hash over everything that later entries can depend on.
    pub fn hash(&self) -> Hash32 {
        let digests: Vec<(&str, Hash32)> =
            self.pieces().into_iter().filter_map(|(name, piece)| Some((name, piece.digest()?))).collect();
        let parts: Vec<&[u8]> =
            digests.iter().flat_map(|(name, digest)| [name.as_bytes(), digest.0.as_slice()]).collect();
        Hash32::of("gridpact state", &parts)
    }

    /// Every row with the name of its piece.
    ///
    /// # Errors
    /// Where a row has no encoding.
    pub fn rows(&self) -> Result<Vec<(&'static str, EncodedRow)>, CborError> {
        let mut rows = Vec::new();
        for (name, piece) in self.pieces() {
            rows.extend(piece.rows()?.into_iter().map(|row| (name, row)));
        }
        Ok(rows)
    }

    /// Rows that changed since the last call, with the names of their pieces.
    ///
    /// # Errors
    /// Where a row has no encoding.
    pub fn take_changes(&mut self) -> Result<Vec<NamedChange>, CborError> {
        let mut changes = Vec::new();
        for (name, piece) in self.pieces_mut() {
            changes.extend(piece.take_changes()?.into_iter().map(|change| (name, change)));
        }
        Ok(changes)
    }

    /// Forgets which rows changed: somebody else stores them.
    pub fn forget_changes(&mut self) {
        for (_, piece) in self.pieces_mut() {
            piece.forget_changes();
        }
    }

    /// A state from stored rows. Check its [`State::hash`] against a block.
    ///
    /// # Errors
    /// Names the row's fault.
    pub fn from_rows<N: Into<String>>(
        rows: impl IntoIterator<Item = (N, EncodedRow)>,
    ) -> Result<Self, EncodingError> {
        let mut pieces: BTreeMap<String, Vec<EncodedRow>> = BTreeMap::new();
        for (name, row) in rows {
            pieces.entry(name.into()).or_default().push(row);
        }
        let mut rows_of = |name: &str| pieces.remove(name).unwrap_or_default();
        let state = Self {
            accounts: Piece::from_rows(rows_of("accounts"))?,
            intervals: Piece::from_rows(rows_of("intervals"))?,
            day_ahead: Piece::from_rows(rows_of("day-ahead"))?,
            forgotten_to: Piece::from_rows(rows_of("forgotten-to"))?,
            voting: Piece::from_rows(rows_of("voting"))?,
            governed: Piece::from_rows(rows_of("governed"))?,
            issued: Piece::from_rows(rows_of("issued"))?,
            contracts: ContractRecords::from_rows(rows_of)?,
        };
        match pieces.into_keys().next() {
            Some(name) => Err(EncodingError::UnknownPiece { name }),
            None => Ok(state),
        }
    }

    /// The whole state as one deterministic value.
    ///
    /// # Errors
    /// Where a row has no encoding.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        let mut pieces = Vec::new();
        for (name, piece) in self.pieces() {
            let rows = piece.rows()?.into_iter();
            let rows = rows.map(|row| (ByteBuf::from(row.key), ByteBuf::from(row.value))).collect();
            pieces.push(PieceValue { name: name.to_owned(), rows });
        }
        cbor::to_vec(&pieces)
    }

    /// A state from bytes of unknown origin. Check its [`State::hash`] against a block.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, EncodingError> {
        let pieces: Vec<PieceValue> = cbor::from_slice(bytes, MAX_STATE_BYTES)?;
        let rows = pieces.into_iter().flat_map(|PieceValue { name, rows }| {
            rows.into_iter().map(move |(key, value)| {
                (name.clone(), EncodedRow { key: key.into_vec(), value: value.into_vec() })
            })
        });
        Self::from_rows(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Account, AwardRecord, IntervalRecord};
    use super::*;
    use crate::governed::{Governed, Provisions};
    use market::charges::Charges;
    use market::interval::{Interval, UnixSeconds};
    use market::parameters::MarketParameters;
    use market::units::{Milliwatt, NanoEur, PicoEurPerWh};
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn record(price: i64) -> IntervalRecord {
        let award = AwardRecord {
            bids_root: Hash32([1; 32]),
            allocations_root: Hash32([2; 32]),
            import: Milliwatt(price),
            export: Milliwatt(0),
            buses: BTreeMap::from([(7, Milliwatt(price))]),
            reactive: BTreeMap::new(),
            settled: price % 2 == 0,
        };
        IntervalRecord {
            prices: vec![PicoEurPerWh(price)],
            carbon_adder: PicoEurPerWh(0),
            awards: [("agg-1".parse().unwrap(), award)].into(),
        }
    }

    fn blank() -> State {
        let price = PicoEurPerWh(0);
        let parameters = MarketParameters {
            interval_s: 900,
            bids_open_s: 600,
            gate_closure_s: 120,
            price_min: price,
            price_max: price,
            imbalance_spread: price,
            aggregator_fee: price,
            charges: Charges::NONE,
        };
        let governed: Governed = Provisions {
            parameters,
            grid: None,
            day_ahead: None,
            members: BTreeMap::new(),
            validators: BTreeSet::new(),
            contracts: BTreeMap::new(),
            proposals: Vec::new(),
            outcomes: Vec::new(),
        }
        .into();
        State::of(BTreeMap::new(), NanoEur(0), Arc::new(governed))
    }

    /// What happens to a state in the tests: a piece, a key, a value.
    type Step = (u8, i64, i64);

    fn apply(state: &mut State, (piece, key, value): Step) {
        let at = Interval(UnixSeconds(key));
        match piece % 6 {
            0 => {
                let name = format!("a{}", key.unsigned_abs()).parse().unwrap();
                state.accounts.put(name, Account { balance: NanoEur(value), nonce: 3 });
            }
            1 => state.intervals.put(at, record(value)),
            2 => state.intervals.remove(&at),
            3 => state.forgotten_to.put(Arc::new(Some(at))),
            4 => state.forgotten_to.put(Arc::new(None)),
            _ => {
                let mut governed = state.governed.get().as_ref().clone();
                governed.edit(|provisions| provisions.parameters.interval_s = key);
                state.governed.put(Arc::new(governed));
            }
        }
    }

    fn play(steps: &[Step]) -> State {
        let mut state = blank();
        steps.iter().for_each(|step| apply(&mut state, *step));
        state
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        prop::collection::vec((any::<u8>(), -3..3i64, -1_000..1_000i64), 0..20)
    }

    proptest! {
        #[test]
        fn a_state_comes_back_from_its_encoding(steps in steps()) {
            let state = play(&steps);
            let back = State::decode(&state.encode().unwrap()).unwrap();
            prop_assert_eq!(&back, &state);
            prop_assert_eq!(back.hash(), state.hash());
        }

        #[test]
        fn a_state_comes_back_from_its_changes(steps in prop::collection::vec(steps(), 1..6)) {
            let mut state = blank();
            let rows = state.rows().unwrap().into_iter();
            let mut stored: BTreeMap<(&str, Vec<u8>), Vec<u8>> =
                rows.map(|(name, row)| ((name, row.key), row.value)).collect();
            for block in &steps {
                block.iter().for_each(|step| apply(&mut state, *step));
                for (name, RowChange { key, value }) in state.take_changes().unwrap() {
                    match value {
                        Some(value) => stored.insert((name, key), value),
                        None => stored.remove(&(name, key)),
                    };
                }
                // A hash asked for in between must not stick.
                state.hash();
            }
            let rows = stored.into_iter().map(|((name, key), value)| (name, EncodedRow { key, value }));
            let back = State::from_rows(rows).unwrap();
            prop_assert_eq!(&back, &state);
            prop_assert_eq!(back.hash(), state.hash());
            prop_assert_eq!(state.hash(), play(&steps.concat()).hash());
        }
    }

    #[test]
    fn whatever_differs_changes_the_hash() {
        let base = vec![(0, 1, 5), (1, 1, 4), (3, 2, 0)];
        let hash = play(&base).hash();
        for (place, other) in [(0, (0, 1, 6)), (0, (0, 2, 5)), (1, (1, 1, 5)), (1, (1, 2, 4)), (2, (3, 1, 0))]
        {
            let mut steps = base.clone();
            steps[place] = other;
            assert_ne!(play(&steps).hash(), hash, "{other:?}");
        }
        assert_eq!(play(&[(1, 1, 4), (3, 1, 0), (2, 1, 0), (4, 0, 0)]).hash(), blank().hash());
    }

    #[test]
    fn bytes_that_are_no_state_are_refused() {
        let bytes = play(&[(0, 1, 5)]).encode().unwrap();
        assert!(State::decode(&bytes[..bytes.len() - 1]).is_err());
        // Nothing is governed: no state.
        assert!(State::decode(&cbor::to_vec(&Vec::<PieceValue>::new()).unwrap()).is_err());
        let mut pieces: Vec<PieceValue> = cbor::from_slice(&bytes, bytes.len()).unwrap();
        pieces.push(PieceValue { name: "secrets".to_owned(), rows: vec![(ByteBuf::new(), ByteBuf::new())] });
        let renamed = cbor::to_vec(&pieces);
        let error = State::decode(&renamed.unwrap()).unwrap_err();
        assert_eq!(error, EncodingError::UnknownPiece { name: "secrets".to_owned() });
    }
}
