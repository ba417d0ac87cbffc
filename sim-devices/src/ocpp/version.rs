//! The versions a charge point can speak.

/// A version of OCPP over websockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// OCPP 1.6J.
    #[default]
    V16,
    /// OCPP 2.0.1.
    V201,
}

impl Version {
    /// The websocket subprotocol it is agreed on by.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::V16 => "ocpp1.6",
            Self::V201 => "ocpp2.0.1",
        }
    }
}
