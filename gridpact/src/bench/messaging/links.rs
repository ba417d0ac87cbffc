//! Sites and an aggregator by their links: everything signed, checked, repeated until answered, delivered once.

use super::letters::{bid, firm, key_of, Letters};
use super::MessagingError;
use broker::link::{Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use market::interval::Interval;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use wire::envelope::Signer;
use wire::message::{Body, Verdict};
use wire::party::{PartyId, Role};

/// Longest wait for all to be connected, and for a round's last message.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a message is repeated.
const VALID_MS: u64 = 120_000;
/// Messages that may wait at a site.
const SITE_QUEUE: usize = 64;

/// What happens at anyone's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happened {
    Connected,
    BidIn,
    BidAnswered,
    FirmIn,
    FirmAnswered,
    Expired,
}

/// A round.
pub struct Round {
    /// From the first bid sent to the last answer.
    pub lasted: Duration,
    /// Messages that expired unanswered.
    pub lost: usize,
}

/// Everyone's links.
pub struct Market {
    sites: Vec<(PartyId, Link)>,
    aggregator: (PartyId, Link),
    happened: mpsc::UnboundedReceiver<Happened>,
    resent: prometheus::Registry,
    bid: Body,
    firm: Body,
}

impl Market {
    /// Connects everyone.
    ///
    /// # Errors
    /// Where one does not get in.
    pub async fn connect(broker: &SocketAddr, letters: &Letters) -> Result<Market, MessagingError> {
        let counters = prometheus::Registry::new();
        let metrics = LinkMetrics::register(&counters)?;
        let (tell, mut happened) = mpsc::unbounded_channel();
        let connect = |party: &PartyId, queue: usize| -> Result<Link, MessagingError> {
            let signer = Signer::new(letters.network.clone(), party.clone(), key_of(party), 2);
            let (address, registry) = (vec![broker.to_string()], letters.registry.clone());
            let config =
                LinkConfig::with_one_connection(address, Vec::new(), Arc::new(signer), registry, queue);
            let (link, events) = Link::connect(config, metrics.clone())?;
            tokio::spawn(take_all(party.role, link.clone(), events, tell.clone()));
            Ok(link)
        };
        let aggregator = connect(&letters.aggregator, 4 * letters.sites.len().max(SITE_QUEUE))?;
        let mut sites = Vec::with_capacity(letters.sites.len());
        for (site, _) in &letters.sites {
            sites.push((site.clone(), connect(site, SITE_QUEUE)?));
        }
        let everyone = sites.len() + 1;
        wait(&mut happened, "connections", |so_far| so_far(Happened::Connected) >= everyone).await?;
        let (bid, firm) = (bid()?, firm());
        let aggregator = (letters.aggregator.clone(), aggregator);
        Ok(Market { sites, aggregator, happened, resent: counters, bid, firm })
    }

    /// Every site bids at once; when all bids are in, every firm price goes out.
    ///
    /// # Errors
    /// Where a link takes no message, or something does not come at all.
    pub async fn round(&mut self) -> Result<Round, MessagingError> {
        let count = self.sites.len();
        let started = Instant::now();
        for (_, link) in &self.sites {
            link.send(outgoing(&self.bid, &self.aggregator.0))?;
        }
        let mut seen = Seen::default();
        let bids_in = |seen: &Seen| seen.of(Happened::BidIn) + seen.of(Happened::Expired) >= count;
        seen.until(&mut self.happened, "all bids", bids_in).await?;
        for (site, _) in &self.sites {
            self.aggregator.1.send(outgoing(&self.firm, site))?;
        }
        let done = |seen: &Seen| {
            let ended =
                seen.of(Happened::BidAnswered) + seen.of(Happened::FirmAnswered) + seen.of(Happened::Expired);
            ended >= 2 * count
        };
        seen.until(&mut self.happened, "all answers", done).await?;
        Ok(Round { lasted: started.elapsed(), lost: seen.of(Happened::Expired) })
    }

    /// Messages that were sent again so far.
    pub fn resent(&self) -> u64 {
        let families = self.resent.gather();
        let family = families.iter().find(|family| family.name() == "gridpact_messages_resent_total");
        family.into_iter().flat_map(|it| it.get_metric()).map(|it| it.get_counter().get_value() as u64).sum()
    }
}

/// What happened in a round.
#[derive(Default)]
struct Seen(Vec<(Happened, usize)>);

impl Seen {
    fn of(&self, what: Happened) -> usize {
        self.0.iter().find(|(it, _)| *it == what).map_or(0, |(_, count)| *count)
    }

    fn add(&mut self, what: Happened) {
        match self.0.iter_mut().find(|(it, _)| *it == what) {
            Some((_, count)) => *count += 1,
            None => self.0.push((what, 1)),
        }
    }

    async fn until(
        &mut self,
        happened: &mut mpsc::UnboundedReceiver<Happened>,
        what: &str,
        done: impl Fn(&Seen) -> bool,
    ) -> Result<(), MessagingError> {
        let late = || MessagingError::Late { what: what.to_owned(), limit: LIMIT };
        while !done(self) {
            let next = tokio::time::timeout(LIMIT, happened.recv()).await.map_err(|_| late())?;
            self.add(next.ok_or_else(late)?);
        }
        Ok(())
    }
}

async fn wait(
    happened: &mut mpsc::UnboundedReceiver<Happened>,
    what: &str,
    done: impl Fn(&dyn Fn(Happened) -> usize) -> bool,
) -> Result<(), MessagingError> {
    Seen::default().until(happened, what, |seen| done(&|it| seen.of(it))).await
}

/// Accepts whatever comes, and tells of it.
async fn take_all(
    role: Role,
    link: Link,
    mut events: mpsc::Receiver<LinkEvent>,
    tell: mpsc::UnboundedSender<Happened>,
) {
    let site = role == Role::Site;
    while let Some(event) = events.recv().await {
        let happened = match event {
            LinkEvent::Connected => Happened::Connected,
            LinkEvent::Message(message) => {
                if let Err(error) = link.acknowledge(message.id, Verdict::Accepted) {
                    tracing::warn!(%error, "a measured message was not answered");
                }
                if site {
                    Happened::FirmIn
                } else {
                    Happened::BidIn
                }
            }
            LinkEvent::Answered { .. } if site => Happened::BidAnswered,
            LinkEvent::Answered { .. } => Happened::FirmAnswered,
            LinkEvent::Expired { .. } => Happened::Expired,
            LinkEvent::Claimed(_) | LinkEvent::Disconnected { .. } => continue,
        };
        // Nobody listens any more where the measurement is over.
        let _ = tell.send(happened);
    }
}

fn outgoing(body: &Body, to: &PartyId) -> Outgoing {
    Outgoing {
        body: body.clone(),
        interval: Interval::default(),
        recipient: Some(to.clone()),
        acknowledged_by: vec![to.clone()],
        tag: 0,
        valid_for_ms: VALID_MS,
    }
}
