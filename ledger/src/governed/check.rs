//! What must hold of whatever may change, at the start of a ledger and after every change.

use crate::genesis::{is_named_account, GenesisError};
use market::day_ahead::rules::DayAheadRules;
use market::day_ahead::terms::DayAheadTerms;
use market::feeder::{Feeder, Tree};
use market::grid::rules::GridRules;
use market::parameters::MarketParameters;
use std::collections::BTreeSet;
use wire::party::{Participant, PartyId, Role};

/// Checks that the figures make a market on this feeder.
///
/// # Errors
/// Names the first that does not fit.
pub fn market(
    parameters: &MarketParameters,
    grid: Option<&GridRules>,
    day_ahead: Option<&DayAheadRules>,
    (feeder, tree): (&Feeder, &Tree),
) -> Result<(), GenesisError> {
    parameters.validate()?;
    let terms = grid.map(|grid| grid.terms(feeder, tree)).transpose()?;
    if let Some(rules) = day_ahead {
        rules.validate(parameters)?;
        let terms = terms.ok_or(GenesisError::DayAheadWithoutGrid)?;
        DayAheadTerms::new(&terms, parameters.interval_s)?;
    }
    Ok(())
}

/// Checks that no two of these share a name, a key or an account, and none has one of the ledger's own.
///
/// # Errors
/// Names the first shared.
pub fn unique<'a>(participants: impl Iterator<Item = &'a Participant>) -> Result<(), GenesisError> {
    let mut seen = BTreeSet::new();
    for p in participants {
        let values =
            [("name", p.party.to_string()), ("key", p.key.to_string()), ("account", p.account.to_string())];
        if is_named_account(&p.account) {
            return Err(GenesisError::Duplicate { what: "account", value: p.account.to_string() });
        }
        for (what, value) in values {
            if !seen.insert((what, value.clone())) {
                return Err(GenesisError::Duplicate { what, value });
            }
        }
    }
    Ok(())
}

/// Checks that every role is there that must be.
///
/// # Errors
/// Names the first that is missing, or too many.
pub fn roles<'a>(participants: impl Iterator<Item = &'a Participant> + Clone) -> Result<(), GenesisError> {
    let needs = [
        (Role::Dso, 1..=1, "exactly one"),
        (Role::Tso, 1..=1, "exactly one"),
        (Role::Aggregator, 1..=usize::MAX, "at least one"),
        (Role::Validator, 1..=usize::MAX, "at least one"),
    ];
    for (role, allowed, needed) in needs {
        let count = participants.clone().filter(|p| p.party.role == role).count();
        if !allowed.contains(&count) {
            return Err(GenesisError::Roles { role: role.word(), count, needed });
        }
    }
    Ok(())
}

/// Checks that a site has its place in the market.
///
/// # Errors
/// Names what is missing.
pub fn place(
    participant: &Participant,
    feeder: &Feeder,
    is_aggregator: impl Fn(&PartyId) -> bool,
) -> Result<(), GenesisError> {
    if participant.party.role != Role::Site {
        return Ok(());
    }
    let wrong = |reason| GenesisError::Site { site: participant.party.id.clone(), reason };
    let bus = participant.bus.as_ref().ok_or_else(|| wrong("no bus"))?;
    if !feeder.buses.contains(bus) {
        return Err(wrong("its bus is not on the feeder"));
    }
    let aggregator = participant.aggregator.clone().ok_or_else(|| wrong("no aggregator"))?;
    if !is_aggregator(&PartyId::new(Role::Aggregator, aggregator)) {
        return Err(wrong("its aggregator is no participant"));
    }
    if participant.connection_milliwatt.is_none_or(|limit| limit <= 0) {
        return Err(wrong("no connection limit"));
    }
    Ok(())
}
