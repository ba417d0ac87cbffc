//! Every kind of message: who may send it, whether to one party or to all, and who may hear it. What is signed
//! and what brokers let through follow from this one table.

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

/// One kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its word in topics, as [`Body::kind`].
    pub word: &'static str,
    /// Roles that may send it.
    pub from: &'static [Role],
    /// Whether to one party or to all.
    pub addressing: Addressing,
    /// Roles that may hear it where it is for nobody in particular. What is for one party, that party hears.
    pub heard_by: &'static [Role],
    /// Whether the timekeeper may hear it though it is for another: simulated time waits for it.
    pub timed: bool,
}

/// Those who hear what a DSO signs, and are not the DSO.
const WITNESSES: &[Role] = &[Role::Site, Role::Aggregator, Role::Validator];
/// Those who owe others what a decided block says.
const TRADERS: &[Role] = &[Role::Aggregator, Role::Dso];
/// Those who keep a proof, or see that it is recorded.
const WATCHERS: &[Role] = &[Role::Aggregator, Role::Validator, Role::Auditor, Role::Regulator];
const ALL: &[Role] = &Role::ALL;
const NOBODY: &[Role] = &[];
const SITE: &[Role] = &[Role::Site];
const AGGREGATOR: &[Role] = &[Role::Aggregator];
const DSO: &[Role] = &[Role::Dso];
const TSO: &[Role] = &[Role::Tso];
const VALIDATOR: &[Role] = &[Role::Validator];
/// Which entry whom allows is the ledger's to say; a timekeeper has no account to act for.
const SUBMITTERS: &[Role] = &[
    Role::Site,
    Role::Aggregator,
    Role::Dso,
    Role::Tso,
    Role::Validator,
    Role::Forecaster,
    Role::Meter,
    Role::Auditor,
    Role::Regulator,
    Role::Trader,
    Role::DataService,
    Role::Gateway,
];

const fn to_one(word: &'static str, from: &'static [Role], timed: bool) -> Kind {
    Kind { word, from, addressing: Addressing::One, heard_by: NOBODY, timed }
}

const fn to_all(word: &'static str, from: &'static [Role], heard_by: &'static [Role]) -> Kind {
    Kind { word, from, addressing: Addressing::All, heard_by, timed: false }
}

const fn to_either(word: &'static str, from: &'static [Role], heard_by: &'static [Role]) -> Kind {
    Kind { word, from, addressing: Addressing::Either, heard_by, timed: false }
}

/// All kinds. What concerns one party's commitment goes to that party alone.
pub const KINDS: [Kind; 29] = [
    to_all("tick", &[Role::Timekeeper], ALL),
    to_one("ack", ALL, true),
    to_one("bid", SITE, true),
    to_either("bids-committed", AGGREGATOR, DSO),
    to_either("price-question", DSO, AGGREGATOR),
    to_either("demand", AGGREGATOR, DSO),
    to_one("award", DSO, false),
    to_either("final-demand", AGGREGATOR, DSO),
    to_either("supply", TSO, DSO),
    to_all("forecast", TSO, ALL),
    to_all("quantile-forecast", &[Role::Forecaster], ALL),
    to_either("submit", SUBMITTERS, VALIDATOR),
    to_either("consensus", VALIDATOR, VALIDATOR),
    to_either("block", VALIDATOR, ALL),
    to_all("block-question", TRADERS, VALIDATOR),
    to_all("registry-question", ALL, VALIDATOR),
    to_one("registry-summary", VALIDATOR, false),
    to_all("double-clearing", WITNESSES, WATCHERS),
    to_one("firm", AGGREGATOR, false),
    to_one("setpoint-report", SITE, true),
    to_one("meter-reading", SITE, true),
    to_one("day-ahead-bid", SITE, true),
    to_either("day-ahead-committed", AGGREGATOR, DSO),
    to_either("day-ahead-supply", TSO, DSO),
    to_one("day-ahead-question", DSO, false),
    to_either("day-ahead-demand", AGGREGATOR, DSO),
    to_one("day-ahead-award", DSO, false),
    to_either("day-ahead-final-demand", AGGREGATOR, DSO),
    to_one("day-ahead-firm", AGGREGATOR, false),
];

impl Kind {
    /// The kind of this word.
    pub fn of(word: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.word == word)
    }

    /// Whether a message of this kind may name a recipient, or may name none.
    pub fn may_be_addressed(&self, addressed: bool) -> bool {
        match self.addressing {
            Addressing::One => addressed,
            Addressing::All => !addressed,
            Addressing::Either => true,
        }
    }
}

impl Body {
    /// Whether a party of this role may send this kind.
    pub fn may_come_from(&self, role: Role) -> bool {
        Kind::of(self.kind()).is_some_and(|kind| kind.from.contains(&role))
    }

    /// How this kind is addressed.
    pub fn addressing(&self) -> Addressing {
        // Every kind is in the table, as a test makes sure; what were not would go to nobody it is not for.
        Kind::of(self.kind()).map_or(Addressing::One, |kind| kind.addressing)
    }
}
