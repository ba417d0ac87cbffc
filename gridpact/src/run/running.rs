//! Roles at work in this process: all of them started from their files, all of them stopped together.

use super::health::core::PATIENCE_MS;
use super::health::Health;
use super::interval_rows::RowsError;
use super::metrics_server;
use super::party::PartyOpenError;
use super::process::ProcessMetrics;
use super::start::{self, Hooks};
use super::wholesale_file::WholesaleFileError;
use crate::configuration::{self, ConfigurationError, RoleFile};
use actix::Arbiter;
use actix_web::dev::ServerHandle;
use agents::shell::RoleHandle;
use broker::embedded::{BrokerError, EmbeddedBroker};
use ledger::validator::ValidatorHandle;
use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use thiserror::Error;
use tokio::sync::mpsc;
use wire::party::PartyId;

/// A validator that stopped by itself, and what it said.
type Failure = (PartyId, String);

/// What runs, and what stops it.
pub struct Running {
    roles: Vec<RoleHandle>,
    validators: Vec<ValidatorHandle>,
    /// rumqttd has no way to stop, so a broker's handle is kept only to say where it is.
    brokers: Vec<EmbeddedBroker>,
    servers: Vec<(SocketAddr, ServerHandle)>,
    /// What serves ledgers.
    apis: Vec<ServerHandle>,
    arbiters: Vec<Arbiter>,
    /// Validators that stopped by themselves, with what they said.
    failures: (mpsc::UnboundedSender<Failure>, mpsc::UnboundedReceiver<Failure>),
    /// What the process shows of itself.
    pub metrics: ProcessMetrics,
    /// Whose heart beats.
    pub health: Health,
}

