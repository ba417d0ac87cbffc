//! An appliance on a broker: announced, with a last will, saying its state, obeying, and misbehaving as its seed has it.

use super::appliance::Appliance;
use super::mischief::{Fault, Mischief, Said};
use rumqttc::{AsyncClient, ClientError, Event, EventLoop, LastWill, MqttOptions, Packet, QoS};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use thiserror::Error;
use tokio::time::{interval, sleep, MissedTickBehavior};

const RETRY: Duration = Duration::from_millis(500);
const PACKET_MAX_BYTES: usize = 64 * 1024;
/// How long it is away when it reboots.
const REBOOT: Duration = Duration::from_secs(3);

/// Where an appliance is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeConfig {
    /// The broker's host.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// Its name: an identifier for Home Assistant, and the last level of what its topics begin with.
    pub name: String,
    /// Milliseconds between two states.
    pub every_ms: u64,
    /// Seconds that pass for it in one second.
    pub speed: u32,
}

/// An appliance that can't be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// A field that can't be.
    #[error("{0} is not what it must be")]
    Config(&'static str),
    /// The client's queue is full or closed.
    #[error("speaking to the broker: {0}")]
    Client(#[from] ClientError),
}

struct Served<'a> {
    appliance: &'a mut dyn Appliance,
    mischief: &'a mut Mischief,
    client: AsyncClient,
    base: String,
    config: &'a ServeConfig,
    before: BTreeMap<&'static str, String>,
}

/// Serves the appliance until this future is dropped. `said` is told what happens, for people.
///
/// # Errors
/// A configuration that can't be.
pub async fn serve(
    config: &ServeConfig,
    appliance: &mut dyn Appliance,
    mischief: &mut Mischief,
    mut said: impl FnMut(String),
) -> Result<(), ServeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if config.name.is_empty() || config.name.len() > 60 || !config.name.chars().all(plain) {
        return Err(ServeError::Config("name"));
    }
    if !(100..=3_600_000).contains(&config.every_ms) || config.speed == 0 || config.speed > 3_600 {
        return Err(ServeError::Config("every_ms or speed"));
    }
    let base = format!("gridpact-sim/{}", config.name);
    loop {
        let mut options = MqttOptions::new(format!("sim-{}", config.name), &config.host, config.port);
        options
            .set_keep_alive(Duration::from_secs(15))
            .set_clean_session(true)
            .set_last_will(LastWill::new(format!("{base}/status"), "offline", QoS::AtLeastOnce, true))
            .set_max_packet_size(PACKET_MAX_BYTES, PACKET_MAX_BYTES);
        let (client, mut events) = AsyncClient::new(options, 64);
        events.network_options.set_tcp_nodelay(true);
        let mut served =
            Served { appliance, mischief, client, base: base.clone(), config, before: BTreeMap::new() };
        served.until_reboot(&mut events, &mut said).await?;
        said("reboots".to_owned());
        served.appliance.reboots();
        drop(events);
        sleep(REBOOT).await;
    }
}

impl Served<'_> {
    async fn until_reboot(
        &mut self,
        events: &mut EventLoop,
        said: &mut impl FnMut(String),
    ) -> Result<(), ServeError> {
        let mut tick = interval(Duration::from_millis(self.config.every_ms));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connected = false;
        let mut left_ms = 0;
        loop {
            tokio::select! {
                event = events.poll() => match event {
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        connected = true;
                        said(format!("connected to {}:{}", self.config.host, self.config.port));
                        self.announce()?;
                        self.say()?;
                    }
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        let topic = publish.topic.strip_prefix(&self.base).unwrap_or_default().trim_start_matches('/');
                        said(self.obey(topic, &publish.payload));
                        self.say()?;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        if connected {
                            said(format!("lost its broker: {error}"));
                        }
                        connected = false;
                        events.clean();
                        events.pending.clear();
                        sleep(RETRY).await;
                    }
                },
                _ = tick.tick() => {
                    left_ms += self.config.every_ms * u64::from(self.config.speed);
                    self.appliance.step(u32::try_from(left_ms / 1_000).unwrap_or(u32::MAX));
                    left_ms %= 1_000;
                    if connected {
                        if self.mischief.does(Fault::Reboot) {
                            return Ok(());
                        }
                        self.say()?;
                    }
                }
            }
        }
    }

    fn announce(&self) -> Result<(), ServeError> {
        for command in self.appliance.commands() {
            self.client.try_subscribe(format!("{}/{command}", self.base), QoS::AtLeastOnce)?;
        }
        let name = &self.config.name;
        let device = json!({
            "ids": [name], "name": name, "mf": "gridpact", "mdl": format!("simulated {}", self.appliance.word()),
        });
        for (component, object, mut keys) in self.appliance.announces(&self.base) {
            keys["uniq_id"] = json!(format!("{name}_{object}"));
            keys["avty_t"] = json!(format!("{}/status", self.base));
            keys["dev"] = device.clone();
            let topic = format!("homeassistant/{component}/{name}/{object}/config");
            self.client.try_publish(topic, QoS::AtLeastOnce, true, keys.to_string())?;
        }
        self.client.try_publish(format!("{}/status", self.base), QoS::AtLeastOnce, true, "online")?;
        Ok(())
    }

    fn say(&mut self) -> Result<(), ServeError> {
        for (level, now) in self.appliance.says() {
            let said = self.mischief.says(now.clone(), self.before.get(level));
            self.before.insert(level, now);
            let topic = format!("{}/{level}", self.base);
            match said {
                Said::This(text, 0) => self.client.try_publish(topic, QoS::AtLeastOnce, false, text)?,
                Said::This(text, late_ms) => {
                    let client = self.client.clone();
                    tokio::spawn(async move {
                        sleep(Duration::from_millis(late_ms)).await;
                        // Fails where the device has rebooted meanwhile.
                        let _ = client.try_publish(topic, QoS::AtLeastOnce, false, text);
                    });
                }
                Said::Nothing => {}
            }
        }
        Ok(())
    }

    fn obey(&mut self, topic: &str, payload: &[u8]) -> String {
        let shown: String = String::from_utf8_lossy(payload).chars().take(80).collect();
        let lies = self.mischief.does(Fault::Lie) && self.appliance.pretends(topic, payload);
        let understood = lies || self.appliance.told(topic, payload);
        let what = match (lies, understood) {
            (true, _) => "pretends to obey",
            (false, true) => "obeys",
            (false, false) => "does not understand",
        };
        format!("{what} {topic}: {shown}")
    }
}
