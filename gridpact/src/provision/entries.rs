//! Entries for the ledger's registry, ready for `gridpact ledger submit`.

use super::error::ProvisionError;
use super::layout::in_machine;
use ledger::rights::registrar_of;
use serde::Serialize;
use std::path::{Path, PathBuf};
use wire::entry::governance::GovernedChange;
use wire::entry::registry::Registration;
use wire::party::{Participant, PartyId, Role};
use wire::possession::Possession;
use wire::pseudonym::Pseudonym;
use wire::topic::Network;

/// A vote, as `gridpact ledger submit` reads it.
#[derive(Serialize)]
struct Proposal {
    entry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_height: Option<u64>,
    change: GovernedChange,
}

/// Somebody new: by whose role registers such, or by vote from `at_height` on.
///
/// # Errors
/// Where it has no TOML.
pub fn register(
    network: &Network,
    participant: Participant,
    possession: Possession,
    at_height: Option<u64>,
) -> Result<String, ProvisionError> {
    let party = participant.party.clone();
    if registrar_of(party.role).is_some() {
        let Participant { key, account, bus, aggregator, connection_milliwatt, .. } = participant;
        let mut text = format!(
            "entry = \"register\"\nparty = \"{party}\"\nkey = \"{key}\"\npossession = \"{possession}\"\naccount = \"{account}\"\n"
        );
        if let (Some(bus), Some(aggregator), Some(most)) = (bus, aggregator, connection_milliwatt) {
            let bus = toml::Value::String(bus);
            text += &format!("bus = {bus}\naggregator = \"{aggregator}\"\nconnection_milliwatt = {most}\n");
        }
        return Ok(text);
    }
    let pseudonym = Pseudonym::of(network, &party);
    let registration =
        Registration { participant, pseudonym, valid_from_ms: 0, valid_to_ms: None, possession };
    let change = match party.role {
        Role::Validator => GovernedChange::Validators { admit: vec![registration], dismiss: Vec::new() },
        _ => GovernedChange::Admit(Box::new(registration)),
    };
    proposal(&party, change, at_height)
}

/// Somebody's end, likewise.
///
/// # Errors
/// Where it has no TOML.
pub fn revoke(party: &PartyId, at_height: Option<u64>) -> Result<String, ProvisionError> {
    if registrar_of(party.role).is_some() {
        return Ok(format!("entry = \"revoke\"\nparty = \"{party}\"\n"));
    }
    let change = match party.role {
        Role::Validator => GovernedChange::Validators { admit: Vec::new(), dismiss: vec![party.id.clone()] },
        _ => GovernedChange::Revoke(party.clone()),
    };
    proposal(party, change, at_height)
}

/// Another key, by the party itself.
pub fn rotate(party: &PartyId, epoch: usize) -> String {
    let key = Path::new("..").join(in_machine::key(party, epoch));
    format!("entry = \"rotate\"\nnext_key = \"{}\"\n", key.display())
}

/// What stands above an entry: how it is submitted.
pub fn headed(text: &str, entry: &Path, submitter: &Path) -> String {
    let at_height = if text.contains("\nat_height") || !text.contains("proposal") {
        ""
    } else {
        "# Give at_height first: the block from which on it holds, far enough ahead for the validators' ballots.\n# at_height = \n"
    };
    let command = format!("# gridpact ledger submit {} --as {}\n", entry.display(), submitter.display());
    format!("{command}{at_height}{text}")
}

fn proposal(
    party: &PartyId,
    change: GovernedChange,
    at_height: Option<u64>,
) -> Result<String, ProvisionError> {
    let path = || PathBuf::from(format!("the proposal about {party}"));
    toml::to_string(&Proposal { entry: "proposal", at_height, change })
        .map_err(|source| ProvisionError::Toml { path: path(), source })
}
