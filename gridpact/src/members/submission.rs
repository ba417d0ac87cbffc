//! Submitting one entry over a broker, and waiting until it is final.

use super::entry_file::{EntryFile, EntryFileError};
use super::finality::{Outcome, Waiting};
use crate::configuration::party::PartyKeys;
use crate::configuration::ConfigurationError;
use crate::run::party::{self, PartyOpenError};
use crate::run::process::ProcessMetrics;
use agents::shell::{connect, Common};
use broker::link::{Link, LinkError, LinkEvent, Outgoing};
use market::interval::Interval;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use thiserror::Error;
use wire::entry::Entry;
use wire::message::{Body, RegistryQuestion};
use wire::party::{PartyId, Role};

/// Messages that may wait for the link.
const QUEUE: usize = 64;
/// Longest wait for a broker.
const CONNECT: Duration = Duration::from_secs(15);
/// Longest wait for the others, once one has answered: each tells of a block once, and one that was not heard is not told again.
const SETTLE: Duration = Duration::from_secs(3);
/// Longest wait for the entry to be final.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why an entry was not made.
#[derive(Debug, Error)]
pub enum SubmissionError {
    /// The entry's file gives none.
    #[error("{0}")]
    File(#[from] EntryFileError),
    /// The configuration can't be read.
    #[error("--as: {0}")]
    Configuration(#[from] ConfigurationError),
    /// Genesis or key can't be read, or don't belong together.
    #[error("--as: {0}")]
    Party(#[from] PartyOpenError),
    /// Metrics can't be registered.
    #[error("{0}")]
    Metrics(#[from] prometheus::Error),
    /// No connection can be made, or the entry is none that this party may send.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// No broker answers.
    #[error("no broker answers at {addresses}; is it running, and may this machine reach it?")]
    NoBroker {
        /// Those tried.
        addresses: String,
    },
    /// The validators refuse the entry.
    #[error("the validators refuse the entry: {reason}")]
    Refused {
        /// What one of them says.
        reason: String,
    },
    /// It was not decided in time.
    #[error(
        "the entry was not decided within {} s; it may still be: look with `gridpact ledger participants`",
        PATIENCE.as_secs()
    )]
    Timeout,
    /// The link's task ended.
    #[error("the connection ended")]
    Ended,
    /// What came of it can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
}

/// Submits the entry in `file` as the party of the configuration file `submitter`, and prints the height at which it is
/// final.
///
/// # Errors
/// Where it can't be made, is refused, or not decided in time.
pub async fn run(file: &Path, submitter: &Path, out: &mut dyn Write) -> Result<(), SubmissionError> {
    let (role, keys) = crate::configuration::read_party(submitter)?;
    let common = party::open_for_command(role, &keys, &ProcessMetrics::new()?).await?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let entry = EntryFile::read(file)?.entry(&common.signer, directory)?;
    if let Entry::Proposal(proposal) = &entry {
        let id = proposal.id().map_err(EntryFileError::from)?;
        writeln!(out, "proposal {id}")?;
    }
    let height = submit(&common, &keys, entry).await?;
    writeln!(out, "final at height {height}")?;
    Ok(())
}

async fn submit(common: &Common, keys: &PartyKeys, entry: Entry) -> Result<u64, SubmissionError> {
    let network = &common.genesis.network;
    let chain = common.chain.clone();
    let validators: Vec<PartyId> = agents::roster::parties(&common.terms(), Role::Validator);
    let addresses: Vec<String> = keys.brokers.iter().chain(&keys.validator_brokers).cloned().collect();
    let tried = addresses.join(", ");
    let blocks = vec![network.filter_broadcast(Role::Validator, "block")];
    let (link, mut events) = connect(common, blocks, chain.registry().clone(), QUEUE)?;
    loop {
        match tokio::time::timeout(CONNECT, events.recv()).await {
            Ok(Some(LinkEvent::Connected)) => break,
            Ok(Some(_)) => {}
            Ok(None) => return Err(SubmissionError::Ended),
            Err(_) => return Err(SubmissionError::NoBroker { addresses: tried }),
        }
    }
    let mut standing = link.standing();
    // Some may be down, and then those that stand are enough.
    let _ =
        tokio::time::timeout(SETTLE, standing.wait_for(|routes| routes.len() >= link.connections())).await;
    let known = chain.governed();
    let mut waiting = Waiting::new(chain, common.signer.party().clone(), entry.clone(), validators.len());
    link.send(outgoing(Body::RegistryQuestion(RegistryQuestion { known }), Vec::new()))?;
    link.send(outgoing(Body::Submit(entry), validators))?;
    let outcome = async {
        while let Some(event) = events.recv().await {
            if let Some(outcome) = take(&link, &mut waiting, event) {
                return Some(outcome);
            }
        }
        None
    };
    match tokio::time::timeout(PATIENCE, outcome).await {
        Ok(Some(Outcome::Final(height))) => Ok(height),
        Ok(Some(Outcome::Refused(reason))) => Err(SubmissionError::Refused { reason }),
        Ok(None) => Err(SubmissionError::Ended),
        Err(_) => Err(SubmissionError::Timeout),
    }
}

fn take(link: &Link, waiting: &mut Waiting, event: LinkEvent) -> Option<Outcome> {
    let told = match event {
        LinkEvent::Answered { by, verdict, .. } => return waiting.answered(by, verdict),
        LinkEvent::Message(message) => match message.body {
            Body::Block(bytes) => waiting.block(&bytes),
            Body::RegistrySummary(bytes) => waiting.chain().take_summary(&bytes).map(|_| None),
            _ => return None,
        },
        _ => return None,
    };
    link.update_registry(waiting.chain().registry().clone());
    told.unwrap_or_else(|error| {
        tracing::warn!(%error, "a message was not believed");
        None
    })
}

fn outgoing(body: Body, acknowledged_by: Vec<PartyId>) -> Outgoing {
    let valid_for_ms = PATIENCE.as_millis() as u64;
    Outgoing { body, interval: Interval::default(), recipient: None, acknowledged_by, tag: 0, valid_for_ms }
}
