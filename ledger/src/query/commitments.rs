//! What sites were committed to, delivered and were paid.

use super::answers::Commitment;
use super::{Place, ReadError, Reader, MAX_COMMITMENTS};
use crate::rights::{EntryKind, Query};
use market::interval::{Interval, UnixSeconds};
use wire::entry::{DeliveryEntry, Entry};
use wire::party::{Id, PartyId, Role};

/// Whose commitments are asked for.
enum Whose {
    /// Everybody's.
    All,
    /// One account's.
    Account(Id),
    /// Those of an aggregator's sites.
    Aggregator(PartyId),
}

impl Reader<'_> {
    /// Commitments of the intervals that start in a span of time: a site's are its own, an aggregator's its
    /// sites'; who may see all names an account, or none for all.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn commitments(
        &self,
        from: UnixSeconds,
        to: UnixSeconds,
        account: Option<Id>,
    ) -> Result<Vec<Commitment>, ReadError> {
        let whose = self.whose(account)?;
        let mut found = Vec::new();
        let known = self.history.known_from()?;
        for at in self.intervals(from, to)? {
            let cleared = known <= 1 || !self.history.about(at, Some(EntryKind::Clearing))?.is_empty();
            self.check_known(at, cleared, known)?;
            for place in self.history.about(at, Some(EntryKind::Delivery))? {
                self.collect(at, &place, &whose, &mut found)?;
                if found.len() > MAX_COMMITMENTS {
                    return Err(ReadError::TooMuch { what: "commitments", most: MAX_COMMITMENTS });
                }
            }
        }
        Ok(found)
    }

    fn whose(&self, account: Option<Id>) -> Result<Whose, ReadError> {
        if self.may(Query::AnyCommitments) {
            return Ok(account.map_or(Whose::All, Whose::Account));
        }
        self.allow(Query::OwnCommitments)?;
        let refused = || ReadError::NotAllowed { caller: self.caller.clone(), query: Query::AnyCommitments };
        let caller = self.caller.as_ref().ok_or_else(refused)?;
        let own = self.own_account().ok_or_else(refused)?;
        match account {
            None if caller.role == Role::Aggregator => Ok(Whose::Aggregator(caller.clone())),
            None => Ok(Whose::Account(own.clone())),
            Some(account) if account == *own || self.has_site(&account) => Ok(Whose::Account(account)),
            Some(_) => Err(refused()),
        }
    }

    fn collect(
        &self,
        at: Interval,
        place: &Place,
        whose: &Whose,
        found: &mut Vec<Commitment>,
    ) -> Result<(), ReadError> {
        if matches!(whose, Whose::Aggregator(party) if *party != place.entry.submitter) {
            return Ok(());
        }
        let Some(decided) = self.history.block(place.height)? else { return Ok(()) };
        let Some((_, Entry::Delivery(delivery))) = decided.entries().nth(place.index) else { return Ok(()) };
        let paid = |account: &Id| {
            let payment = place.entry.payments.iter().find(|(paid, _)| paid == account);
            payment.map(|(_, amount)| amount.0)
        };
        let DeliveryEntry { sites, .. } = &delivery;
        for site in sites {
            if matches!(whose, Whose::Account(account) if *account != site.account) {
                continue;
            }
            found.push(Commitment {
                interval_start: super::prices::time_s(at.start()),
                account: site.account.to_string(),
                commitment_milliwatt: site.commitment.0,
                energy_millijoule: site.energy.map(|energy| energy.0),
                payment_nano_eur: paid(&site.account),
                height: place.height,
                entry: place.index,
            });
        }
        Ok(())
    }
}
