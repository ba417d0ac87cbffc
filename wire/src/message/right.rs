//! Who may send which kind of message, and whether to one party or to all.

use super::Body;
use crate::party::Role;

/// How a kind of message is addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// To one party alone.
    One,
    /// To nobody in particular.
    All,
    /// Either, as the sender chooses.
    Either,
}

impl Body {
    /// Whether a party of this role may send this kind.
    pub fn may_come_from(&self, role: Role) -> bool {
        match self {
            Body::Tick(_) => role == Role::Timekeeper,
            Body::Ack(_) | Body::RegistryQuestion(_) => true,
            Body::Bid(_) | Body::DayAheadBid(_) | Body::SetpointReport(_) | Body::MeterReading(_) => {
                role == Role::Site
            }
            Body::BidsCommitted(_) | Body::Demand(_) | Body::FinalDemand(_) | Body::Firm(_) => {
                role == Role::Aggregator
            }
            Body::DayAheadCommitted(_)
            | Body::DayAheadDemand(_)
            | Body::DayAheadFinalDemand(_)
            | Body::DayAheadFirm(_) => role == Role::Aggregator,
            Body::PriceQuestion(_) | Body::Award(_) => role == Role::Dso,
            Body::DayAheadQuestion(_) | Body::DayAheadAward(_) => role == Role::Dso,
            Body::Supply(_) | Body::DayAheadSupply(_) | Body::Forecast(_) => role == Role::Tso,
            Body::QuantileForecast(_) => role == Role::Forecaster,
            // Which entry whom allows is the ledger's to say; a timekeeper has no account to act for.
            Body::Submit(_) => role != Role::Timekeeper,
            Body::Consensus(_) | Body::Block(_) | Body::RegistrySummary(_) => role == Role::Validator,
        }
    }

    /// How this kind is addressed. What concerns one party's commitment goes to that party alone.
    pub fn addressing(&self) -> Addressing {
        match self {
            Body::Ack(_)
            | Body::RegistrySummary(_)
            | Body::Bid(_)
            | Body::Award(_)
            | Body::Firm(_)
            | Body::SetpointReport(_)
            | Body::MeterReading(_) => Addressing::One,
            Body::DayAheadBid(_)
            | Body::DayAheadQuestion(_)
            | Body::DayAheadAward(_)
            | Body::DayAheadFirm(_) => Addressing::One,
            Body::DayAheadCommitted(_)
            | Body::DayAheadSupply(_)
            | Body::DayAheadDemand(_)
            | Body::DayAheadFinalDemand(_) => Addressing::Either,
            Body::Tick(_)
            | Body::RegistryQuestion(_)
            | Body::Forecast(_)
            | Body::QuantileForecast(_)
            | Body::Block(_) => Addressing::All,
            Body::BidsCommitted(_)
            | Body::PriceQuestion(_)
            | Body::Demand(_)
            | Body::FinalDemand(_)
            | Body::Supply(_)
            | Body::Submit(_)
            | Body::Consensus(_) => Addressing::Either,
        }
    }
}
