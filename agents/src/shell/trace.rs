//! What a shell logs of an interval, under the one name that all processes give it: `trace` in every line, as
//! [`Network::trace`] makes it.

use crate::core::Input;
use market::interval::Interval;
use wire::party::PartyId;
use wire::topic::Network;

/// What is said once or twice an interval, and logged as such; the rest, of which there are many, at `debug`.
const STATED: [&str; 8] = [
    "bid",
    "day-ahead-bid",
    "bids-committed",
    "supply",
    "final-demand",
    "submit",
    "setpoint-report",
    "meter-reading",
];

/// Who logs, and in which market.
pub(super) struct Tracing {
    pub network: Network,
    pub party: PartyId,
}

impl Tracing {
    /// What an input is about: its message's interval, else the one that it came in.
    pub fn about<R>(&self, input: &Input<R>, here: Interval) -> Interval {
        match input {
            Input::Message(message) if message.interval != Interval::default() => {
                let (trace, kind) = (self.network.trace(message.interval), message.body.kind());
                tracing::debug!(party = %self.party, trace, kind, by = %message.id.sender, "heard");
                message.interval
            }
            _ => here,
        }
    }

    /// A message goes out.
    pub fn sent(&self, kind: &'static str, about: Interval) {
        if about == Interval::default() {
            tracing::debug!(party = %self.party, kind, "said");
        } else if STATED.contains(&kind) {
            tracing::info!(party = %self.party, trace = self.network.trace(about), kind, "said");
        } else {
            tracing::debug!(party = %self.party, trace = self.network.trace(about), kind, "said");
        }
    }

    /// What the operator is to know.
    pub fn noted(&self, event: &'static str, text: &str, about: Interval) {
        if about == Interval::default() {
            tracing::info!(party = %self.party, event, "{text}");
        } else {
            tracing::info!(party = %self.party, trace = self.network.trace(about), event, "{text}");
        }
    }
}
