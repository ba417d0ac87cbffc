//! The heat pump's connection to its broker: states out, commands in.

use super::message::{command, state};
use crate::fault::Fault;
use crate::physics::heat_pump::{Control, HeatPumpSim};
use market::units::Milliwatt;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, MissedTickBehavior};

/// How often the physics are looked at.
const POLL: Duration = Duration::from_millis(25);
/// Between attempts to reach the broker.
const RETRY: Duration = Duration::from_millis(500);
const PACKET_MAX_BYTES: usize = 4096;

/// A heat pump on a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttHeatPumpConfig {
    /// The broker's host.
    pub host: String,
    /// The broker's port.
    pub port: u16,
    /// What its topics begin with, without the slash before `state` and `set`.
    pub prefix: String,
    /// Its MQTT client identifier, `[a-z0-9-]`, at most 64.
    pub client_id: String,
    /// Between states where nothing changes in its power or steering, in milliseconds of real time.
    pub publish_every_ms: u64,
}

/// A heat pump that can't be: the named field is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("heat pump's {0} is not what it must be")]
pub struct MqttHeatPumpError(pub &'static str);

/// A heat pump that runs until it is dropped.
pub struct MqttHeatPump {
    fault: watch::Sender<Fault>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for MqttHeatPump {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl MqttHeatPump {
    /// Switches a heat pump on, in front of physics that somebody else steps. Must be called within
    /// a tokio runtime.
    ///
    /// # Errors
    /// A configuration that can't be, by the name of the first field.
    pub fn start(
        config: MqttHeatPumpConfig,
        sim: Arc<Mutex<HeatPumpSim>>,
    ) -> Result<Self, MqttHeatPumpError> {
        check(&config)?;
        let mut options = MqttOptions::new(config.client_id, config.host, config.port);
        options
            .set_keep_alive(Duration::from_secs(15))
            .set_clean_session(true)
            .set_max_packet_size(PACKET_MAX_BYTES, PACKET_MAX_BYTES);
        let (client, mut events) = AsyncClient::new(options, 16);
        // An answer to a command must not wait for the acknowledgement of something else.
        events.network_options.set_tcp_nodelay(true);
        let (fault, faults) = watch::channel(Fault::None);
        let (connected, connection) = watch::channel(false);
        let (heard, commands) = mpsc::channel(16);
        let ear = Ear {
            client: client.clone(),
            topic: format!("{}/set", config.prefix),
            faults: faults.clone(),
            connected,
            heard,
        };
        let mouth = Mouth {
            client,
            topic: format!("{}/state", config.prefix),
            sim,
            faults,
            connection,
            publish_every: Duration::from_millis(config.publish_every_ms),
            claimed: None,
        };
        Ok(Self { fault, tasks: [tokio::spawn(ear.run(events)), tokio::spawn(mouth.run(commands))] })
    }

    /// Lets it misbehave from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

/// Keeps the connection and hears commands.
struct Ear {
    client: AsyncClient,
    topic: String,
    faults: watch::Receiver<Fault>,
    connected: watch::Sender<bool>,
    heard: mpsc::Sender<Option<Milliwatt>>,
}

impl Ear {
    async fn run(mut self, mut events: EventLoop) {
        loop {
            if *self.faults.borrow_and_update() == Fault::Offline {
                self.drop_connection(&mut events);
                if self.faults.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let event = tokio::select! {
                event = events.poll() => event,
                _ = self.faults.changed() => continue,
            };
            match event {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    self.client.try_subscribe(&self.topic, QoS::AtLeastOnce).ok();
                    self.connected.send_replace(true);
                }
                Ok(Event::Incoming(Packet::Publish(publish))) if publish.topic == self.topic => {
                    match command(&publish.payload) {
                        // Commands beyond what it can queue are lost, as on a small device.
                        Some(power) => drop(self.heard.try_send(power)),
                        None => tracing::debug!(topic = self.topic, "command not understood"),
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(topic = self.topic, %error, "heat pump's broker");
                    self.drop_connection(&mut events);
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// States not sent yet are old by the time there is a connection again.
    fn drop_connection(&self, events: &mut EventLoop) {
        self.connected.send_replace(false);
        events.clean();
        events.pending.clear();
    }
}

/// Obeys commands and says how things stand.
struct Mouth {
    client: AsyncClient,
    topic: String,
    sim: Arc<Mutex<HeatPumpSim>>,
    faults: watch::Receiver<Fault>,
    connection: watch::Receiver<bool>,
    publish_every: Duration,
    /// What it says steers it where that isn't so.
    claimed: Option<Control>,
}

impl Mouth {
    async fn run(mut self, mut commands: mpsc::Receiver<Option<Milliwatt>>) {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said: Option<(Instant, Control, Milliwatt)> = None;
        loop {
            let told = tokio::select! {
                told = commands.recv() => match told {
                    Some(power) => self.obey(power).await,
                    None => return,
                },
                _ = poll.tick() => false,
            };
            if !*self.connection.borrow() || *self.faults.borrow() == Fault::Silent {
                said = None;
                continue;
            }
            let (control, power, text) = {
                let sim = self.sim();
                let control = self.claimed.unwrap_or_else(|| sim.control());
                (control, sim.power(), state(&sim, control))
            };
            let due = said.is_none_or(|(at, was, drew)| {
                told || (was, drew) != (control, power) || at.elapsed() >= self.publish_every
            });
            if due && self.client.try_publish(&self.topic, QoS::AtLeastOnce, false, text).is_ok() {
                said = Some((Instant::now(), control, power));
            }
        }
    }

    /// Does as it was told, as far as its fault lets it. True where an answer is due.
    async fn obey(&mut self, power: Option<Milliwatt>) -> bool {
        let fault = *self.faults.borrow();
        self.claimed = None;
        match fault {
            Fault::Refusing | Fault::Silent | Fault::Offline => return fault == Fault::Refusing,
            Fault::Disobeying => {
                self.claimed = Some(power.map_or(Control::Thermostat, Control::Setpoint));
                return true;
            }
            Fault::Late(ms) => sleep(Duration::from_millis(u64::from(ms))).await,
            Fault::None => {}
        }
        self.sim().set_power(power);
        true
    }

    fn sim(&self) -> MutexGuard<'_, HeatPumpSim> {
        self.sim.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(config: &MqttHeatPumpConfig) -> Result<(), MqttHeatPumpError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let named = !config.client_id.is_empty() && config.client_id.len() <= 64;
    if !named || !config.client_id.chars().all(plain) {
        return Err(MqttHeatPumpError("client_id"));
    }
    if config.prefix.is_empty() || config.prefix.len() > 128 || config.prefix.contains(['+', '#', '\0']) {
        return Err(MqttHeatPumpError("prefix"));
    }
    if config.publish_every_ms == 0 {
        return Err(MqttHeatPumpError("publish_every_ms"));
    }
    Ok(())
}
