//! `gridpact ledger torment`: four validators as processes under load, killed at random again and again, one
//! with a full disk; then every folder is verified and held against what a client saw decided.

mod args;
mod disk;
mod error;
mod judge;
mod load;
mod schedule;

pub use args::TormentArgs;
pub use error::TormentError;

use crate::cluster::layout::VALIDATORS;
use crate::cluster::process::Limits;
use crate::cluster::Cluster;
use judge::Verdict;
use load::Load;
use schedule::Schedule;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Sites that submit.
const SITES: usize = 40;
/// Kills after which all validators must come together again.
const ROUND: u32 = 10;
/// Longest time in which validators, all of them running, must have decided what is out and be level.
const LEVEL_LIMIT: Duration = Duration::from_secs(90);

/// What was done, and found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Processes killed.
    pub kills: u32,
    /// What every folder holds.
    pub verdict: Verdict,
    /// Entries a client saw decided.
    pub seen: usize,
    /// What a full disk did, in words.
    pub full_disk: String,
}

/// Torments validators of `program` and prints what was found.
///
/// # Errors
/// The first thing that does not hold.
pub fn run(args: &TormentArgs, program: &Path, out: &mut dyn Write) -> Result<Report, TormentError> {
    let seed = match args.seed {
        Some(seed) => seed,
        None => getrandom::u64().map_err(|error| TormentError::Seed(error.to_string()))?,
    };
    writeln!(out, "seed {seed}: {} kills of {VALIDATORS} validators", args.kills)?;
    let start = Instant::now();
    let report = torment(args.kills, seed, program, out)?;
    let Verdict { height, entries, total_nano_eur } = report.verdict;
    writeln!(out, "{} kills in {:.0} s", report.kills, start.elapsed().as_secs_f64())?;
    writeln!(out, "  {height} blocks, the same in {VALIDATORS} folders, each verified whole")?;
    writeln!(out, "  {entries} entries decided, among them all {} that a client saw decided", report.seen)?;
    writeln!(out, "  {total_nano_eur} nEUR in all balances of each, as in the genesis")?;
    writeln!(out, "  full disk: {}", report.full_disk)?;
    Ok(report)
}

fn torment(kills: u32, seed: u64, program: &Path, out: &mut dyn Write) -> Result<Report, TormentError> {
    let folder = tempfile::tempdir().map_err(TormentError::Folder)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TormentError::Folder)?;
    let mut cluster = Cluster::start(program, folder.path(), SITES)?;
    let seen = runtime.block_on(async {
        let mut load = Load::start(&cluster.layout).await?;
        kill_at_random(&mut cluster, &mut load, &mut Schedule::new(seed), kills, out).await?;
        let full_disk = disk::fill(&mut cluster, &mut load).await?;
        load.quiet(&mut cluster, LEVEL_LIMIT).await?;
        Ok::<_, TormentError>((load.into_decided()?, full_disk))
    })?;
    for index in 0..VALIDATORS {
        cluster.kill(index)?;
    }
    let (decided, full_disk) = seen;
    let verdict = judge::judge(&cluster.layout, &decided)?;
    Ok(Report { kills, verdict, seen: decided.len(), full_disk })
}

/// Kills one validator or several, lets the others go on, starts them again; every so often all of them must
/// come level.
async fn kill_at_random(
    cluster: &mut Cluster,
    load: &mut Load,
    schedule: &mut Schedule,
    kills: u32,
    out: &mut dyn Write,
) -> Result<(), TormentError> {
    let mut killed = 0;
    let mut level_at = ROUND;
    while killed < kills {
        load.submit_for(schedule.before()).await;
        let victims = schedule.victims((kills - killed) as usize);
        for victim in &victims {
            cluster.kill(*victim)?;
        }
        killed += victims.len() as u32;
        load.submit_for(schedule.down()).await;
        for victim in &victims {
            cluster.launch(*victim, Limits::default())?;
        }
        cluster.check_alive()?;
        if killed >= level_at || killed >= kills {
            load.quiet(cluster, LEVEL_LIMIT).await?;
            writeln!(out, "{killed} killed, height {}, {} entries decided", load.height(), load.decided())?;
            level_at += ROUND;
        }
    }
    Ok(())
}
