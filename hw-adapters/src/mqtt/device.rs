//! A device on a broker as the site controller sees it: a meter, a plug or a heat pump.

use super::core::{Kept, MqttCore, Order, Outcome};
use super::link::{address, client_id, connect};
use super::login::{BrokerLogin, LoginError};
use super::points::Lack;
use super::profile::{Overrides, Profile, ProfileError};
use super::state::State;
use super::task::{Ask, Failure, Task};
use crate::device::{
    Aged, DeviceError, GiveBack, HeatPump, HeatPumpState, Meter, MeterState, Plug, PlugState,
};
use crate::kept;
use crate::metrics::DeviceMetrics;
use crate::template::{DeviceKind, Template};
use futures::future::BoxFuture;
use futures::FutureExt;
use market::units::Milliwatt;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

const READ: &str = "reading the state";
const SET: &str = "writing a setpoint";
/// Requests waiting for one device.
const ASKS: usize = 4;

/// A device that can't be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MqttError {
    /// The broker's address is none.
    #[error("{device}: {reason}")]
    Broker {
        /// The device's name.
        device: String,
        /// What is wrong.
        reason: String,
    },
    /// What we show the broker can't be used.
    #[error("{device}: the broker's login: {source}")]
    Login {
        /// The device's name.
        device: String,
        /// What is wrong.
        source: LoginError,
    },
    /// How it was found before a crash can't be read.
    #[error("{device}: {file}: {reason}")]
    Kept {
        /// The device's name.
        device: String,
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// Template and site's configuration don't go together.
    #[error("{device}: {source}")]
    Profile {
        /// The device's name.
        device: String,
        /// What is wrong.
        source: ProfileError,
    },
}

/// Where a device's broker is, who we are to it, and where it is kept how the device was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The broker's `host:port`.
    pub broker: String,
    /// Who we are to it.
    pub login: BrokerLogin,
    /// File for the device's state as it was found before the first command; none keeps it in memory alone.
    pub kept_in: Option<PathBuf>,
}

impl From<&str> for Reach {
    /// A plain connection, and nothing kept over a crash.
    fn from(broker: &str) -> Self {
        Self { broker: broker.to_owned(), ..Self::default() }
    }
}

/// A device reached through a broker. It reconnects by itself as long as it lives.
pub struct MqttDevice {
    name: String,
    asks: mpsc::Sender<Ask>,
    kind: DeviceKind,
    age: Duration,
    /// Whether an order of ours stands.
    ours: bool,
}

impl MqttDevice {
    /// Begins to follow the device; whether its broker can be reached shows in reading. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// A configuration that can't be.
    pub fn new(
        name: String,
        reach: impl Into<Reach>,
        (template, site): (&Template, &Overrides),
        metrics: DeviceMetrics,
    ) -> Result<Self, MqttError> {
        let device = || name.clone();
        let Reach { broker, login, kept_in } = reach.into();
        let broker = address(&broker).map_err(|reason| MqttError::Broker { device: device(), reason })?;
        let access = login.access().map_err(|source| MqttError::Login { device: device(), source })?;
        let profile = Profile::resolve(template, site)
            .map_err(|source| MqttError::Profile { device: device(), source })?;
        let unread = |file: &PathBuf, error: std::io::Error| MqttError::Kept {
            device: device(),
            file: file.display().to_string(),
            reason: error.to_string(),
        };
        let kept = kept_in.as_ref().map(|file| kept::read::<Kept>(file).map_err(|e| unread(file, e)));
        let core = match kept.transpose()?.flatten() {
            Some(kept) => MqttCore::new(profile).restoring(kept),
            None => MqttCore::new(profile),
        };
        let settings: Vec<&str> = site.settings.values().map(String::as_str).collect();
        let (client, heard) = connect(client_id(&format!("{name}/{}", settings.join("/"))), broker, &access);
        let (asks, asks_out) = mpsc::channel(ASKS);
        let kind = core.device();
        let task = Task { name: name.clone(), core, client, metrics, started: Instant::now(), kept_in };
        tokio::spawn(task.run(asks_out, heard));
        Ok(Self { name, asks, kind, age: Duration::ZERO, ours: false })
    }

    /// What it is.
    pub fn kind(&self) -> DeviceKind {
        self.kind
    }

    async fn read_state(&mut self) -> Result<State, DeviceError> {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.try_send(Ask::Read(reply));
        asked.map_err(|e| self.silent(READ, e.to_string()))?;
        let answer = answer.await.map_err(|e| self.silent(READ, e.to_string()))?;
        let (state, age_ms) = answer.map_err(|lack| self.lacking(READ, &lack))?;
        self.age = Duration::from_millis(age_ms);
        Ok(state)
    }

