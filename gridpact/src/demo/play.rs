//! A demo from beginning to end: writes its files, puts devices on the network, starts the roles from the
//! files, watches, and sums up.

use super::console;
use super::devices::{self, DeviceError};
use super::display::Display;
use super::figures::{self, Figures};
use super::files::{self, FilesError, Plan};
use super::observer::shell::{Along, Observer};
use super::ports::FreePorts;
use super::record::DayRecord;
use super::report::{self, IntervalReport, Report, Spread};
use super::report_ahead::DayAheadReport;
use super::roster::{self, Member, RosterError};
use super::{genesis, payments, specs};
use crate::cli::DemoArgs;
use crate::neighbourhood::dataset::Dataset;
use crate::neighbourhood::day::{Day, INTERVAL_S};
use crate::neighbourhood::measured::measured;
use crate::neighbourhood::{Neighbourhood, NeighbourhoodError};
use crate::run::running::{RunError, Running};
use crate::run::start::Hooks;
use crate::stop;
use agents::timekeeper::Progress;
use broker::embedded::{BrokerError, EmbeddedBroker};
use ledger::genesis::Genesis;
use ledger::verify::VerifyError;
use market::feeder::FeederError;
use market::interval::UnixSeconds;
use sim_devices::site::SiteServers;
use sim_devices::world::{lock, SharedWorld, SpecError, World};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;
use wire::envelope::Opened;
use wire::party::{PartyError, PartyId, Role};

/// Days of cars and prices where a demo goes on after its day.
const DAYS_SERVED: u32 = 366;
/// Days of cars and prices otherwise: prices of a day to come are known a day ahead, and it is taken to
/// be like the day played.
const DAYS_KNOWN: u32 = 2;

/// How long the onlooker is waited for when the day is over. Brokers drop messages under load, and what
/// it lacks then is missing from the lines and not from the ledger.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(10);

