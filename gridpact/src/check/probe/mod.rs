//! What looks at a machine: reads files, asks the system, opens sockets. Judges nothing.

mod brokers;
mod certificates;
mod clock;
mod configuration;
mod devices;
mod folders;
mod http;
mod keys;
mod listeners;
mod mounts;
mod mqtt;
mod owner;
mod processes;
mod sntp;
mod values;

use super::args::CheckArgs;
use super::facts::{Facts, Listening};
use super::finding::{Area, Finding};
use configuration::{read, Loaded};
use std::collections::BTreeSet;
use std::net::{ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};

/// Where a package puts configuration files.
const USUAL: &str = "/etc/gridpact";

/// Looks at everything that the files name, and at what they start or run.
pub async fn look(args: &CheckArgs) -> Facts {
    let given = if args.files.is_empty() { vec![PathBuf::from(USUAL)] } else { args.files.clone() };
    let (loaded, broken) = read(&given);
    let mut facts = Facts { files: broken, ..Facts::default() };
    let mut genesis = values::Cache::default();
    facts.files.extend(loaded.iter().map(|one| values::of(one, &mut genesis)));
    facts.keys = loaded.iter().flat_map(|one| keys::of(one, &mut genesis)).collect();
    (facts.certificates, facts.lists) = certificates::of(&loaded, args.revoked.as_deref());
    facts.folders = loaded.iter().filter_map(folders::of).collect();
    let listeners = listeners::named(&loaded);
    facts.clock = clock::of(&loaded);
    if args.offline {
        facts.listeners = listeners.into_iter().map(|it| it.facts(Listening::Free)).collect();
        let what = "brokers, devices, ports and running processes were not looked at (--offline)";
        facts.said.push(Finding::note(Area::Process, "--offline", what));
        return facts;
    }
    facts.listeners = listeners.iter().map(listeners::Named::tried).collect();
    facts.processes = processes::of(&loaded).await;
    let running: BTreeSet<String> = facts.processes.iter().flat_map(|it| it.runs().iter().cloned()).collect();
    let runs = |one: &Loaded| running.contains(&one.name());
    facts.devices = devices::of(&loaded, &runs, args.devices).await;
    facts.brokers = brokers::of(&loaded, &mut genesis, &runs).await;
    keys::ask_ledger(&mut facts.keys, &loaded, &runs).await;
    let metrics = processes::metrics(&facts.processes).await;
    facts.clock.skew_ms = processes::skew_ms(&metrics);
    if let Some(server) = &args.ntp {
        facts.clock.server = Some((server.clone(), sntp::ask(server).await));
    }
    facts
}

/// Whether a host is this machine: its address can be bound to.
fn is_here(host: &str) -> bool {
    (host, 0).to_socket_addrs().into_iter().flatten().any(|address| UdpSocket::bind(address).is_ok())
}

/// Who may do what with a file.
fn owned(path: &Path) -> Option<super::facts::Owned> {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(path).ok()?;
    Some(super::facts::Owned { mode: about.mode() & 0o7777, user: about.uid() })
}
