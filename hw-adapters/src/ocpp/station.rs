//! What is known of one charge point, and how asking it can fail.

use super::message::ConnectorStatus;
use super::version::Version;
use market::units::{Millijoule, Milliwatt};
use thiserror::Error;

/// The unit a charge point takes limits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateUnit {
    /// Amperes per phase. Every charge point with smart charging takes them, so this is the default.
    Ampere,
    /// Watts over all phases; finer.
    Watt,
}

impl RateUnit {
    /// As the standard writes it.
    pub fn letter(self) -> &'static str {
        match self {
            Self::Ampere => "A",
            Self::Watt => "W",
        }
    }
}

/// What a transaction is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionId {
    /// The number we gave it (1.6).
    Number(i64),
    /// The charging station's name for it (2.0.1).
    Name(String),
}

/// A transaction under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// What it is called.
    pub id: TransactionId,
    /// When it began, by the charge point's own clock, in milliseconds since 1970.
    pub began_ms: Option<i64>,
}

/// What is known of a charge point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StationState {
    /// Whether a connection stands.
    pub connected: bool,
    /// The version spoken on it, or on the last one.
    pub version: Version,
    /// What the connector does; none until it has said so on this connection.
    pub status: Option<ConnectorStatus>,
    /// The transaction under way.
    pub transaction: Option<Transaction>,
    /// Power, as last metered.
    pub power: Option<Milliwatt>,
    /// Energy counter, as last metered.
    pub register: Option<Millijoule>,
    /// Energy counter when the car that is here began to charge.
    pub register_at_start: Option<Millijoule>,
    /// How many meter readings were taken.
    pub readings: u64,
    /// How often it accepted to read its meter, and how many readings there were when it last did.
    pub triggered: (u64, u64),
    /// When the last that states power was, in milliseconds of real time since an arbitrary start. The same
    /// reading sent again stays as old as it is.
    pub read_at_ms: u64,
    /// It states power, and its counter stands still.
    pub frozen: bool,
    /// The unit it takes limits in.
    pub rate_unit: RateUnit,
    /// The stack level our profiles get: the highest it has.
    pub stack_level: i64,
    /// The limit our profile for the transaction under way sets, and since when, as `read_at_ms`.
    pub limit: Option<(Milliwatt, u64)>,
    /// A renewed limit that it accepted, and what it held instead.
    pub disobeyed: Option<(Milliwatt, Option<Milliwatt>)>,
}

impl StationState {
    pub(super) fn unknown() -> Self {
        Self {
            connected: false,
            version: Version::V16,
            status: None,
            transaction: None,
            power: None,
            register: None,
            register_at_start: None,
            readings: 0,
            triggered: (0, 0),
            read_at_ms: 0,
            frozen: false,
            rate_unit: RateUnit::Ampere,
            stack_level: 0,
            limit: None,
            disobeyed: None,
        }
    }

    /// Energy given to the car that is here.
    pub fn session(&self) -> Millijoule {
        match (self.register, self.register_at_start) {
            (Some(now), Some(start)) => (now - start).max(Millijoule::ZERO),
            _ => Millijoule::ZERO,
        }
    }
}

/// A call to a charge point that brought no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallFailure {
    /// No connection stands.
    #[error("the charge point is not connected")]
    NotConnected,
    /// The connection ended before it answered.
    #[error("the connection ended before the charge point answered")]
    ConnectionLost,
    /// It did not answer in time.
    #[error("the charge point did not answer in time")]
    TimedOut,
    /// Too many calls wait already.
    #[error("too many calls to the charge point wait already")]
    Busy,
    /// It answered with an error.
    #[error("the charge point answered {code}: {description}")]
    Refused {
        /// The standard's error code.
        code: String,
        /// In words; may be empty.
        description: String,
    },
}
