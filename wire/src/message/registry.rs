//! Bounds of entries about participants and rules.

use super::bounds::{at_most, text, BoundsError, MAX_BUSES_PER_MESSAGE};
use crate::entry::governance::{GovernedChange, ProposalEntry, MAX_VALIDATORS_CHANGED};
use crate::entry::registry::{Equipment, ParticipantEntry, Registration, MAX_EQUIPMENT, MAX_EQUIPMENT_TEXT};

pub(super) fn check_participant(entry: &ParticipantEntry) -> Result<(), BoundsError> {
    match entry {
        ParticipantEntry::Register(registration) => check_registration(registration),
        ParticipantEntry::Equipment(list) => {
            at_most("devices", list.devices.len(), MAX_EQUIPMENT)?;
            list.devices.iter().try_for_each(check_device)
        }
        ParticipantEntry::Rotate(_) | ParticipantEntry::Revoke(_) => Ok(()),
    }
}

pub(super) fn check_proposal(entry: &ProposalEntry) -> Result<(), BoundsError> {
    match &entry.change {
        GovernedChange::Grid(rules) => {
            at_most("buses", rules.voltage_at.len().max(rules.reactive.len()), MAX_BUSES_PER_MESSAGE)?;
            let names = rules.voltage_at.keys().chain(rules.reactive.keys());
            names.into_iter().try_for_each(|bus| text("characters of bus name", bus))
        }
        GovernedChange::Validators { admit, dismiss } => {
            at_most("validators", admit.len().max(dismiss.len()), MAX_VALIDATORS_CHANGED)?;
            admit.iter().try_for_each(check_registration)
        }
        GovernedChange::Contract { contract, .. } => text("characters of contract", contract),
        GovernedChange::Admit(registration) => check_registration(registration),
        GovernedChange::Parameters(_) | GovernedChange::DayAhead(_) | GovernedChange::Revoke(_) => Ok(()),
    }
}

fn check_registration(registration: &Registration) -> Result<(), BoundsError> {
    text("characters of bus name", registration.participant.bus.as_deref().unwrap_or_default())
}

fn check_device(device: &Equipment) -> Result<(), BoundsError> {
    let texts = [&device.make, &device.model, &device.firmware];
    texts.into_iter().try_for_each(|text| {
        at_most("characters of make, model or firmware", text.chars().count(), MAX_EQUIPMENT_TEXT)
    })
}
