//! The same round by bare MQTT clients with the same library and settings: nothing is signed, checked or remembered. What a broker
//! loses is sent again after a while, as links do, or a round would never end.

use super::letters::{Letters, SitesLetters};
use super::MessagingError;
use broker::link::client_options;
use rumqttc::{AsyncClient, Event, EventLoop, Packet, QoS};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::entry::SignedEnvelope;

/// Longest wait for all to be connected, and for a round's last message.
const LIMIT: Duration = Duration::from_secs(120);
/// Wait before what did not arrive is sent again.
const AGAIN: Duration = Duration::from_secs(2);
/// Publications under way without their PUBACK, as links have it.
const INFLIGHT: u16 = 100;

/// What came to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Came {
    Connected,
    Bid,
    BidAnswer,
    Firm,
    FirmAnswer,
}

/// Everyone's clients.
pub struct Market {
    sites: Vec<(AsyncClient, SitesLetters)>,
    aggregator: AsyncClient,
    /// What came, of which site.
    came: mpsc::UnboundedReceiver<(Came, usize)>,
    pumps: Vec<JoinHandle<()>>,
    again: usize,
}

impl Market {
    /// Connects everyone.
    ///
    /// # Errors
    /// Where one does not get in.
    pub async fn connect(broker: &SocketAddr, letters: &Letters) -> Result<Market, MessagingError> {
        let (tell, came) = mpsc::unbounded_channel();
        let mut market = Market {
            sites: Vec::new(),
            aggregator: client(broker, "bare", 1).0,
            came,
            pumps: Vec::new(),
            again: 0,
        };
        let count = letters.sites.len();
        let (aggregator, events) = client(broker, "bare-aggregator", 4 * count + 64);
        let numbers =
            letters.sites.iter().enumerate().map(|(number, (site, _))| (site.id.to_string(), number));
        let numbers: HashMap<String, usize> = numbers.collect();
        let filter = letters.bare.filter_addressed(&letters.aggregator);
        let kinds = [("bid", Came::Bid), ("ack", Came::FirmAnswer)];
        let who = move |topic: &str| {
            let mut levels = topic.split('/').skip(5);
            let number = numbers.get(levels.next()?)?;
            let kind = levels.next()?;
            kinds.iter().find(|(word, _)| *word == kind).map(|(_, came)| (*came, *number))
        };
        market.pumps.push(tokio::spawn(pump(aggregator.clone(), events, filter, 0, tell.clone(), who)));
        market.aggregator = aggregator;
        for (number, (site, own)) in letters.sites.iter().enumerate() {
            let (client, events) = client(broker, &format!("bare-{}", site.id), 64);
            let filter = letters.bare.filter_addressed(site);
            let who = move |topic: &str| {
                let kind = topic.split('/').nth(6)?;
                let came = if kind == "firm" { Came::Firm } else { Came::BidAnswer };
                Some((came, number))
            };
            market.pumps.push(tokio::spawn(pump(client.clone(), events, filter, number, tell.clone(), who)));
            market.sites.push((client, own.clone()));
        }
        let mut connected = 0;
        while connected <= count {
            let (came, _) = market.next(LIMIT).await.ok_or_else(|| late("bare connections"))?;
            connected += usize::from(came == Came::Connected);
        }
        Ok(market)
    }

    /// Every site bids at once; when all bids are in, every firm price goes out. Each is answered.
    ///
    /// # Errors
    /// Where something does not come at all.
    pub async fn round(&mut self) -> Result<Duration, MessagingError> {
        let count = self.sites.len();
        let (started, deadline) = (Instant::now(), Instant::now() + LIMIT);
        let mut in_place: HashMap<Came, Vec<bool>> =
            [Came::Bid, Came::BidAnswer, Came::Firm, Came::FirmAnswer]
                .map(|it| (it, vec![false; count]))
                .into();
        let all = |seen: &HashMap<Came, Vec<bool>>, of: Came| {
            seen.get(&of).is_some_and(|seen| seen.iter().all(|it| *it))
        };
        for (client, letters) in &self.sites {
            say(client, &letters.bid).await?;
        }
        let mut priced = false;
        loop {
            if !priced && all(&in_place, Came::Bid) {
                priced = true;
                for (_, letters) in &self.sites {
                    say(&self.aggregator, &letters.firm).await?;
                }
            }
            if priced && all(&in_place, Came::BidAnswer) && all(&in_place, Came::FirmAnswer) {
                return Ok(started.elapsed());
            }
            if Instant::now() >= deadline {
                return Err(late("a bare round"));
            }
            match self.next(AGAIN).await {
                Some((came, number)) => {
                    if let Some(seen) = in_place.get_mut(&came).and_then(|seen| seen.get_mut(number)) {
                        *seen = true;
                    }
                    let (client, letters) = &self.sites[number];
                    match came {
                        Came::Bid => say(&self.aggregator, &letters.bid_answer).await?,
                        Came::Firm => say(client, &letters.firm_answer).await?,
                        _ => {}
                    }
                }
                None => {
                    for (number, (client, letters)) in self.sites.iter().enumerate() {
                        let lacks = |of: Came| in_place.get(&of).is_some_and(|seen| !seen[number]);
                        if lacks(Came::BidAnswer) {
                            self.again += 1;
                            say(client, &letters.bid).await?;
                        }
                        if priced && lacks(Came::FirmAnswer) {
                            self.again += 1;
                            say(&self.aggregator, &letters.firm).await?;
                        }
                    }
                }
            }
        }
    }

    /// Messages that were sent again so far.
    pub fn again(&self) -> usize {
        self.again
    }

    async fn next(&mut self, limit: Duration) -> Option<(Came, usize)> {
        tokio::time::timeout(limit, self.came.recv()).await.ok().flatten()
    }
}

impl Drop for Market {
    fn drop(&mut self) {
        self.pumps.iter().for_each(JoinHandle::abort);
    }
}

fn client(broker: &SocketAddr, id: &str, requests: usize) -> (AsyncClient, EventLoop) {
    // An address of a socket is always one.
    let mut options = client_options(&broker.to_string(), None, id.to_owned())
        .unwrap_or_else(|| rumqttc::MqttOptions::new(id, broker.ip().to_string(), broker.port()));
    options.set_inflight(INFLIGHT);
    options.set_clean_session(true);
    let (client, mut events) = AsyncClient::new(options, requests);
    events.network_options.set_tcp_nodelay(true);
    (client, events)
}

async fn pump(
    client: AsyncClient,
    mut events: EventLoop,
    filter: String,
    number: usize,
    tell: mpsc::UnboundedSender<(Came, usize)>,
    who: impl Fn(&str) -> Option<(Came, usize)>,
) {
    loop {
        let told = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                if let Err(error) = client.try_subscribe(&filter, QoS::AtLeastOnce) {
                    tracing::warn!(%error, "a bare client can't subscribe");
                }
                None
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => Some((Came::Connected, number)),
            Ok(Event::Incoming(Packet::Publish(publish))) => who(&publish.topic),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "a bare client's connection is lost");
                tokio::time::sleep(Duration::from_millis(500)).await;
                None
            }
        };
        if told.is_some_and(|told| tell.send(told).is_err()) {
            return;
        }
    }
}

async fn say(client: &AsyncClient, letter: &SignedEnvelope) -> Result<(), MessagingError> {
    let said = client.publish(&letter.topic, QoS::AtLeastOnce, false, letter.bytes.to_vec()).await;
    said.map_err(|error| MessagingError::Bare(Box::new(error)))
}

fn late(what: &str) -> MessagingError {
    MessagingError::Late { what: what.to_owned(), limit: LIMIT }
}
