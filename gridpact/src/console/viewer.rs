//! Who looks, and what of the ledger that one may see: the table of rights (`ledger::rights`, docs/RIGHTS.md), asked for
//! every part of a page. Pure.

use ledger::contracts::rules::Rules;
use ledger::rights::{may_read, Query};
use wire::party::{Id, PartyId, Role};

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// Whoever plays a demo: it is all made up, so all of it is shown.
    Player,
    /// A caller as the ledger knows it; none for an anonymous one.
    Caller(Option<PartyId>),
}

impl Viewer {
    /// Whether this may be asked.
    pub fn may(&self, query: Query) -> bool {
        match self {
            Viewer::Player => true,
            Viewer::Caller(party) => may_read(party.as_ref().map(|party| party.role), query),
        }
    }

    /// Whether commitments, deliveries and payments of this account may be seen: one's own, an aggregator's sites', or
    /// everybody's.
    pub fn may_see(&self, rules: &Rules, account: &Id) -> bool {
        if self.may(Query::AnyCommitments) {
            return true;
        }
        let Viewer::Caller(Some(party)) = self else { return false };
        let own = rules.account_of(party) == Some(account);
        let of_mine = party.role == Role::Aggregator
            && rules.sites.get(account).is_some_and(|site| site.aggregator == party.id);
        self.may(Query::OwnCommitments) && (own || of_mine)
    }

    /// Whether the balance of this account may be seen.
    pub fn may_see_balance(&self, rules: &Rules, account: &Id) -> bool {
        if self.may(Query::AnyBalance) {
            return true;
        }
        let Viewer::Caller(Some(party)) = self else { return false };
        self.may(Query::OwnBalance) && rules.account_of(party) == Some(account)
    }

    /// Who it is, in words.
    pub fn words(&self) -> String {
        match self {
            Viewer::Player => "whoever plays this demo".to_owned(),
            Viewer::Caller(Some(party)) => party.to_string(),
            Viewer::Caller(None) => "nobody in particular".to_owned(),
        }
    }
}
