//! Learning from the validators what the ledger has come to, for who is not in its genesis: they are asked until one
//! answers with what is proven, and the answer names the one who asks.

use super::{connect, Common};
use crate::chain::Chain;
use broker::link::{Link, LinkError, LinkEvent, Outgoing};
use market::interval::Interval;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::mpsc;
use wire::message::{Body, RegistryQuestion};
use wire::party::PartyId;

/// Time between two questions.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long a question is worth delivering, in milliseconds.
const QUESTION_VALID_MS: u64 = 10_000;
/// Messages that may wait for the link.
const QUEUE: usize = 16;

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum LearnError {
    /// There can be no link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No validator answers, or none names the one who asks.
    #[error(
        "{party} is not in the genesis, and no validator says that the ledger's registry has it ({} s)",
        waited.as_secs()
    )]
    Unknown {
        /// Who asked.
        party: PartyId,
        /// For how long.
        waited: Duration,
    },
    /// The link's task ended.
    #[error("the connection ended")]
    Ended,
}

/// The ledger as a validator proves it, once its registry has the party of `common`; asked for so long. Needs a tokio
/// runtime.
///
/// # Errors
/// As [`LearnError`] says.
pub async fn learn(common: &Common, patience: Duration) -> Result<Chain, LearnError> {
    let chain = common.chain.clone();
    let (link, events) = connect(common, Vec::new(), chain.registry().clone(), QUEUE)?;
    let party = common.signer.party();
    match tokio::time::timeout(patience, ask(&link, events, chain, party)).await {
        Ok(learned) => learned,
        Err(_) => Err(LearnError::Unknown { party: party.clone(), waited: patience }),
    }
}

async fn ask(
    link: &Link,
    mut events: mpsc::Receiver<LinkEvent>,
    mut chain: Chain,
    party: &PartyId,
) -> Result<Chain, LearnError> {
    let mut due = tokio::time::interval(ASK_EVERY);
    loop {
        let event = tokio::select! {
            _ = due.tick() => {
                link.send(question(&chain))?;
                continue;
            }
            event = events.recv() => event.ok_or(LearnError::Ended)?,
        };
        let LinkEvent::Message(message) = event else { continue };
        let Body::RegistrySummary(bytes) = message.body else { continue };
        match chain.take_summary(&bytes) {
            Ok(_) if chain.registry().contains_key(party) => return Ok(chain),
            Ok(_) => link.update_registry(chain.registry().clone()),
            Err(error) => {
                tracing::warn!(%party, %error, "what a validator says of the registry is not proven")
            }
        }
    }
}

fn question(chain: &Chain) -> Outgoing {
    Outgoing {
        body: Body::RegistryQuestion(RegistryQuestion { known: chain.governed() }),
        interval: Interval::default(),
        recipient: None,
        acknowledged_by: Vec::new(),
        tag: 0,
        valid_for_ms: QUESTION_VALID_MS,
    }
}
