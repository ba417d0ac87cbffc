//! A heat pump as the site controller sees it: the [`HeatPump`] trait over two MQTT topics.

use super::message::{command, report, Report, STATE_MAX_BYTES};
use crate::device::{DeviceError, HeatPump, HeatPumpState};
use crate::metrics::DeviceMetrics;
use futures::future::BoxFuture;
use futures::FutureExt;
use market::units::Milliwatt;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Between attempts to reach the broker: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(16);
/// What the device rounds a setpoint by, at most.
const SETPOINT_TOLERANCE: Milliwatt = Milliwatt(1000);

/// A heat pump on a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttHeatPumpConfig {
    /// The device's name in errors and metrics.
    pub name: String,
    /// The broker as `host:port`.
    pub broker: String,
    /// What its topics begin with, without the slash before `state` and `set`.
    pub prefix: String,
    /// A state older than so many milliseconds is no state.
    pub stale_after_ms: u64,
    /// A command not reflected in its state within so many milliseconds has failed.
    pub answer_within_ms: u64,
}

/// A configuration that can't be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{device}: {what}")]
pub struct MqttError {
    /// The device's name.
    pub device: String,
    /// What is wrong.
    pub what: String,
}

#[derive(Clone, Debug, Default)]
struct Feed {
    connected: bool,
    count: u64,
    last: Option<(Report, Instant)>,
}

/// A heat pump reached through a broker. It reconnects by itself as long as it lives.
pub struct MqttHeatPump {
    config: MqttHeatPumpConfig,
    client: AsyncClient,
    feed: watch::Receiver<Feed>,
    following: JoinHandle<()>,
}

impl Drop for MqttHeatPump {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl MqttHeatPump {
    /// Begins to follow the heat pump's state; whether its broker can be reached shows in reading.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A configuration that can't be.
    pub fn new(config: MqttHeatPumpConfig, metrics: DeviceMetrics) -> Result<Self, MqttError> {
        let (host, port) = check(&config).map_err(|what| MqttError { device: config.name.clone(), what })?;
        let mut options = MqttOptions::new(client_id(&config.prefix), host, port);
        // Twice the bound, so that a state just beyond it is counted and the connection kept.
        options
            .set_keep_alive(Duration::from_secs(15))
            .set_clean_session(true)
            .set_max_packet_size(2 * STATE_MAX_BYTES, STATE_MAX_BYTES);
        let (client, mut events) = AsyncClient::new(options, 16);
        // A command must not wait for the acknowledgement of something else.
        events.network_options.set_tcp_nodelay(true);
        let (sender, feed) = watch::channel(Feed::default());
        let follower = Follower {
            device: config.name.clone(),
            topic: format!("{}/state", config.prefix),
            client: client.clone(),
            feed: sender,
            metrics,
        };
        Ok(Self { config, client, feed, following: tokio::spawn(follower.run(events)) })
    }

    fn silent(&self, act: &'static str, reason: &str) -> DeviceError {
        DeviceError::Silent { device: self.config.name.clone(), act, reason: reason.to_owned() }
    }

    fn fresh(&self, act: &'static str) -> Result<Report, DeviceError> {
        let feed = self.feed.borrow();
        if !feed.connected {
            return Err(self.silent(act, "the broker is not connected"));
        }
        let stale_after = Duration::from_millis(self.config.stale_after_ms);
        match feed.last {
            Some((report, at)) if at.elapsed() <= stale_after => Ok(report),
            Some((_, at)) => Err(self.silent(act, &format!("its last state is {:?} old", at.elapsed()))),
            None => Err(self.silent(act, "it has published no state yet")),
        }
    }

    async fn read_state(&mut self) -> Result<HeatPumpState, DeviceError> {
        let act = "reading the state";
        if self.feed.borrow().last.is_none() {
            // Just begun: the first state may be on its way.
            let within = Duration::from_millis(self.config.answer_within_ms);
            timeout(within, self.feed.wait_for(|feed| feed.last.is_some())).await.ok();
        }
        self.fresh(act).map(|report| report.state)
    }

    async fn write_power(&mut self, power: Option<Milliwatt>) -> Result<Option<Milliwatt>, DeviceError> {
        let act = "setting the power";
        let power_max = self.fresh(act)?.state.power_max;
        let asked = power.map(|power| power.clamp(Milliwatt::ZERO, power_max));
        let before = self.feed.borrow().count;
        let topic = format!("{}/set", self.config.prefix);
        self.client
            .try_publish(topic, QoS::AtLeastOnce, false, command(asked))
            .map_err(|e| self.silent(act, &e.to_string()))?;
        let held = |feed: &Feed| match feed.last {
            Some((report, _)) if feed.count > before => Some(report.held),
            _ => None,
        };
        let obeyed = |feed: &Feed| held(feed).is_some_and(|held| same(held, asked));
        let within = Duration::from_millis(self.config.answer_within_ms);
        let answered = timeout(within, self.feed.wait_for(obeyed)).await.is_ok_and(|feed| feed.is_ok());
        let last = held(&self.feed.borrow());
        match last {
            Some(held) if answered => Ok(held),
            Some(held) => Err(DeviceError::Disobeyed {
                device: self.config.name.clone(),
                what: "power setpoint",
                written: said(asked),
                read: said(held),
            }),
            None => Err(self.silent(act, "no state followed the command")),
        }
    }
}

impl HeatPump for MqttHeatPump {
    fn read(&mut self) -> BoxFuture<'_, Result<HeatPumpState, DeviceError>> {
        self.read_state().boxed()
    }

