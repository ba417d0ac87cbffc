//! Starting and stopping a validator. It runs on a thread of its own, so that its syncs and
//! signature checks make nobody else wait.

use super::actor::{Stop, ValidatorActor};
use super::core::{Me, ValidatorCore};
use super::mesh::Brokers;
use super::metrics::ValidatorMetrics;
use super::reading::{Blocks, Read};
use super::window::HeightWindow;
use super::Timeouts;
use crate::consensus::core::Tendermint;
use crate::consensus::message::Record;
use crate::contracts::rules::{Rules, RulesError};
use crate::genesis::Genesis;
use crate::query::View;
use crate::store::frames::FrameError;
use crate::store::wal::Wal;
use crate::store::{Chain, Store, StoreError, StoreOptions};
use actix::{Actor, Arbiter, Recipient};
use broker::link::{Identity, Link, LinkConfig, LinkError, LinkEvent};
use broker::metrics::LinkMetrics;
use broker::rate::Rate;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{mpsc, Arc, OnceLock};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use wire::cbor::CborError;
use wire::entry::SignedEnvelope;
use wire::envelope::{KeyChange, Signer};
use wire::party::{Id, PartyId, Role};

/// Messages that may wait for the network, and of each connection for the validator.
const LINK_QUEUE: usize = 4_096;
/// What another validator may say by each connection: some hundred heights a second, or thirty megabytes.
const VALIDATOR_RATE: Rate = Rate { per_second: 2_000, burst: 4_000 };
/// Blocks whose entries are remembered as decided after a restart.
const REMEMBERED_BLOCKS: u64 = 64;

/// What a validator is started with.
#[derive(Clone)]
pub struct ValidatorConfig {
    /// What the ledger starts from.
    pub genesis: Arc<Genesis>,
    /// Which validator this is, and its key.
    pub signer: Arc<Signer>,
    /// Brokers it speaks on and listens to.
    pub brokers: Brokers,
    /// Who it is towards brokers that speak TLS; none where none does.
    pub identity: Option<Identity>,
    /// Folder of its data; made where it doesn't exist.
    pub data_dir: PathBuf,
    /// Where its metrics are registered.
    pub registry: prometheus::Registry,
    /// The links' counters.
    pub link_metrics: LinkMetrics,
    /// How long it waits for what.
    pub timeouts: Timeouts,
    /// How much it keeps.
    pub store: StoreOptions,
}

