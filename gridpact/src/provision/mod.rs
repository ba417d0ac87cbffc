//! `gridpact provision`: from one plan everything that a deployment needs, and later what changes of it, one participant
//! at a time. Keys never leave their machine's folder; the authority's stays in its own.

pub mod args;
pub(crate) mod authority;
mod brokers;
mod check;
mod entries;
mod error;
mod files;
mod folder;
mod genesis;
mod layout;
mod lock;
mod mosquitto;
mod plan;
mod record;
mod roles;
mod work;

pub use error::ProvisionError;
pub use mosquitto::on_loopback as mosquitto_on_loopback;

use args::{OneArgs, ProvisionAct, ProvisionArgs};
use folder::Change;
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use wire::party::PartyId;
use work::Work;

/// Where what was made is remembered.
const RECORD: &str = "provision.json";
/// Certificates that end within so many seconds are named: 60 days.
const SOON_S: i64 = 60 * 86_400;

/// What was done.
#[derive(Debug, Default, Serialize)]
struct Done {
    written: Vec<PathBuf>,
    removed: Vec<PathBuf>,
    /// What whoever reads this should know or do.
    notes: Vec<String>,
}

/// Makes or changes a deployment, and says what was done.
///
/// # Errors
/// As [`ProvisionError`] says. Nothing has changed then.
pub fn run(args: &ProvisionArgs, out: &mut dyn Write) -> Result<(), ProvisionError> {
    let now = OffsetDateTime::now_utc();
    let one = |args: &OneArgs| (args.plan.clone(), args.out.clone(), args.at_height, args.json);
    let (plan, directory, at_height, json) = match &args.act {
        None => {
            let (plan, out) = (args.all.plan.clone(), args.all.out.clone());
            (plan.unwrap_or_default(), out.unwrap_or_default(), args.all.at_height, args.all.json)
        }
        Some(ProvisionAct::Add(args) | ProvisionAct::Revoke(args)) => one(args),
        Some(ProvisionAct::Rotate(args)) => one(&args.one),
    };
    let sound = check::read(&plan)?;
    let mut work = Work::open(&sound, Change::of(&directory)?, &directory, (now, at_height))?;
    match &args.act {
        None => work.all()?,
        Some(ProvisionAct::Add(args)) => work.add_one(&named(&args.party)?)?,
        Some(ProvisionAct::Revoke(args)) => work.revoke_one(&named(&args.party)?)?,
        Some(ProvisionAct::Rotate(args)) => work.rotate(&named(&args.one.party)?, args.certificate_only)?,
    }
    let done = work.finish()?;
    say(&done, &directory, json, out)
}

fn named(party: &str) -> Result<PartyId, ProvisionError> {
    let wrong = |reason: String| ProvisionError::Party { party: party.to_owned(), reason };
    party.parse().map_err(|error| wrong(format!("{error}; it must be role/id")))
}

fn say(done: &Done, directory: &Path, json: bool, out: &mut dyn Write) -> Result<(), ProvisionError> {
    if json {
        let text = serde_json::to_string_pretty(done)?;
        return writeln!(out, "{text}").map_err(ProvisionError::Print);
    }
    let mut lines = Vec::new();
    if done.written.is_empty() && done.removed.is_empty() {
        lines.push(format!("{}: nothing to do", directory.display()));
    } else {
        let (written, removed) = (done.written.len(), done.removed.len());
        lines.push(format!("{}: {written} files written, {removed} removed", directory.display()));
    }
    lines.extend(done.notes.iter().cloned());
    lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(ProvisionError::Print)
}