/// Why a demo can't be played.
#[derive(Debug, Error)]
pub enum DemoError {
    /// Its data can't be read.
    #[error(transparent)]
    Neighbourhood(#[from] NeighbourhoodError),
    /// Nobody can take part.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// A name is none.
    #[error(transparent)]
    Party(#[from] PartyError),
    /// The simulated world can't be.
    #[error(transparent)]
    World(#[from] SpecError),
    /// No ports.
    #[error("finding free ports: {0}")]
    Ports(std::io::Error),
    /// No broker for the heat pumps.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Devices can't be put on the network.
    #[error(transparent)]
    Devices(#[from] DeviceError),
    /// Files can't be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A role can't be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The onlooker can't be started.
    #[error("the onlooker: {0}")]
    Observer(#[from] super::observer::shell::ObserverError),
    /// The console can't be served.
    #[error("serving the console on {address}: {source}")]
    Console {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The feeder can't be replayed.
    #[error(transparent)]
    Feeder(#[from] FeederError),
    /// The ledger left behind does not hold.
    #[error("the ledger: {0}")]
    Ledger(#[from] VerifyError),
    /// Ctrl-C.
    #[error("stopped before the day was over")]
    Interrupted,
}

/// A demo made ready: files written, devices on the network, nobody trading yet.
pub struct Demo {
    args: DemoArgs,
    directory: PathBuf,
    neighbourhood: Neighbourhood,
    genesis: Genesis,
    files: Vec<PathBuf>,
    broker: SocketAddr,
    world: SharedWorld,
    // Dropping them takes the devices off the network.
    _devices: Vec<SiteServers>,
}

impl Demo {
    /// Makes everything ready in `directory`, which is there and empty. Needs a running actix system.
    ///
    /// # Errors
    /// The first thing that can't be had.
    pub async fn prepare(args: DemoArgs, directory: PathBuf) -> Result<Self, DemoError> {
        let day = Day { season: args.season, weekday: args.weekday };
        let dataset = args.dataset.clone().map_or(Dataset::Embedded, Dataset::Directory);
        let neighbourhood = Neighbourhood::read(args.grid, day, &dataset)?;
        let members = roster::draw(&neighbourhood)?;
        let rules = genesis::day_ahead(args.day_ahead, neighbourhood.first);
        let genesis = genesis::build(args.grid, &neighbourhood, &members, rules)?;
        let world = Arc::new(Mutex::new(world(&args, &neighbourhood)?));
        let device_broker = EmbeddedBroker::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let mut ports = FreePorts::new().map_err(DemoError::Ports)?;
        let broker = ports.take().map_err(DemoError::Ports)?;
        let broker_tls = ports.take().map_err(DemoError::Ports)?;
        let validators = members.iter().map(|member| &member.participant.party);
        let validators = validators.filter(|party| party.role == Role::Validator);
        let mesh = validators
            .map(|party| Ok((party.clone(), ports.take().map_err(DemoError::Ports)?)))
            .collect::<Result<BTreeMap<_, _>, DemoError>>()?;
        let started = devices::start(&neighbourhood, &world, device_broker.address(), &mut ports).await?;
        let (devices, options): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        // The first members are the sites, in the customers' order.
        let parties = members.iter().map(|member: &Member| member.participant.party.clone());
        let sites = parties.zip(options).collect();
        let plan = Plan {
            directory: &directory,
            members: &members,
            broker,
            broker_tls,
            mesh: &mesh,
            metrics_listen: args.metrics_listen,
            intervals: (!args.serve).then_some(args.intervals),
            speed: args.speed,
            repeat: days(&args),
            observations: &measured(args.grid, day, &dataset, days(&args))?,
        };
        let files = plan.write(&genesis, &neighbourhood, sites)?;
        Ok(Self { args, directory, neighbourhood, genesis, files, broker, world, _devices: devices })
    }

    /// When the day's last interval ends.
    fn end(&self) -> UnixSeconds {
        self.neighbourhood.first.start().plus(i64::from(self.args.intervals) * INTERVAL_S)
    }

    /// Plays the day, calls `summed_up` with its report, and, where asked to, goes on until Ctrl-C.
    ///
    /// # Errors
    /// Where a role can't be started, the ledger doesn't hold, or Ctrl-C came before the day was over.
    pub async fn play(self, summed_up: &mut dyn FnMut(&Report)) -> Result<(), DemoError> {
        let (record, recorded) = watch::channel(None);
        let progress = watch::Sender::new(Progress::default());
        let hooks = Hooks { advance: self.advance(record), progress: progress.clone() };
        let mut running = Running::new()?;
        // The timekeeper's file is the last: time begins when the onlooker listens.
        let (timekeeper, others) = self.files.split_last().unwrap_or((&self.directory, &[]));
        running.start(others, &hooks).await?;
        let shown = self.console(&running)?;
        let observer = self.observer(shown.as_ref())?;
        observer.listening().await;
        let mut display = self.display();
        if let Some(shown) = &shown {
            display.say(&format!("console on http://{}/", shown.address));
        }
        for address in running.metrics_addresses() {
            display.say(&format!("metrics on http://{address}/metrics"));
        }
        running.start(std::slice::from_ref(timekeeper), &hooks).await?;
        running.health.started();
        let mut stopping = pin!(stop::asked().map_err(RunError::Signal)?);
        let mut over = progress.subscribe();
        let played = tokio::select! {
            played = self.watch(&observer, &mut display, &mut over, recorded) => played,
            never = self.lose_validator(&running, progress.subscribe()) => match never {},
            () = &mut stopping => Err(DemoError::Interrupted),
        };
        let summed = match played {
            Ok(record) => {
                catch_up(&observer, &mut display, running.height()).await;
                display.finish();
                self.report(&record, &observer).map(|report| summed_up(&report))
            }
            Err(error) => Err(error),
        };
        if summed.is_ok() && self.args.serve {
            display.say("the day is over; the market goes on until Ctrl-C");
            tokio::select! {
                () = follow(&observer, &mut display) => {}
                () = &mut stopping => {}
            }
        }
        display.finish();
        if let Some(shown) = shown {
            shown.server.stop(false).await;
        }
        running.stop().await;
        summed
    }

    /// Serves the console, from the first validator's ledger.
    fn console(&self, running: &Running) -> Result<Option<console::Shown>, DemoError> {
        let Some(validator) = running.validator(&self.validator(1)?) else { return Ok(None) };
        let customers = self.neighbourhood.customers.iter().map(|customer| customer.number);
        let devices = console::devices(self.world.clone(), customers);
        let address = self.args.console_listen;
        let shown = console::serve(address, validator, devices);
        shown.map(Some).map_err(|source| DemoError::Console { address, source })
    }

    fn observer(&self, shown: Option<&console::Shown>) -> Result<Observer, DemoError> {
        let broker = self.broker.to_string();
        let Some(shown) = shown else { return Ok(Observer::start(&self.genesis, &broker)?) };
        let console = shown.console.clone();
        let hear = Arc::new(move |message: &Opened| console.hear(message));
        let along = Along { filters: console::filters(&self.genesis.network), hear };
        Ok(Observer::start_along(&self.genesis, &broker, along)?)
    }

    /// Stops the last validator when it is time, and waits for ever.
    async fn lose_validator(
        &self,
        running: &Running,
        mut progress: watch::Receiver<Progress>,
    ) -> std::convert::Infallible {
        if let Some(after) = self.args.lose_validator {
            let come = progress.wait_for(|progress| progress.started >= after).await.is_ok();
            let last = self.validator(roster::VALIDATORS).ok();
            if let Some(validator) = last.and_then(|last| running.validator(&last)).filter(|_| come) {
                tracing::info!(validator = %validator.party(), "is stopped, as was asked for");
                validator.stop();
            }
        }
        std::future::pending().await
    }

    /// Lets the world live up to a time; the record of the day is taken the moment it ends.
    fn advance(&self, record: watch::Sender<Option<DayRecord>>) -> Arc<dyn Fn(UnixSeconds) + Send + Sync> {
        let (world, start, end) = (self.world.clone(), self.neighbourhood.first.start(), self.end());
        Arc::new(move |to| {
            let mut world = lock(&world);
            world.advance_to(to);
            if to >= end && record.borrow().is_none() {
                record.send_replace(Some(DayRecord::of(&world, start)));
            }
        })
    }

    fn display(&self) -> Display {
        let here = &self.neighbourhood;
        let limit = here.transformer_limit();
        Display::new(!self.args.json, here.first, self.args.intervals, limit, roster::AGGREGATORS)
    }

    /// Watches until the day is over and, where time ends with it, its last deliveries are settled.
    async fn watch(
        &self,
        observer: &Observer,
        display: &mut Display,
        progress: &mut watch::Receiver<Progress>,
        mut recorded: watch::Receiver<Option<DayRecord>>,
    ) -> Result<DayRecord, DemoError> {
        let over = async {
            let record = match recorded.wait_for(Option::is_some).await {
                Ok(record) => record.clone(),
                Err(_) => None,
            };
            if !self.args.serve {
                // The sender is ours.
                let _ = progress.wait_for(|progress| progress.finished).await;
            }
            record
        };
        let record = tokio::select! {
            record = over => record,
            () = follow(observer, display) => None,
        };
        record.ok_or(DemoError::Interrupted)
    }

    fn report(&self, record: &DayRecord, observer: &Observer) -> Result<Report, DemoError> {
        let folder = self.directory.join(files::name(&self.validator(1)?));
        let (paid_eur, paid_sum_nano_eur) = report::paid(&payments::by_role(&folder, &self.genesis)?);
        let accounts = observer.look(|core| {
            let traded = self.neighbourhood.first..market::interval::Interval(self.end());
            core.accounts().range(traded).map(|(i, account)| (*i, account.clone())).collect::<Vec<_>>()
        });
        let each = |of: fn(&super::observer::core::IntervalAccount) -> Option<u64>| {
            Spread::of(accounts.iter().filter_map(|(_, account)| of(account)))
        };
        Ok(Report {
            day: format!("{} {:?} on {}", self.args.season.word(), self.args.weekday, self.args.grid.word()),
            intervals: self.args.intervals,
            data_dir: self.directory.clone(),
            coordinated: figures::replay(&self.neighbourhood, record)?,
            uncoordinated: self.uncoordinated()?,
            paid_eur,
            paid_sum_nano_eur,
            rounds: each(|account| account.prices.map(|_| u64::from(account.rounds))),
            round_ms: each(|account| account.round_ms),
            finality_ms: each(|account| account.finality_ms),
            day_ahead: DayAheadReport::of(accounts.iter().filter_map(|(_, account)| account.ahead.as_ref())),
            setpoints: accounts.iter().map(|(_, account)| account.setpoints).sum(),
            faults: accounts.iter().map(|(_, account)| account.faults).sum(),
            accounts: accounts.iter().map(|(i, account)| IntervalReport::of(*i, account)).collect(),
        })
    }

    fn validator(&self, number: usize) -> Result<PartyId, PartyError> {
        Ok(PartyId::new(Role::Validator, format!("v{number}").parse()?))
    }

    /// The same day in the same world, where nobody ever tells a device anything.
    fn uncoordinated(&self) -> Result<Figures, DemoError> {
        let mut world = world(&self.args, &self.neighbourhood)?;
        world.advance_to(self.end());
        let record = DayRecord::of(&world, self.neighbourhood.first.start());
        Ok(figures::replay(&self.neighbourhood, &record)?)
    }
}

/// Prints lines as they become due, for ever.
async fn follow(observer: &Observer, display: &mut Display) {
    loop {
        observer.heard().await;
        observer.look(|core| display.update(core.accounts()));
    }
}

/// The last block may still be on its way to the onlooker when the timekeeper has it already.
async fn catch_up(observer: &Observer, display: &mut Display, height: u64) {
    let all_heard = async {
        while observer.look(|core| core.blocks()) < height {
            observer.heard().await;
        }
    };
    if tokio::time::timeout(CATCH_UP_WITHIN, all_heard).await.is_err() {
        tracing::warn!(height, "the onlooker missed a block; the summary lacks its figures");
    }
    observer.look(|core| display.update(core.accounts()));
}

fn days(args: &DemoArgs) -> u32 {
    if args.serve {
        DAYS_SERVED
    } else {
        DAYS_KNOWN
    }
}

/// The world an interval before the day, where simulated time begins.
fn world(args: &DemoArgs, neighbourhood: &Neighbourhood) -> Result<World, SpecError> {
    let start = neighbourhood.first.start().plus(-INTERVAL_S);
    World::new(start, specs::of(neighbourhood, args.season, i64::from(days(args))))
}