    fn set_power(
        &mut self,
        power: Option<Milliwatt>,
    ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>> {
        self.write_power(power).boxed()
    }
}

fn same(held: Option<Milliwatt>, asked: Option<Milliwatt>) -> bool {
    match (held, asked) {
        (None, None) => true,
        (Some(held), Some(asked)) => (held.0 - asked.0).abs() <= SETPOINT_TOLERANCE.0,
        _ => false,
    }
}

fn said(power: Option<Milliwatt>) -> String {
    power.map_or_else(|| "auto".to_owned(), |power| power.to_string())
}

struct Follower {
    device: String,
    topic: String,
    client: AsyncClient,
    feed: watch::Sender<Feed>,
    metrics: DeviceMetrics,
}

impl Follower {
    async fn run(self, mut events: EventLoop) {
        let mut retry = RETRY_FIRST;
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    retry = RETRY_FIRST;
                    self.client.try_subscribe(&self.topic, QoS::AtLeastOnce).ok();
                    self.feed.send_modify(|feed| feed.connected = true);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => self.take(&publish),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(device = self.device, %error, "heat pump's broker");
                    self.feed.send_modify(|feed| feed.connected = false);
                    // A command that was under way has failed by now; sent after the connection
                    // is back, it would steer the heat pump by a price long past.
                    events.clean();
                    events.pending.clear();
                    sleep(retry).await;
                    retry = (retry * 2).min(RETRY_LAST);
                }
            }
        }
    }

    fn take(&self, publish: &Publish) {
        if publish.retain || publish.topic != self.topic {
            let reason = if publish.retain { "retained" } else { "wrong_topic" };
            self.metrics.count_refused(&self.device, reason);
            return;
        }
        match report(&publish.payload) {
            Ok(report) => self.feed.send_modify(|feed| {
                feed.count += 1;
                feed.last = Some((report, Instant::now()));
            }),
            Err(error) => {
                tracing::debug!(device = self.device, %error, "heat pump's state");
                self.metrics.count_refused(&self.device, error.reason());
            }
        }
    }
}

fn check(config: &MqttHeatPumpConfig) -> Result<(String, u16), String> {
    let prefix = &config.prefix;
    let usable = !prefix.is_empty() && prefix.len() <= 128 && !prefix.starts_with('$');
    if !usable || prefix.ends_with('/') || prefix.contains(|c: char| "+#".contains(c) || c.is_control()) {
        return Err(format!("prefix {prefix:?} is no topic of at most 128 bytes without wildcards"));
    }
    if config.stale_after_ms == 0 || !(100..=60_000).contains(&config.answer_within_ms) {
        return Err("stale_after_ms must be positive, answer_within_ms 100 to 60000".to_owned());
    }
    let broker = config.broker.rsplit_once(':');
    let (host, port) = broker.ok_or_else(|| format!("broker {:?} is not host:port", config.broker))?;
    let port = port.parse().map_err(|_| format!("broker {:?} has no port", config.broker))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(format!("broker {:?} has no host", config.broker));
    }
    Ok((host.to_owned(), port))
}

/// One per device on a broker: two controllers of one heat pump throw each other out, visibly.
fn client_id(prefix: &str) -> String {
    let mut hasher = DefaultHasher::new();
    prefix.hash(&mut hasher);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let readable: String = prefix.chars().map(plain).take(40).collect();
    format!("gridpact-{readable}-{:08x}", hasher.finish() & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_config(broker: &str, prefix: &str, expected: Result<(&str, u16), ()>) {
        let config = MqttHeatPumpConfig {
            name: "heat pump".into(),
            broker: broker.into(),
            prefix: prefix.into(),
            stale_after_ms: 1000,
            answer_within_ms: 1000,
        };
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(check(&config).map_err(|_| ()), expected, "{broker} {prefix}");
    }

    #[test]
    fn a_configuration_that_cannot_be_is_refused() {
        check_config("localhost:1883", "home/heat-pump", Ok(("localhost", 1883)));
        check_config("[::1]:1883", "hp", Ok(("::1", 1883)));
        for (broker, prefix) in [
            ("localhost", "hp"),
            (":1883", "hp"),
            ("h:99999", "hp"),
            ("h:1", ""),
            ("h:1", "a/#"),
            ("h:1", "a/"),
            ("h:1", "$SYS"),
        ] {
            check_config(broker, prefix, Err(()));
        }
    }

    #[test]
    fn client_ids_are_plain_and_differ() {
        let (one, other) = (client_id("House 1/Hp"), client_id("house-1-hp"));
        assert_ne!(one, other);
        assert!(one.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{one}");
    }
}
