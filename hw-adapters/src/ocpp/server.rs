//! The central system: one listener for many charge points, each with a driver of its own.

use super::charger::OcppCharger;
use super::core::{Core, CoreConfig};
use super::door::{Door, Entry, Stations};
use super::driver::Driver;
use super::station::StationState;
use super::station_config::StationConfig;
use super::tls::{Renewed, TlsError, TlsFiles};
use crate::metrics::DeviceMetrics;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch, Mutex};
use tokio::task::JoinHandle;

/// Commands that may wait for a driver.
const COMMANDS_MAX: usize = 32;
/// How often charge points shall say that they are there, in seconds.
const HEARTBEAT_S: u32 = 60;
/// After how long without a sign of life, pings unanswered, a connection is dropped.
const IDLE_MS: u64 = 90_000;

/// A central system that can't be.
#[derive(Debug, Error)]
pub enum OcppError {
    /// The listener could not be bound.
    #[error("listening for charge points on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Certificates or key that can't be used.
    #[error("listening for charge points on {address}: {source}")]
    Tls {
        /// Where.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: TlsError,
    },
    /// A listener that another charge point shares, with other certificates.
    #[error("listening for charge points on {address}: another charge point's listener has other TLS files")]
    OtherTls {
        /// Where.
        address: SocketAddr,
    },
    /// A charge point's configuration that can't be.
    #[error("{device}: {what}")]
    Config {
        /// The device's name.
        device: String,
        /// What is wrong.
        what: String,
    },
}

/// A listener that charge points connect to. It listens as long as it, or a charger of it, lives.
#[derive(Clone)]
pub struct CentralSystem {
    inner: Arc<Inner>,
}

struct Inner {
    address: SocketAddr,
    tls: Option<TlsFiles>,
    stations: Stations,
    metrics: DeviceMetrics,
    accepting: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Listeners by address: charge points whose configuration names the same share one.
static SHARED: Mutex<BTreeMap<SocketAddr, Weak<Inner>>> = Mutex::const_new(BTreeMap::new());

impl CentralSystem {
    /// Listens on `address` in the open; port 0 takes a free one.
    ///
    /// # Errors
    /// Where the address can't be bound.
    pub async fn listen(address: SocketAddr, metrics: DeviceMetrics) -> Result<Self, OcppError> {
        Self::listen_with(address, None, metrics).await
    }

    /// Listens on `address`, under TLS where there are files for it; port 0 takes a free one.
    ///
    /// # Errors
    /// Where the files can't be used or the address can't be bound.
    pub async fn listen_with(
        address: SocketAddr,
        tls: Option<TlsFiles>,
        metrics: DeviceMetrics,
    ) -> Result<Self, OcppError> {
        let renewed = tls.clone().map(Renewed::new).transpose();
        let renewed = renewed.map_err(|source| OcppError::Tls { address, source })?;
        let listening = |source| OcppError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let stations = Stations::default();
        let mutual = tls.as_ref().is_some_and(|files| files.clients.is_some());
        let door = Door { stations: stations.clone(), tls: renewed, mutual, metrics: metrics.clone() };
        let accepting = tokio::spawn(door.accept(listener));
        Ok(Self { inner: Arc::new(Inner { address, tls, stations, metrics, accepting }) })
    }

    /// The listener on `address` that this process has already, or a new one.
    ///
    /// # Errors
    /// As [`CentralSystem::listen_with`], and where the one there is has other TLS files.
    pub async fn share(
        address: SocketAddr,
        tls: Option<TlsFiles>,
        metrics: DeviceMetrics,
    ) -> Result<Self, OcppError> {
        let mut listeners = SHARED.lock().await;
        match listeners.get(&address).and_then(Weak::upgrade) {
            Some(inner) if inner.tls == tls => Ok(Self { inner }),
            Some(_) => Err(OcppError::OtherTls { address }),
            None => {
                let system = Self::listen_with(address, tls, metrics).await?;
                listeners.retain(|_, listener| listener.strong_count() > 0);
                listeners.insert(system.inner.address, Arc::downgrade(&system.inner));
                Ok(system)
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// Serves one charge point from now on.
    ///
    /// # Errors
    /// A configuration that can't be, or an identity served already.
    pub fn charger(&self, config: StationConfig) -> Result<OcppCharger, OcppError> {
        config.check().map_err(|what| OcppError::Config { device: config.name.clone(), what })?;
        let mut stations = self.inner.stations.lock().unwrap_or_else(PoisonError::into_inner);
        if stations.get(&config.identity).is_some_and(|entry| entry.commands.strong_count() > 0) {
            let what = format!("identity {} is served already", config.identity);
            return Err(OcppError::Config { device: config.name, what });
        }
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (state, watched) = watch::channel(StationState::unknown());
        let core_config = CoreConfig {
            answer_within_ms: config.answer_within_ms,
            heartbeat_s: HEARTBEAT_S,
            idle_ms: IDLE_MS,
            bounds: config.bounds(),
        };
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let started = Instant::now();
        let driver = Driver {
            device: config.name.clone(),
            core: Core::new(core_config, i64::try_from(seed).unwrap_or(0)),
            commands: received,
            state,
            started,
            metrics: self.inner.metrics.clone(),
        };
        tokio::spawn(driver.run());
        let (name, password) = (config.name.clone(), config.password.clone());
        stations.insert(config.identity.clone(), Entry { name, password, commands: commands.downgrade() });
        Ok(OcppCharger::new(self.clone(), config, commands, watched, started))
    }
}
