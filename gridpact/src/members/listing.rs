//! Who takes part in a ledger and what is being voted on, from the blocks of a validator's folder, each checked.

use ledger::governed::member::{Member, Standing};
use ledger::governed::proposal::OutcomeKind;
use ledger::governed::Governed;
use ledger::verify::{replay, VerifyError};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;
use thiserror::Error;

/// Why the listing can't be made.
#[derive(Debug, Error)]
pub enum ListingError {
    /// The ledger does not hold, or can't be read.
    #[error("{0}")]
    Ledger(#[from] VerifyError),
    /// It can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// It can't be printed as JSON.
    #[error("printing: {0}")]
    Json(#[from] serde_json::Error),
}

/// One participant, as the listing has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// role/id.
    pub party: String,
    /// UUID.
    pub pseudonym: String,
    /// Account on the ledger.
    pub account: String,
    /// valid, upcoming, expired or revoked, by the last block's time.
    pub standing: &'static str,
    /// Epoch of its key.
    pub epoch: u32,
    /// Its public key.
    pub key: String,
    /// Devices it says it operates.
    pub devices: usize,
}

/// Prints everyone who takes part in the ledger in `directory`, or once did.
///
/// # Errors
/// Where the ledger does not hold.
pub fn run(directory: &Path, json: bool, out: &mut dyn Write) -> Result<(), ListingError> {
    let mut blocks = replay(directory)?;
    let mut time_ms = 0;
    for block in &mut blocks {
        time_ms = block?.decided.block.header.time_ms;
    }
    let governed = blocks.state().governed().clone();
    let rows: Vec<Row> = governed.members.values().map(|member| row(member, time_ms)).collect();
    if json {
        serde_json::to_writer_pretty(&mut *out, &rows)?;
        writeln!(out)?;
        return Ok(());
    }
    print(&rows, &governed, out)?;
    Ok(())
}

fn row(member: &Member, time_ms: u64) -> Row {
    Row {
        party: member.party().to_string(),
        pseudonym: member.pseudonym.to_string(),
        account: member.participant.account.to_string(),
        standing: match member.standing(time_ms) {
            Standing::Valid => "valid",
            Standing::Upcoming(_) => "upcoming",
            Standing::Expired(_) => "expired",
            Standing::Revoked(_) => "revoked",
        },
        epoch: member.participant.epoch.number,
        key: member.participant.key.to_string(),
        devices: member.equipment.as_ref().map_or(0, |list| list.devices.len()),
    }
}

fn print(rows: &[Row], governed: &Governed, out: &mut dyn Write) -> io::Result<()> {
    let width = rows.iter().map(|row| row.party.len()).max().unwrap_or(0);
    for row in rows {
        let Row { party, pseudonym, account, standing, epoch, key, devices } = row;
        let key = &key[..8];
        writeln!(out, "{party:width$}  {pseudonym}  {standing:8}  key {key} epoch {epoch}  {devices} devices  {account}")?;
    }
    let validators: Vec<&str> = governed.validators.iter().map(|id| id.as_str()).collect();
    writeln!(out, "validators: {}", validators.join(", "))?;
    for (contract, version) in &governed.contracts {
        writeln!(out, "contract {contract}: version {version}")?;
    }
    for pending in &governed.proposals {
        let (id, by, at) = (pending.id, &pending.by, pending.entry.at_height);
        let approvals = pending.ballots.values().filter(|approve| **approve).count();
        writeln!(out, "proposal {id} by {by} for height {at}: {approvals} of {} for it", validators.len())?;
    }
    for outcome in &governed.outcomes {
        let result = match &outcome.result {
            OutcomeKind::Applied => "applied".to_owned(),
            OutcomeKind::Lapsed => "lapsed".to_owned(),
            OutcomeKind::Unfit { reason } => format!("did not fit: {reason}"),
        };
        let (id, at) = (outcome.id, outcome.at_height);
        writeln!(
            out,
            "proposal {id} for height {at}: {result}, {} of {} for it",
            outcome.approvals, outcome.validators
        )?;
    }
    Ok(())
}