    async fn order(&mut self, order: Order) -> Result<(), DeviceError> {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.try_send(Ask::Order(order, reply));
        asked.map_err(|e| self.silent(SET, e.to_string()))?;
        // Also where it is not seen to obey: what it does with it is not known then.
        self.ours = true;
        match answer.await.map_err(|e| self.silent(SET, e.to_string()))? {
            Ok(Outcome::Obeyed) => {
                self.ours = !matches!(order, Order::Switch(None) | Order::Power(None));
                Ok(())
            }
            Ok(Outcome::Disobeyed { point, asked, said }) => Err(DeviceError::Disobeyed {
                device: self.name.clone(),
                what: point,
                written: asked,
                read: said,
            }),
            Ok(Outcome::Silent) => Err(self.silent(SET, "no state followed the command".to_owned())),
            Err(Failure::Lack(lack)) => Err(self.lacking(SET, &lack)),
            Err(Failure::Link(reason)) => Err(self.silent(SET, reason)),
        }
    }

    fn silent(&self, act: &'static str, reason: String) -> DeviceError {
        DeviceError::Silent { device: self.name.clone(), act, reason }
    }

    fn lacking(&self, act: &'static str, lack: &Lack) -> DeviceError {
        let (device, reason) = (self.name.clone(), lack.to_string());
        match lack {
            Lack::Refused(_) | Lack::Announced(_) => DeviceError::BadAnswer { device, act, reason },
            Lack::Frozen { same_ms, .. } => DeviceError::Stale { device, act, age_ms: *same_ms, reason },
            Lack::NoBroker | Lack::Offline | Lack::Unsaid(_) | Lack::Stale { .. } => {
                DeviceError::Silent { device, act, reason }
            }
        }
    }

    fn other_kind(&self, act: &'static str) -> DeviceError {
        let reason = format!("it is a {}", self.kind.word());
        DeviceError::Refused { device: self.name.clone(), act, reason }
    }

    async fn read_heat_pump(&mut self) -> Result<HeatPumpState, DeviceError> {
        match self.read_state().await? {
            State::HeatPump(state) => Ok(state),
            _ => Err(self.other_kind(READ)),
        }
    }

    async fn set_heat_pump(&mut self, power: Option<Milliwatt>) -> Result<Option<Milliwatt>, DeviceError> {
        let power_max = self.read_heat_pump().await?.power_max;
        let asked = power.map(|power| power.clamp(Milliwatt::ZERO, power_max));
        self.order(Order::Power(asked)).await?;
        Ok(asked)
    }
}

impl GiveBack for MqttDevice {
    fn give_back(&mut self) -> BoxFuture<'_, Result<(), DeviceError>> {
        async {
            match self.kind {
                _ if !self.ours => Ok(()),
                DeviceKind::Plug => self.order(Order::Switch(None)).await,
                _ => self.order(Order::Power(None)).await,
            }
        }
        .boxed()
    }
}

impl Aged for MqttDevice {
    fn age(&self) -> Duration {
        self.age
    }
}

impl Meter for MqttDevice {
    fn read(&mut self) -> BoxFuture<'_, Result<MeterState, DeviceError>> {
        async {
            match self.read_state().await? {
                State::Meter(state) => Ok(state),
                _ => Err(self.other_kind(READ)),
            }
        }
        .boxed()
    }
}

impl Plug for MqttDevice {
    fn read(&mut self) -> BoxFuture<'_, Result<PlugState, DeviceError>> {
        async {
            match self.read_state().await? {
                State::Plug(state) => Ok(state),
                _ => Err(self.other_kind(READ)),
            }
        }
        .boxed()
    }

    fn switch(&mut self, on: Option<bool>) -> BoxFuture<'_, Result<bool, DeviceError>> {
        async move {
            self.order(Order::Switch(on)).await?;
            match on {
                Some(on) => Ok(on),
                None => Plug::read(self).await.map(|state| state.on),
            }
        }
        .boxed()
    }
}

impl HeatPump for MqttDevice {
    fn read(&mut self) -> BoxFuture<'_, Result<HeatPumpState, DeviceError>> {
        self.read_heat_pump().boxed()
    }

    fn set_power(
        &mut self,
        power: Option<Milliwatt>,
    ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>> {
        self.set_heat_pump(power).boxed()
    }
}
