//! Why a device can't be opened.

use crate::modbus::EndpointError;
use crate::mqtt::MqttError;
use crate::ocpp::OcppError;
use crate::template::TemplateError;
use thiserror::Error;

/// A device that can't be opened. A device that is only silent opens, and says so when read.
#[derive(Debug, Error)]
pub enum OpenError {
    /// An address that is none, or a serial line that can't be.
    #[error("{device}: {source}")]
    Address {
        /// The device's name.
        device: String,
        /// What is wrong with it.
        source: EndpointError,
    },
    /// A time for answers out of range.
    #[error("{device}: answer_within_ms is {given}, not within 100 to 60000")]
    AnswerWithin {
        /// The device's name.
        device: String,
        /// What stands in the configuration.
        given: u64,
    },
    /// A ramp that can't be.
    #[error("{device}: {reason}")]
    Ramp {
        /// The device's name.
        device: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A charge point's password hash that is none.
    #[error("{device}: password_sha256 is not 64 hexadecimal digits")]
    PasswordHash {
        /// The device's name.
        device: String,
    },
    /// The charge point's listener can't be opened.
    #[error("{device}: listening for the charge point: {source}")]
    Ocpp {
        /// The device's name.
        device: String,
        /// Why.
        source: OcppError,
    },
    /// A device on a broker can't be followed.
    #[error(transparent)]
    Mqtt(#[from] MqttError),
    /// A template that is none, or isn't there.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A key the template's protocol needs.
    #[error("{device}: {key} is missing: a device by {protocol} is reached by it")]
    MissingKey {
        /// The device's name.
        device: String,
        /// The key.
        key: &'static str,
        /// The template's protocol.
        protocol: &'static str,
    },
    /// A key that means nothing for the template's protocol.
    #[error("{device}: {key} means nothing to a device by {protocol}")]
    NeedlessKey {
        /// The device's name.
        device: String,
        /// The key.
        key: &'static str,
        /// The template's protocol.
        protocol: &'static str,
    },
}
