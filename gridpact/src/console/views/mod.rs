//! What is shown: answers to the page's questions, each part only to whom it may be. Integers stand in them as text
//! ([`super::exact`]), in the unit that their key ends with. Pure.

pub mod chain;
pub mod feeder;
pub mod interval;
pub mod site;

use super::core::Book;
use super::viewer::Viewer;
use ledger::query::time_s;
use market::interval::{Interval, UnixSeconds};
use wire::party::{Id, Participant, PartyId, Role};

/// What questions are answered from, and for whom.
pub struct Desk<'a> {
    /// What is known.
    pub book: &'a Book,
    /// Who asks.
    pub viewer: &'a Viewer,
}

impl Desk<'_> {
    /// The sites whose pages this viewer may see, with what the registry says of them.
    pub fn sites(&self) -> impl Iterator<Item = Participant> + '_ {
        let rules = &self.book.view.rules;
        let sites = rules.participants().filter(|p| p.party.role == Role::Site);
        sites.filter(|site| self.viewer.may_see(rules, &site.account))
    }

    /// One of them by its name.
    pub fn site(&self, id: &Id) -> Option<Participant> {
        self.sites().find(|site| site.party.id == *id)
    }

    /// Which site has an account, for who may know.
    pub fn name_of(&self, account: &Id) -> Option<PartyId> {
        self.sites().find(|site| site.account == *account).map(|site| site.party)
    }
}

/// RFC 3339 in UTC.
pub fn start(interval: Interval) -> String {
    time_s(interval.start())
}

/// RFC 3339 in UTC, of milliseconds since 1970, to the second.
pub fn time_ms(at_ms: u64) -> String {
    time_s(UnixSeconds((at_ms / 1_000) as i64))
}
