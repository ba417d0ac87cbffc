//! What the state keeps for contracts besides accounts and intervals, kind by kind. One list makes them all
//! hashed, stored, and part of a snapshot, so that none can be left out anywhere.

use super::issuance::{RedemptionRecord, ReferencesRecord, KEPT_REFERENCE_DAYS};
use super::records::{Edits, Records};
use super::table::{EncodedRow, Piece};
use wire::cbor::CborError;
use wire::party::Id;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $record:ty;)*) => {
        /// Records of every kind.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct ContractRecords {
            $($(#[$doc])* pub $name: Records<$key, $record>,)*
        }

        /// What an entry changes of them.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct ContractEdits {
            $($(#[$doc])* pub $name: Edits<$key, $record>,)*
        }

        impl ContractRecords {
            pub(super) fn edit(&mut self, edits: ContractEdits) {
                $(self.$name.edit(edits.$name);)*
            }

            /// Each kind under its name.
            pub(super) fn pieces(&self) -> Vec<(&'static str, &dyn Piece)> {
                vec![$((stringify!($name), &self.$name)),*]
            }

            /// The same, to be changed.
            pub(super) fn pieces_mut(&mut self) -> Vec<(&'static str, &mut dyn Piece)> {
                vec![$((stringify!($name), &mut self.$name)),*]
            }

            /// All of them from the rows under each name.
            pub(super) fn from_rows(
                mut rows_of: impl FnMut(&str) -> Vec<EncodedRow>,
            ) -> Result<Self, CborError> {
                Ok(Self { $($name: Piece::from_rows(rows_of(stringify!($name)))?,)* })
            }
        }
    };
}

kinds! {
    /// References that back minted and burned tokens, by booking day.
    references: i64 => ReferencesRecord;
    /// Requests to be paid out that wait for their gateway, by account and number.
    redemptions: (Id, u64) => RedemptionRecord;
}

impl ContractRecords {
    /// Ends what is too old to matter.
    pub(super) fn age(&mut self) {
        let newest = self.references.iter().next_back().map(|(day, _)| *day);
        if let Some(newest) = newest {
            let oldest = newest.saturating_sub(KEPT_REFERENCE_DAYS);
            self.references.end(|day, _| *day <= oldest);
        }
    }
}
