//! Why a day can't be simulated.

use crate::neighbourhood::NeighbourhoodError;
use agents::device::preferences::PreferenceError;
use market::clearing::book::BookError;
use market::clearing::Infeasible;
use market::curve::CurveError;
use market::feeder::FeederError;
use market::interval::Interval;
use market::settlement::SettlementError;
use sim_devices::physics::car::ChargerConfigError;
use sim_devices::physics::heat_pump::HeatPumpConfigError;
use thiserror::Error;
use wire::party::PartyError;

/// Why a day can't be simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The streets' data can't be read.
    #[error(transparent)]
    Neighbourhood(#[from] NeighbourhoodError),
    /// A street's feeder is no tree.
    #[error(transparent)]
    Feeder(#[from] FeederError),
    /// What an owner wants makes no sense.
    #[error(transparent)]
    Preference(#[from] PreferenceError),
    /// A name is none.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// A charger that can't be.
    #[error("{site}: {source}")]
    Charger {
        /// The site.
        site: String,
        /// Why.
        source: ChargerConfigError,
    },
    /// A heat pump that can't be.
    #[error("{site}: {source}")]
    HeatPump {
        /// The site.
        site: String,
        /// Why.
        source: HeatPumpConfigError,
    },
    /// A device's agent could not bid.
    #[error("{site}: device {device}: {reason}")]
    Bid {
        /// The site.
        site: String,
        /// The device's place.
        device: usize,
        /// Why.
        reason: String,
    },
    /// Curves that make no curve.
    #[error("the bid of {site}: {source}")]
    Curve {
        /// The site.
        site: String,
        /// Why.
        source: CurveError,
    },
    /// The supply's terms make no curve.
    #[error("the supply of the {interval}: {reason}")]
    Supply {
        /// The interval.
        interval: Interval,
        /// Why.
        reason: String,
    },
    /// Streets' net demands fit no book.
    #[error("the streets' net demands for the {interval}: {source}")]
    Book {
        /// The interval.
        interval: Interval,
        /// Why.
        source: BookError,
    },
    /// No price keeps every limit.
    #[error("the {interval} can't be cleared: {source}")]
    Infeasible {
        /// The interval.
        interval: Interval,
        /// The limit that can't be met.
        source: Infeasible,
    },
    /// Allocations that are not within the bids they are made of: a fault of the market's.
    #[error("an allocation of the {interval} is not within the bids below it")]
    Allocation {
        /// The interval.
        interval: Interval,
    },
    /// A payment beyond 64 bits.
    #[error("{site}: {source}")]
    Settlement {
        /// The site.
        site: String,
        /// Which.
        source: SettlementError,
    },
}
