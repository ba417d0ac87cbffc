//! What the state keeps for contracts besides accounts and intervals, kind by kind. One list makes them all
//! hashed, stored, and part of a snapshot, so that none can be left out anywhere.

use super::bilateral::BilateralRecord;
use super::double_clearing::{DoubleClearer, DoubleClearingRecord};
use super::issuance::{RedemptionRecord, ReferencesRecord};
use super::records::{Edits, Records};
use super::reserve::ReserveRecord;
use super::response::{EnrolmentRecord, MeterDayRecord, ResponseRecord, KEPT_EVENT_S, KEPT_METER_DAYS};
use super::table::{EncodedRow, Piece};
use market::interval::Interval;
use wire::cbor::CborError;
use wire::hash::Hash32;
use wire::party::Id;

const SECONDS_PER_DAY: i64 = 86_400;

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
    /// Bilateral contracts, by name.
    bilaterals: Hash32 => BilateralRecord;
    /// Tenders of reserve, by name.
    reserves: Hash32 => ReserveRecord;
    /// Sites enrolled for demand response, by account.
    enrolments: Id => EnrolmentRecord;
    /// What enrolled sites' meters counted, by account and day of UTC since 1970-01-01.
    meter_days: (Id, i64) => MeterDayRecord;
    /// Events of demand response, by name.
    responses: Hash32 => ResponseRecord;
    /// Requests to be paid out that wait for their gateway, by account and number.
    redemptions: (Id, u64) => RedemptionRecord;
    /// Double clearings that were proven, by what was signed twice.
    double_clearings: Hash32 => DoubleClearingRecord;
    /// DSOs that signed any, for good.
    double_clearers: Id => DoubleClearer;
}

impl ContractRecords {
    /// Ends what is too old to matter once the state has forgotten all intervals up to one.
    pub(super) fn age(&mut self, forgotten_to: Interval) {
        self.bilaterals.end(|_, contract| contract.end <= forgotten_to);
        self.reserves.end(|_, tender| tender.end <= forgotten_to);
        self.responses.end(|_, event| event.end.start().plus(KEPT_EVENT_S) <= forgotten_to.start());
        self.double_clearings.end(|_, record| record.statement.interval <= forgotten_to);
        let oldest = forgotten_to.start().0.div_euclid(SECONDS_PER_DAY) - KEPT_METER_DAYS;
        self.meter_days.end(|(_, day), _| *day < oldest);
    }
}
