//! `gridpact bench`: measures what the project promises, against its targets, in one run.
//!
//! Every file measures one thing and says what it counts. Nothing here is used by anything else.

mod args;
mod capacity;
mod changed;
mod checking;
mod city;
mod day_ahead;
mod figure;
mod ledger;
mod messaging;
mod nodes;
mod site;
mod stopwatch;
mod town;
mod voltage;

pub use args::{BenchCommand, ClearingArgs, LedgerArgs, MessagingArgs, MessagingPart, SiteArgs};

use crate::cluster::ClusterError;
use crate::simulate::SimulateError;
use ::ledger::verify::VerifyError;
use figure::Figure;
use indicatif::{ProgressBar, ProgressStyle};
use market::certificate::CertificateError;
use market::clearing::book::BookError;
use market::clearing::standing::ReplaceError;
use market::clearing::Infeasible;
use market::curve::CurveError;
use market::feeder::FeederError;
use market::grid::zoom::ZoomError;
use market::grid::GridError;
use market::horizon::error::HorizonError;
use std::time::Duration;
use thiserror::Error;

/// Why a measurement could not be made.
#[derive(Debug, Error)]
pub enum BenchError {
    /// Sites that fit no book.
    #[error("building the instance: {0}")]
    Book(#[from] BookError),
    /// A supply that is no curve.
    #[error("building the instance's supply: {0}")]
    Supply(#[from] CurveError),
    /// A feeder that is no tree.
    #[error("building the instance's feeder: {0}")]
    Feeder(#[from] FeederError),
    /// No worker threads.
    #[error("starting workers: {0}")]
    Workers(#[from] rayon::ThreadPoolBuildError),
    /// An instance that does not clear.
    #[error("clearing the instance: {0}")]
    Infeasible(#[from] Infeasible),
    /// A changed bid that does not clear.
    #[error("changing a bid: {0}")]
    Replace(#[from] ReplaceError),
    /// A clearing that does not hold.
    #[error("checking the clearing: {0}")]
    Certificate(#[from] CertificateError),
    /// Rounds that failed.
    #[error("clearing with voltage: {0}")]
    Zoom(#[from] ZoomError),
    /// Rounds that do not end.
    #[error("clearing with voltage is not done after {most} rounds")]
    Rounds {
        /// How many there may be.
        most: usize,
    },
    /// A large feeder that does not clear.
    #[error("clearing a large feeder: {0}")]
    Grid(#[from] GridError),
    /// A day ahead that does not clear.
    #[error("clearing a day ahead: {0}")]
    Horizon(#[from] HorizonError),
    /// A day ahead whose certificate does not hold.
    #[error("checking the day ahead: {0}")]
    DayAhead(#[from] market::horizon::certificate::CertificateError),
    /// A day that can't be simulated.
    #[error("simulating a day: {0}")]
    Simulate(#[from] SimulateError),
    /// Devices that can't be started or polled.
    #[error("polling devices: {0}")]
    Site(#[source] std::io::Error),
    /// No folder, or no file in it, for validators to be measured.
    #[error("a temporary folder for validators: {0}")]
    Folder(#[source] std::io::Error),
    /// Validators that don't do what is measured.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Messaging that could not be measured.
    #[error("measuring messaging: {0}")]
    Messaging(#[from] messaging::MessagingError),
    /// The same program, started with room for more open files, failed.
    #[error("the measurement, started again with room for more open files, ended with {code}")]
    Again {
        /// Its exit code.
        code: i32,
    },
    /// A market that can't be made.
    #[error("making a market: {0}")]
    Provision(#[from] crate::provision::ProvisionError),
    /// A chain that does not hold.
    #[error("verifying the measured chain: {0}")]
    Verify(#[source] Box<VerifyError>),
    /// A name that is none.
    #[error(transparent)]
    Party(#[from] wire::party::PartyError),
    /// The figures cannot be written as JSON.
    #[error("writing the figures: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs the command; whether every target was met.
///
/// # Errors
/// Where something could not be measured.
pub fn run(command: &BenchCommand) -> Result<bool, BenchError> {
    match command {
        BenchCommand::Clearing(args) => clearing(args),
        BenchCommand::Ledger(args) => validators(args),
        BenchCommand::Site(args) => polling(args),
        BenchCommand::Messaging(args) => messages(args),
    }
}

fn polling(args: &SiteArgs) -> Result<bool, BenchError> {
    if args.serve.is_some() {
        return site::measure(args).map(|_| true);
    }
    let seconds = if args.quick { 5 } else { args.seconds };
    let mut figures = Figures::new(args.quick, args.json);
    figures.measure("polling devices", || site::measure(&SiteArgs { seconds, ..args.clone() }))?;
    let intervals = if args.quick { 2 } else { args.intervals };
    figures.measure("trading", || site::trade(args, intervals))?;
    figures.judge()
}

fn clearing(args: &ClearingArgs) -> Result<bool, BenchError> {
    let part = if args.quick { 10 } else { 1 };
    let sizes: Vec<usize> =
        [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|s| s * part <= 1_000_000).collect();
    let mut figures = Figures::new(args.quick, args.json);
    figures.measure("clearing within capacity", || capacity::measure(1_000_000 / part))?;
    figures.measure("clearing one changed bid", || changed::measure(1_000_000 / part))?;
    figures.measure("checking certificates", || checking::measure(&sizes))?;
    figures.measure("clearing with voltage", || Ok(vec![voltage::measure(100_000 / part)?]))?;
    figures.measure("clearing a large feeder", || Ok(vec![nodes::measure(10_000 / part)?]))?;
    figures.measure("clearing a day ahead", || day_ahead::measure(1_000 / part))?;
    let cities: Vec<u32> =
        [1_000, 10_000, 100_000].into_iter().filter(|c| c * part as u32 <= 100_000).collect();
    figures.measure("a day of many sites", || city::measure(&cities))?;
    figures.judge()
}

fn validators(args: &LedgerArgs) -> Result<bool, BenchError> {
    let mut figures = Figures::new(args.quick, args.json);
    let mut bench = ledger::Bench::start(ledger::Size::of(args.quick))?;
    figures.measure("idling", || bench.idle())?;
    figures.measure("entries under load", || bench.load())?;
    figures.measure("finality of single entries", || bench.finality())?;
    figures.measure("commitments of one interval", || bench.commitments())?;
    figures.judge()
}

fn messages(args: &MessagingArgs) -> Result<bool, BenchError> {
    match messaging::again_with(messaging::Size::files(args.sites))? {
        None => {}
        Some(0) => return Ok(true),
        Some(4) => return Ok(false),
        Some(code) => return Err(BenchError::Again { code }),
    }
    let mut figures = Figures::new(args.quick, args.json);
    let bench = messaging::Bench::new(messaging::Size::of(args.sites, args.quick))?;
    let wants = |part| args.only.contains(&part);
    if wants(MessagingPart::Envelopes) {
        figures.measure("signing and checking envelopes", || bench.sealing())?;
    }
    if wants(MessagingPart::Gate) {
        figures.measure("messages through the gate", || bench.gate())?;
    }
    if wants(MessagingPart::Crowd) {
        figures.measure("clients that connect", || bench.crowd())?;
    }
    for kind in [messaging::Kind::Embedded, messaging::Kind::Mosquitto] {
        if wants(MessagingPart::Rounds) {
            figures.measure("rounds of bids and firm prices", || bench.rounds(kind))?;
        }
        if wants(MessagingPart::Memory) {
            figures.measure("a broker's memory", || bench.memory(kind))?;
        }
    }
    figures.judge()
}

/// What was measured so far, and how it is shown.
struct Figures {
    quick: bool,
    json: bool,
    figures: Vec<Figure>,
}

impl Figures {
    fn new(quick: bool, json: bool) -> Self {
        Self { quick, json, figures: Vec::new() }
    }

    /// Measures with a sign of life on standard error, and prints what came of it.
    fn measure(
        &mut self,
        what: &'static str,
        measured: impl FnOnce() -> Result<Vec<Figure>, BenchError>,
    ) -> Result<(), BenchError> {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        let sign = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = style {
            sign.set_style(style);
        }
        sign.enable_steady_tick(Duration::from_millis(500));
        let new = measured()?;
        sign.finish_and_clear();
        if !self.json {
            new.iter().for_each(|figure| println!("{}", figure.line(!self.quick)));
        }
        self.figures.extend(new);
        Ok(())
    }

    /// Whether every target was met; targets are stated for the full sizes. Prints the document, where
    /// one is wanted.
    fn judge(self) -> Result<bool, BenchError> {
        let met = self.figures.iter().all(Figure::holds);
        if self.json {
            let document = serde_json::json!({ "quick": self.quick, "met": met, "figures": self.figures });
            println!("{}", serde_json::to_string_pretty(&document)?);
        }
        Ok(met || self.quick)
    }
}
