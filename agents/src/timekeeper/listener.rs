//! Listens to what parties say to one another: signatures are checked, nothing is answered. A link takes in
//! only what is for its own party, so the timekeeper, which nobody talks to, has this beside its link.

use super::core::{Overheard, TimekeeperReport};
use super::watch::OVERHEARD;
use crate::shell::Common;
use broker::link::{client_options, Identity};
use ledger::genesis::Genesis;
use prometheus::IntCounterVec;
use rumqttc::{AsyncClient, Event, Packet, Publish, QoS, SubscribeFilter};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use wire::envelope;
use wire::freshness;
use wire::party::Registry;
use wire::refusal::Refusal;

/// Wait after a lost connection.
const RETRY: Duration = Duration::from_millis(500);
/// Requests to the client: subscriptions alone.
const REQUESTS: usize = 16;

/// What it takes to listen.
pub(super) struct Listener {
    genesis: Arc<Genesis>,
    registry: Registry,
    addresses: Vec<String>,
    identity: Option<Identity>,
    client_id: String,
    dropped: IntCounterVec,
}

impl Listener {
    pub fn new(common: &Common) -> Self {
        let party = common.signer.party();
        Self {
            genesis: common.genesis.clone(),
            registry: common.genesis.registry(),
            addresses: common.broker_addresses.clone(),
            identity: common.identity.clone(),
            client_id: format!("{}-{}-ears-{:x}", party.role.word(), party.id, common.signer.boot()),
            dropped: common.metrics.overheard_dropped.clone(),
        }
    }

    /// Listens until nobody takes the reports.
    pub async fn run(self, reports: mpsc::Sender<TimekeeperReport>) {
        for address in self.addresses.iter().cycle() {
            if reports.is_closed() {
                return;
            }
            match self.session(address, &reports).await {
                Ok(()) => return,
                Err(reason) => tracing::warn!(address, reason, "the timekeeper's ears are not connected"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// One connection. Ends well where nobody takes the reports any more.
    async fn session(&self, address: &str, reports: &mpsc::Sender<TimekeeperReport>) -> Result<(), String> {
        let options = client_options(address, self.identity.as_ref(), self.client_id.clone());
        let mut options = options.ok_or("it is no address of a broker, or TLS has no certificate")?;
        options.set_clean_session(true);
        let (client, mut events) = AsyncClient::new(options, REQUESTS);
        loop {
            let event = tokio::select! {
                event = events.poll() => event.map_err(|error| error.to_string())?,
                () = reports.closed() => return Ok(()),
            };
            match event {
                Event::Incoming(Packet::ConnAck(_)) => {
                    client.try_subscribe_many(self.filters()).map_err(|error| error.to_string())?;
                }
                Event::Incoming(Packet::Publish(publish)) => match self.open(&publish) {
                    Ok(heard) => {
                        let report = TimekeeperReport::Overheard(Box::new(heard));
                        if reports.send(report).await.is_err() {
                            return Ok(());
                        }
                    }
                    Err(refusal) => self.dropped.with_label_values(&[refusal.word()]).inc(),
                },
                _ => {}
            }
        }
    }

    /// A message to one party has its recipient behind the kind.
    fn filters(&self) -> Vec<SubscribeFilter> {
        let filter = |role, kind| self.genesis.network.filter_broadcast(role, kind) + "/+";
        OVERHEARD
            .iter()
            .map(|(role, kind)| SubscribeFilter::new(filter(*role, kind), QoS::AtLeastOnce))
            .collect()
    }

    fn open(&self, publish: &Publish) -> Result<Overheard, Refusal> {
        let opened = envelope::open(&self.registry, &self.genesis.network, &publish.topic, &publish.payload)
            .map_err(|error| error.refusal())?;
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        freshness::check(now_ms, opened.issued_ms, opened.expires_ms).map_err(|error| error.refusal())?;
        Ok(Overheard { id: opened.id, interval: opened.interval, body: opened.body })
    }
}