/// Why a validator can't be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The signer signs for another role.
    #[error("starting a validator: {party} is none")]
    NoValidator {
        /// For whom the signer signs.
        party: PartyId,
    },
    /// The registry has another key, which the signer does not hold.
    #[error("starting a validator: the registry has another key for {party}, that of epoch {epoch}")]
    OtherKey {
        /// For whom the signer signs.
        party: PartyId,
        /// Epoch of the registry's key.
        epoch: u32,
    },
    /// The genesis makes no ledger.
    #[error("starting a validator: {0}")]
    Rules(#[from] RulesError),
    /// Its data can't be used.
    #[error("starting a validator: {0}")]
    Store(#[from] StoreError),
    /// Its write-ahead log can't be used.
    #[error("starting a validator: {0}")]
    Wal(#[from] FrameError),
    /// A record of its write-ahead log is none.
    #[error("starting a validator: record {index} of the write-ahead log: {source}")]
    Record {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: CborError,
    },
    /// Its metrics can't be registered.
    #[error("starting a validator: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Nothing says where another validator's broker is.
    #[error("starting a validator: the mesh has no broker of validator {validator}")]
    Mesh {
        /// Which validator.
        validator: Id,
    },
    /// Its link can't be made.
    #[error("starting a validator: {0}")]
    Link(#[from] LinkError),
    /// Its thread ended before it said anything.
    #[error("starting a validator: its thread ended")]
    Thread,
}

/// A validator that runs. Dropping the handle leaves it running.
#[derive(Debug)]
pub struct ValidatorHandle {
    party: PartyId,
    height: watch::Receiver<u64>,
    views: watch::Sender<View>,
    stop: Recipient<Stop>,
    reads: Recipient<Read>,
    beats: prometheus::IntCounter,
    failure: Arc<OnceLock<String>>,
    ended: oneshot::Receiver<()>,
}

impl ValidatorHandle {
    /// Who it is.
    pub fn party(&self) -> &PartyId {
        &self.party
    }

    /// Height of the last block it decided; changes can be waited for.
    pub fn height(&self) -> watch::Receiver<u64> {
        self.height.clone()
    }

    /// The chain after its last block. Kept up to date as long as somebody holds such a receiver.
    pub fn views(&self) -> watch::Receiver<View> {
        self.views.subscribe()
    }

    /// The blocks it keeps. Asking makes it read them between its other work.
    pub fn history(&self) -> Blocks {
        Blocks::new(self.reads.clone())
    }

    /// Waits until it has ended. Says why, where it stopped by itself.
    pub fn failed(&self) -> impl Future<Output = Option<String>> + 'static {
        let (mut height, failure) = (self.height.clone(), self.failure.clone());
        async move {
            // The actor holds the sender, and with it this ends.
            while height.changed().await.is_ok() {}
            failure.get().cloned()
        }
    }

    /// Counts its turns: one a second at least, as long as it does turn.
    pub fn beats(&self) -> prometheus::IntCounter {
        self.beats.clone()
    }

    /// Asks it to stop.
    pub fn stop(&self) {
        // A full mailbox holds an earlier request, and a closed one has had it.
        let _ = self.stop.try_send(Stop);
    }

    /// Waits until it has ended and its folder is free. Says why, where it stopped by itself: its
    /// disk failed, or going on could have meant voting twice.
    pub async fn ended(self) -> Option<String> {
        // Never sent on: dropped with the actor, after its files.
        let _ = self.ended.await;
        self.failure.get().cloned()
    }
}

/// Everything an actor is made of.
pub(super) struct Parts {
    pub core: ValidatorCore,
    pub store: Store,
    pub wal: Wal,
    pub link: Link,
    /// The one the link signs with.
    pub signer: Arc<Signer>,
    pub events: tokio::sync::mpsc::Receiver<LinkEvent>,
    pub metrics: ValidatorMetrics,
    pub records: Vec<Record>,
    pub decided: Vec<SignedEnvelope>,
    pub height: watch::Sender<u64>,
    pub views: watch::Sender<View>,
    /// Why it stopped, where it did so by itself.
    pub failure: Arc<OnceLock<String>>,
    /// Dropped last: whoever waits for it may open the folder again.
    pub _ended: oneshot::Sender<()>,
}

/// Starts a validator on a thread of its own. Needs a running actix system; returns once its data
/// has been read, which takes as long as executing what the index lacks of the log.
///
/// # Errors
/// Names what it can't be started with.
pub fn start(config: ValidatorConfig) -> Result<ValidatorHandle, StartError> {
    let party = config.signer.party().clone();
    let arbiter = Arbiter::new();
    let (reply, answer) = mpsc::channel();
    let thread = arbiter.handle();
    arbiter.spawn(async move {
        let (height, height_out) = watch::channel(0);
        let (ended, ended_out) = oneshot::channel();
        let started = open(&config, height, ended).map(|parts| {
            let (failure, views) = (parts.failure.clone(), parts.views.clone());
            let beats = parts.metrics.beats.clone();
            let actor = ValidatorActor::new(parts, thread.clone()).start();
            let (stop, reads) = (actor.clone().recipient(), actor.recipient());
            let height = height_out;
            ValidatorHandle { party, height, views, stop, reads, beats, failure, ended: ended_out }
        });
        if started.is_err() {
            thread.stop();
        }
        // Whoever asked waits for this alone.
        let _ = reply.send(started);
    });
    answer.recv().map_err(|_| StartError::Thread)?
}

fn open(
    config: &ValidatorConfig,
    height: watch::Sender<u64>,
    ended: oneshot::Sender<()>,
) -> Result<Parts, StartError> {
    let rules = Arc::new(Rules::new(&config.genesis)?);
    let (store, chain) = Store::open_with(&config.data_dir, &config.genesis, &rules, config.store)?;
    let rules = chain.rules.clone();
    let me = me(&rules, config.signer.clone())?;
    let (wal, records) = Wal::open(&config.data_dir, chain.tip.height + 1)?;
    let records = records
        .iter()
        .enumerate()
        .map(|(index, bytes)| Record::decode(bytes).map_err(|source| StartError::Record { index, source }));
    let records = records.collect::<Result<Vec<_>, _>>()?;
    let decided = decided_lately(&store, &chain)?;
    let party = config.signer.party();
    let metrics = ValidatorMetrics::register(&config.registry, &party.id)?;
    metrics.height.set(chain.tip.height as i64);
    height.send_replace(chain.tip.height);
    let (link, events) = connect(config, &rules, height.subscribe())?;
    let agreement = Box::new(Tendermint::new(config.signer.clone()));
    let last = store.block(chain.tip.height)?;
    let governed = chain.rules.governed.clone();
    let mut core = ValidatorCore::new(me, agreement, config.timeouts, chain);
    if let Some(last) = &last {
        core.remember(last, &governed, false);
    }
    Ok(Parts {
        views: watch::Sender::new(core.view()),
        core,
        store,
        wal,
        link,
        signer: config.signer.clone(),
        events,
        metrics,
        records,
        decided,
        height,
        failure: Arc::default(),
        _ended: ended,
    })
}

/// Which validator it is, with its signer at the key of this chain. One that the registry does not know is still to
/// come, and one it has dismissed follows; so does one whose key the chain here has not come to.
fn me(rules: &Rules, signer: Arc<Signer>) -> Result<Me, StartError> {
    let party = signer.party().clone();
    if party.role != Role::Validator {
        return Err(StartError::NoValidator { party });
    }
    let believed = rules.verifier.registry().get(&party);
    let known = believed.or_else(|| rules.governed.members.get(&party).map(|member| &member.participant));
    if let Some(known) = known {
        let epoch = known.epoch.number;
        if signer.follow(known) == KeyChange::Foreign && signer.epoch() <= epoch {
            return Err(StartError::OtherKey { party, epoch });
        }
    }
    Ok(Me { name: party.id, signer })
}

fn decided_lately(store: &Store, chain: &Chain) -> Result<Vec<SignedEnvelope>, StoreError> {
    let tip = chain.tip.height;
    let mut decided = Vec::new();
    for height in tip.saturating_sub(REMEMBERED_BLOCKS) + 1..=tip {
        decided.extend(store.block(height)?.into_iter().flat_map(|block| block.block.entries));
    }
    Ok(decided)
}

/// Connects to the brokers, minding the last height decided.
fn connect(
    config: &ValidatorConfig,
    rules: &Rules,
    tip: watch::Receiver<u64>,
) -> Result<(Link, tokio::sync::mpsc::Receiver<LinkEvent>), StartError> {
    let (me, verifier) = (&config.signer.party().id, &rules.verifier);
    if let Some(unknown) = config.brokers.unknown(me, verifier.validators().iter().map(|(id, _)| id)) {
        return Err(StartError::Mesh { validator: unknown.clone() });
    }
    for stranger in config.brokers.strangers(verifier.validators()) {
        tracing::info!(validator = %me, peer = %stranger, "connects to one that is no validator, or not yet");
    }
    let link = LinkConfig {
        connections: config.brokers.connections(verifier.network(), me),
        signer: config.signer.clone(),
        registry: verifier.heard().clone(),
        queue: LINK_QUEUE,
        rates: vec![(Role::Validator, VALIDATOR_RATE)],
        screen: Some(Arc::new(HeightWindow::new(tip))),
        answers: None,
        identity: config.identity.clone(),
    };
    Ok(Link::connect(link, config.link_metrics.clone())?)
}
