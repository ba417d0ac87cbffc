//! What a service manager and an operator see of a running program: sd_notify over a real socket, SIGTERM, and one interval
//! followed through the logs of all roles by one name.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Only against hanging for ever.
const PATIENCE: Duration = Duration::from_secs(600);

struct Service {
    child: Child,
    manager: UnixDatagram,
}

impl Service {
    fn hears(&self) -> String {
        let mut heard = [0; 1_024];
        let length = self.manager.recv(&mut heard).unwrap();
        String::from_utf8_lossy(&heard[..length]).into_owned()
    }

    fn hears_until(&self, wanted: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            heard.push(self.hears());
            if heard.last().is_some_and(|said| said == wanted) {
                return heard;
            }
            assert!(Instant::now() < deadline, "never {wanted}: {heard:?}");
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    let sent = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// In a container each is the first process, which gets no SIGTERM that it does not wait for.
#[test]
fn a_simulated_device_ends_when_its_container_is_stopped() {
    let check = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
        command.arg("sim").args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Once it has said where it listens, it waits.
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        terminate(&child);
        assert!(child.wait().unwrap().success(), "{words:?}: {said}");
    };
    check(&["meter", "--port", "0"]);
    check(&["charger", "--url", "ws://127.0.0.1:9", "--identity", "garage"]);
}

#[test]
fn a_service_manager_is_told_of_the_start_fed_and_told_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, file) = (folder.path().join("notify"), folder.path().join("broker.toml"));
    std::fs::write(
        &file,
        "role = 'broker'\nlisten = '127.0.0.1:0'\n[process]\nmetrics_listen = '127.0.0.1:0'\n",
    )
    .unwrap();
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.arg("run").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "600000");
    let mut service = Service { child: command.spawn().unwrap(), manager };
    let heard = service.hears_until("READY=1");
    assert!(heard.iter().all(|said| said != "WATCHDOG=1"), "not fed before it is ready: {heard:?}");
    service.hears_until("STATUS=ready");
    service.hears_until("WATCHDOG=1");
    service.hears_until("WATCHDOG=1");
    terminate(&service.child);
    service.hears_until("STOPPING=1");
    assert!(service.child.wait().unwrap().success(), "SIGTERM is a clean end");
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, file) = (folder.path().join("notify"), folder.path().join("broker.toml"));
    std::fs::write(&file, "role = 'broker'\nlisten = '127.0.0.1:0'\n").unwrap();
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.arg("run").arg(&file).stdin(Stdio::null()).stderr(Stdio::null());
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", "1");
    let service = Service { child: command.spawn().unwrap(), manager };
    service.hears_until("READY=1");
    service.hears_until("STATUS=ready");
    service.manager.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut more = [0; 64];
    assert!(service.manager.recv(&mut more).is_err(), "{}", String::from_utf8_lossy(&more));
}

#[test]
fn one_interval_is_followed_through_all_roles_by_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let line = "gridpact demo --intervals 2 --speed 100000 --day-ahead 0 --json";
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.args(line.split(' ').skip(1)).arg("--data-dir").arg(&data).args(["--log-format", "json"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(data.join("demo.log")).unwrap();
    let mut roles: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let word = |key: &str| line["fields"][key].as_str().map(str::to_owned);
        if let (Some(trace), Some(party)) = (word("trace"), word("party")) {
            let role = party.split('/').next().unwrap_or_default().to_owned();
            roles.entry(trace).or_default().insert(role);
        }
    }
    let followed: Vec<&String> = roles
        .iter()
        .filter(|(_, roles)| {
            ["site", "aggregator", "dso", "tso", "validator"].iter().all(|role| roles.contains(*role))
        })
        .map(|(trace, _)| trace)
        .collect();
    assert!(followed.len() >= 2, "{roles:?}");
    for trace in followed {
        let (market, start) = trace.split_once('@').unwrap();
        assert!(market.contains('/') && start.parse::<i64>().unwrap() % 900 == 0, "{trace}");
    }
}
