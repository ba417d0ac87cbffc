//! What the state keeps for contracts besides accounts and intervals, kind by kind. One list makes them all
//! hashed, stored, and part of a snapshot, so that none can be left out anywhere.

use super::issuance::{RedemptionRecord, ReferencesRecord, KEPT_REFERENCE_DAYS};
use super::records::{Edits, Records, Stored};
use serde::{Deserialize, Serialize};
use wire::cbor::CborError;
use wire::hash::Hash32;
use wire::party::Id;

/// Largest record read back.
const MAX_RECORD_BYTES: usize = 1 << 20;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $record:ty, $tag:literal;)*) => {
        /// Records of every kind.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
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

            /// Hash over all of them, in this order of kinds.
            pub(super) fn digest(&self) -> Hash32 {
                let digests = [$(self.$name.digest()),*];
                let parts: Vec<&[u8]> = digests.iter().map(|digest| &digest.0[..]).collect();
                Hash32::of("gridpact contracts", &parts)
            }

            /// What changed since the last call, each with its kind's tag.
            ///
            /// # Errors
            /// Where a record has no encoding.
            pub(crate) fn take_touched(&mut self) -> Result<Vec<(u8, Stored)>, CborError> {
                let mut touched = Vec::new();
                $(touched.extend(self.$name.take_touched()?.into_iter().map(|stored| ($tag, stored)));)*
                Ok(touched)
            }

            /// All of them from what was stored under each tag; none where something can't be read.
            pub(crate) fn from_stored(
                mut stored: impl FnMut(u8) -> Option<Vec<(Vec<u8>, Vec<u8>)>>,
            ) -> Option<Self> {
                Some(Self { $($name: Records::from_stored(stored($tag)?, MAX_RECORD_BYTES)?,)* })
            }
        }
    };
}

kinds! {
    /// References that back minted and burned tokens, by booking day.
    references: i64 => ReferencesRecord, b'f';
    /// Requests to be paid out that wait for their gateway, by account and number.
    redemptions: (Id, u64) => RedemptionRecord, b'r';
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
