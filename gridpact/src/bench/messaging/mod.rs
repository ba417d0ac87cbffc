//! Messaging as a whole: many sites that bid at once through a broker, held against bare MQTT clients that move the same
//! bytes through the same broker in turns; what the gate costs; how many clients come in how fast; what envelopes cost.

mod bare;
mod crowd;
mod field;
mod files;
mod gate;
mod letters;
mod links;
mod parts;
mod sealing;
mod socket;

use super::figure::{Figure, Target};
use super::stopwatch::milliseconds;
use super::BenchError;
pub use field::Kind;
pub use files::again_with;

use field::Broker;
use letters::Letters;
use parts::{Clock, Spent};
use std::io;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use thiserror::Error;

/// Rounds of sites and of bare clients that take turns; the first of each is not counted.
const ROUNDS: usize = 11;
/// Intervals after which a broker's memory is first looked at: by then queues and buffers have their size. The router's
/// rings for each client hold 200 messages and 100, of which an interval brings two: by 220 each place was written to.
const SETTLED: usize = 220;
/// Longest time for which its memory is watched from then on; the figure says over how many intervals it was.
const WATCHED: Duration = Duration::from_secs(120);

/// Why messaging could not be measured.
#[derive(Debug, Error)]
pub enum MessagingError {
    /// A broker's process does not run.
    #[error("{act} {broker}: {source}")]
    Broker {
        /// What was done.
        act: &'static str,
        /// Which broker.
        broker: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A broker ended, or does not listen.
    #[error("{broker} does not listen; its last words: {words}")]
    Silent {
        /// Which broker.
        broker: &'static str,
        /// What it said.
        words: String,
    },
    /// A link can't be made, or takes no message.
    #[error(transparent)]
    Link(#[from] broker::link::LinkError),
    /// A client takes no message.
    #[error("a bare client: {0}")]
    Bare(#[from] Box<rumqttc::ClientError>),
    /// A client's socket, which the source names.
    #[error("measuring {broker}: {source}")]
    Client {
        /// Which broker.
        broker: &'static str,
        /// Who, about what, and why it failed.
        source: io::Error,
    },
    /// A message can't be signed.
    #[error("signing a message: {0}")]
    Sign(#[from] wire::envelope::EnvelopeError),
    /// A bid that is no curve.
    #[error("a bid: {0}")]
    Curve(#[from] market::curve::CurveError),
    /// A name that is none.
    #[error(transparent)]
    Party(#[from] wire::party::PartyError),
    /// Counters can't be registered.
    #[error("registering counters: {0}")]
    Metrics(#[from] prometheus::Error),
    /// An embedded broker can't be started.
    #[error(transparent)]
    Embedded(#[from] broker::embedded::BrokerError),
    /// Something did not come in time.
    #[error("{what} did not come within {limit:?}")]
    Late {
        /// What.
        what: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A socket.
    #[error("{act}: {source}")]
    Socket {
        /// What was done.
        act: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Sites.
    pub sites: usize,
    /// Intervals over which memory is watched.
    pub intervals: usize,
    /// Clients that connect.
    pub clients: usize,
    /// Messages by which throughput is measured.
    pub messages: usize,
}

impl Size {
    /// What targets are stated for, with so many sites; or a tenth of it.
    pub fn of(sites: usize, quick: bool) -> Size {
        let part = if quick { 10 } else { 1 };
        let allowed = files::allowed().unwrap_or(usize::MAX);
        let sites = (sites / part).max(1);
        // Each is a client here, and two with its bare twin.
        Size {
            sites: sites.min(allowed.saturating_sub(200) / 2),
            intervals: 500 / part,
            clients: (5_000 / part).min(allowed.saturating_sub(200)),
            messages: 400_000 / part,
        }
    }

    /// Files it needs open at a time.
    pub fn files(sites: usize) -> usize {
        (2 * sites).max(5_000) + 500
    }
}

/// Brokers to be measured, as processes.
pub struct Bench {
    size: Size,
    runtime: tokio::runtime::Runtime,
    /// Removed when the processes are gone.
    folder: TempDir,
}

impl Bench {
    /// Nothing runs yet.
    ///
    /// # Errors
    /// Where there is no folder or no runtime.
    pub fn new(size: Size) -> Result<Bench, BenchError> {
        let folder = tempfile::tempdir().map_err(BenchError::Folder)?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(BenchError::Folder)?;
        Ok(Bench { size, runtime, folder })
    }

    /// Rounds through one kind of broker: none where it is not installed.
    ///
    /// # Errors
    /// As [`MessagingError`] says.
    pub fn rounds(&self, kind: Kind) -> Result<Vec<Figure>, BenchError> {
        let Some(broker) = Broker::start(kind, self.folder.path())? else { return Ok(Vec::new()) };
        Ok(self.runtime.block_on(rounds(&broker, self.size))?)
    }

    /// A broker's memory over many intervals: none where it is not installed, or the system doesn't say it.
    ///
    /// # Errors
    /// As [`MessagingError`] says.
    pub fn memory(&self, kind: Kind) -> Result<Vec<Figure>, BenchError> {
        let Some(broker) = Broker::start(kind, self.folder.path())? else { return Ok(Vec::new()) };
        Ok(self.runtime.block_on(memory(&broker, self.size))?.into_iter().collect())
    }

    /// What the gate costs beside rumqttd's own listener.
    ///
    /// # Errors
    /// As [`MessagingError`] says.
    pub fn gate(&self) -> Result<Vec<Figure>, BenchError> {
        Ok(gate::measure(self.size.messages)?)
    }

    /// How fast clients come in.
    ///
    /// # Errors
    /// As [`MessagingError`] says.
    pub fn crowd(&self) -> Result<Vec<Figure>, BenchError> {
        let Some(broker) = Broker::start(Kind::Embedded, self.folder.path())? else { return Ok(Vec::new()) };
        Ok(vec![crowd::measure(&broker, self.size.clients)?])
    }

    /// What envelopes cost beside bare signatures.
    ///
    /// # Errors
    /// Where a message can't be signed.
    pub fn sealing(&self) -> Result<Vec<Figure>, BenchError> {
        Ok(sealing::measure()?)
    }
}

async fn rounds(broker: &Broker, size: Size) -> Result<Vec<Figure>, MessagingError> {
    let letters = Letters::write(size.sites)?;
    let mut links = links::Market::connect(&broker.address, &letters).await?;
    let mut bare = bare::Market::connect(&broker.address, &letters).await?;
    let (mut by_links, mut by_bare) = (Vec::new(), Vec::new());
    let (mut spent_by_links, mut spent_by_bare) = <(Spent, Spent)>::default();
    let mut lost = 0;
    for _ in 0..ROUNDS {
        let before = Clock::read(broker.process());
        let round = links.round().await?;
        let between = Clock::read(broker.process());
        lost += round.lost;
        by_links.push(round.lasted);
        by_bare.push(bare.round().await?);
        spent_by_links.add(before, between);
        spent_by_bare.add(between, Clock::read(broker.process()));
    }
    let resent = links.resent();
    drop(links);
    let (links_ms, bare_ms) = (median_ms(&mut by_links), median_ms(&mut by_bare));
    let (sites, name) = (size.sites, broker.name());
    let again = bare.again();
    let (signing, checking) = parts::ed25519(&letters);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let alone_ms = milliseconds(signing + checking) / cores as f64;
    let round = Figure {
        name: format!("a round of {sites} sites through {name}"),
        measured: links_ms / bare_ms,
        unit: "x",
        target: Target::AtMost(1.5),
        detail: format!(
            "bids in, firm prices out, all answered: {links_ms:.0} ms signed and checked, {bare_ms:.0} ms by bare clients with \
             the same bytes; {resent} messages sent again, {again} by bare clients. Processor time of a round: {}; without \
             signatures {}. Of the former, {} signatures are {:.0} ms and as many checks {:.0} ms by bare Ed25519, which is \
             {alone_ms:.0} ms on {cores} cores: all sites are on this machine",
            spent_by_links.words(ROUNDS),
            spent_by_bare.words(ROUNDS),
            4 * sites,
            milliseconds(signing),
            milliseconds(checking),
        ),
    };
    let lost = Figure {
        name: format!("messages lost through {name}"),
        measured: lost as f64,
        unit: "messages",
        target: Target::AtMost(0.0),
        detail: format!("of {} bids and firm prices in {ROUNDS} rounds", 2 * sites * ROUNDS),
    };
    Ok(vec![round, lost])
}

/// A broker's memory over many intervals of bare clients; nothing where the system doesn't say it.
async fn memory(broker: &Broker, size: Size) -> Result<Option<Figure>, MessagingError> {
    let letters = Letters::write(size.sites)?;
    let mut bare = bare::Market::connect(&broker.address, &letters).await?;
    let settled = SETTLED.min(size.intervals / 2);
    for _ in 0..settled {
        bare.round().await?;
    }
    let before = broker.resident_mb();
    let (since, mut intervals) = (Instant::now(), settled);
    while intervals < size.intervals && since.elapsed() < WATCHED {
        bare.round().await?;
        intervals += 1;
    }
    let Some((before, after)) = before.zip(broker.resident_mb()) else { return Ok(None) };
    Ok(Some(Figure {
        name: format!("memory of {} over {intervals} intervals", broker.name()),
        measured: after / before,
        unit: "x",
        target: Target::AtMost(1.1),
        detail: format!("{before:.0} MB after {settled}, {after:.0} MB at the end, {} sites", size.sites),
    }))
}

fn median_ms(lasted: &mut Vec<Duration>) -> f64 {
    // The first made buffers and caches.
    lasted.remove(0);
    lasted.sort_unstable();
    lasted.get(lasted.len() / 2).copied().map_or(f64::NAN, milliseconds)
}