/// Why a role's file, or the process, could not be started.
#[derive(Debug, Error)]
pub enum RunError {
    /// A file is no configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A validator stopped by itself: its disk failed, or going on could have meant voting twice.
    #[error("{party} stopped by itself: {failure}")]
    Stopped {
        /// Which.
        party: PartyId,
        /// What it said.
        failure: String,
    },
    /// Ctrl-C and SIGTERM can't be waited for.
    #[error("waiting for Ctrl-C and SIGTERM: {0}")]
    Signal(io::Error),
    /// Metrics can't be registered.
    #[error("registering metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The metrics' address can't be had.
    #[error("serving metrics on {address}: {source}")]
    MetricsServer {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A role could not be started.
    #[error("{file}: {source}")]
    Role {
        /// Its file.
        file: PathBuf,
        /// Why.
        source: Box<RoleError>,
    },
}

/// Why a role could not be started.
#[derive(Debug, Error)]
pub enum RoleError {
    /// It can't be the party it says.
    #[error(transparent)]
    Party(#[from] PartyOpenError),
    /// Its prices can't be read.
    #[error("prices: {0}")]
    Prices(#[source] RowsError),
    /// Its measurements can't be read.
    #[error("observations: {0}")]
    Observations(#[source] RowsError),
    /// What is measured on a DSO's feeder can't be read.
    #[error("{0}")]
    Measured(#[source] RowsError),
    /// Its wholesale market can't be read.
    #[error("wholesale: {0}")]
    Wholesale(#[from] WholesaleFileError),
    /// A value that makes no sense.
    #[error("{key}: {reason}")]
    Value {
        /// The configuration's key.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The role refused to start.
    #[error(transparent)]
    Agent(#[from] agents::shell::StartError),
    /// The validator refused to start.
    #[error(transparent)]
    Validator(#[from] ledger::validator::StartError),
    /// The broker refused to start.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The ledger can't be served over HTTP.
    #[error("api.listen: serving the ledger on {address}: {source}")]
    Api {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The thread it should run on has ended.
    #[error("its thread has ended")]
    Thread,
}

/// Something started.
pub(super) enum Started {
    Role(RoleHandle),
    Validator(ValidatorHandle, Option<ServerHandle>),
    Broker(EmbeddedBroker),
}

impl Running {
    /// A process in which nothing runs yet. Needs a running actix system.
    ///
    /// # Errors
    /// Where metrics can't be registered.
    pub fn new() -> Result<Self, RunError> {
        let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
        let metrics = ProcessMetrics::new()?;
        let health = Health::new(&metrics.registry, PATIENCE_MS)?;
        health.watch_roles(&metrics.agents);
        Ok(Self {
            roles: Vec::new(),
            validators: Vec::new(),
            brokers: Vec::new(),
            servers: Vec::new(),
            apis: Vec::new(),
            arbiters: (0..threads).map(|_| Arbiter::new()).collect(),
            failures: mpsc::unbounded_channel(),
            metrics,
            health,
        })
    }

    /// Starts every file's role, brokers and validators first, the timekeeper last. All files are read
    /// before anything is started.
    ///
    /// # Errors
    /// The first thing that can't be, naming file and key.
    pub async fn start(&mut self, files: &[PathBuf], hooks: &Hooks) -> Result<(), RunError> {
        let files = configuration::machine::expanded(files)?;
        let mut read: Vec<(PathBuf, RoleFile)> = Vec::with_capacity(files.len());
        for file in &files {
            read.push((file.clone(), configuration::load(file)?));
        }
        read.sort_by_key(|(_, role)| order(role));
        read.iter().for_each(|(_, role)| self.metrics.machine.watch(role));
        self.serve_metrics(&read)?;
        for (file, role) in read {
            let arbiter = &self.arbiters[self.len() % self.arbiters.len()];
            self.health.keeps(role.party().map(|(_, keys)| keys.data_dir.clone()));
            let started = start::role(role, hooks, &self.metrics, arbiter).await;
            match started.map_err(|source| RunError::Role { file, source: Box::new(source) })? {
                Started::Role(handle) => {
                    self.health.expect(&handle.party().to_string(), None);
                    self.roles.push(handle);
                }
                Started::Validator(handle, api) => {
                    let (who, beats) = (handle.party().to_string(), handle.beats());
                    let named = who.clone();
                    self.health.expect(&who, Some(Box::new(move || vec![(named.clone(), beats.get())])));
                    self.watch(&handle);
                    self.validators.push(handle);
                    self.apis.extend(api);
                }
                Started::Broker(handle) => {
                    let (who, broker) = (format!("broker at {}", handle.address()), handle.clone());
                    let named = who.clone();
                    self.health.expect(&who, Some(Box::new(move || vec![(named.clone(), broker.beats())])));
                    self.brokers.push(handle);
                }
            }
        }
        Ok(())
    }

    fn watch(&self, validator: &ValidatorHandle) {
        let (party, failed, failures) =
            (validator.party().clone(), validator.failed(), self.failures.0.clone());
        actix::spawn(async move {
            if let Some(failure) = failed.await {
                // Nobody listens any more where everything stops.
                let _ = failures.send((party, failure));
            }
        });
    }

    /// Waits for the first validator that stops by itself, for ever where none does.
    pub async fn failure(&mut self) -> RunError {
        match self.failures.1.recv().await {
            Some((party, failure)) => RunError::Stopped { party, failure },
            // A sender is held here, so there is always one.
            None => std::future::pending().await,
        }
    }

    /// One server for each address any file names.
    fn serve_metrics(&mut self, files: &[(PathBuf, RoleFile)]) -> Result<(), RunError> {
        let addresses: BTreeSet<SocketAddr> =
            files.iter().filter_map(|(_, role)| role.process().metrics_listen).collect();
        for address in addresses {
            let wrong = |source| RunError::MetricsServer { address, source };
            let listener = TcpListener::bind(address).map_err(wrong)?;
            let bound = listener.local_addr().map_err(wrong)?;
            let (registry, health) = (self.metrics.registry.clone(), self.health.clone());
            let server = metrics_server::server(listener, registry, health).map_err(wrong)?;
            self.servers.push((bound, server.handle()));
            actix::spawn(server);
            tracing::info!(url = %format!("http://{bound}/metrics"), "metrics are served");
        }
        Ok(())
    }

    /// Where /metrics is served.
    pub fn metrics_addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.servers.iter().map(|(address, _)| *address)
    }

    /// Height of the last block any validator here has decided.
    pub fn height(&self) -> u64 {
        self.validators.iter().map(|validator| *validator.height().borrow()).max().unwrap_or(0)
    }

    /// A validator here, by its party.
    pub fn validator(&self, party: &PartyId) -> Option<&ValidatorHandle> {
        self.validators.iter().find(|validator| validator.party() == party)
    }

    /// How many roles run.
    pub fn len(&self) -> usize {
        self.roles.len() + self.validators.len() + self.brokers.len()
    }

    /// Whether nothing runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stops every role and waits until each has ended, validators last, so that what roles submitted
    /// before they stopped still has somewhere to go. Embedded brokers end with the process.
    pub async fn stop(self) {
        for role in &self.roles {
            if let Err(busy) = role.stop() {
                tracing::warn!(%busy, "a role does not stop");
            }
        }
        for role in self.roles {
            role.ended().await;
        }
        for api in self.apis {
            api.stop(false).await;
        }
        for validator in &self.validators {
            validator.stop();
        }
        for validator in self.validators {
            let party = validator.party().clone();
            if let Some(failure) = validator.ended().await {
                tracing::error!(%party, failure, "the validator had stopped by itself");
            }
        }
        for (_, server) in self.servers {
            server.stop(false).await;
        }
        for arbiter in self.arbiters {
            arbiter.stop();
        }
    }
}

/// Brokers, then validators, then everyone else, and the timekeeper when all are there.
fn order(role: &RoleFile) -> u8 {
    match role {
        RoleFile::Broker(_) => 0,
        RoleFile::Validator(_) => 1,
        RoleFile::Timekeeper(_) => 3,
        _ => 2,
    }
}
