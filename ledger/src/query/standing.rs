//! Accounts and participants, as they stand after the last block.

use super::answers::{Balance, Participant};
use super::{ReadError, Reader};
use crate::governed::member::Member;
use crate::rights::Query;
use wire::party::Id;

impl Reader<'_> {
    /// What an account holds: the caller's own where none is named.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn balance(&self, account: Option<Id>) -> Result<Balance, ReadError> {
        self.allow(Query::OwnBalance)?;
        let own = self.own_account();
        let account = match account {
            Some(account) if own == Some(&account) => account,
            Some(account) => {
                self.allow(Query::AnyBalance)?;
                account
            }
            None => {
                own.cloned().ok_or_else(|| ReadError::NoSuch { what: "account of the caller".to_owned() })?
            }
        };
        let held = self.view.state.accounts().get(&account);
        let held = held.ok_or_else(|| ReadError::NoSuch { what: format!("account {account}") })?;
        Ok(Balance {
            balance_nano_eur: held.balance.0,
            nonce: held.nonce,
            height: self.view.tip.height,
            account: account.to_string(),
        })
    }

    /// Everyone who takes part, or once did.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn participants(&self) -> Result<Vec<Participant>, ReadError> {
        self.allow(Query::Participants)?;
        Ok(self.view.rules.governed.members.values().map(|member| shown(member)).collect())
    }
}

fn shown(member: &Member) -> Participant {
    let participant = &member.participant;
    let time = super::prices::time_ms;
    Participant {
        party: participant.party.to_string(),
        pseudonym: member.pseudonym.to_string(),
        key: participant.key.to_string(),
        account: participant.account.to_string(),
        bus: participant.bus.clone(),
        aggregator: participant.aggregator.as_ref().map(Id::to_string),
        valid_from: time(member.valid_from_ms),
        valid_to: member.valid_to_ms.map(time),
        revoked: member.revoked.as_ref().map(|revocation| time(revocation.at_ms)),
    }
}
