//! Brokers as processes: the embedded one of this program, and Mosquitto where it is installed.

use super::MessagingError;
use crate::demo::ports::FreePorts;
use std::fs::File;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait until a broker listens.
const START: Duration = Duration::from_secs(20);
/// Where Mosquitto's program may be.
const MOSQUITTO: [&str; 3] =
    ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/opt/homebrew/sbin/mosquitto"];

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This program's, behind the gate.
    Embedded,
    /// Mosquitto, with the queues that `gridpact provision` gives it.
    Mosquitto,
}

/// A broker's process, ended when this is dropped.
pub struct Broker {
    kind: Kind,
    /// Where it listens, without TLS, on loopback.
    pub address: SocketAddr,
    child: Child,
}

impl Broker {
    /// Starts one with its files in `folder`; none where it is not installed.
    ///
    /// # Errors
    /// Where it doesn't start.
    pub fn start(kind: Kind, folder: &Path) -> Result<Option<Broker>, MessagingError> {
        let broker = name(kind);
        let failed = |act| move |source| MessagingError::Broker { act, broker, source };
        let address =
            FreePorts::new().and_then(|mut ports| ports.take()).map_err(failed("finding a port for"))?;
        let log = folder.join(format!("{broker}.log"));
        let mut command = match kind {
            Kind::Embedded => {
                let file = folder.join("broker.toml");
                let text = format!("role = \"broker\"\nlisten = \"{address}\"\n");
                put(&file, &text).map_err(failed("configuring"))?;
                let mut command = Command::new(std::env::current_exe().map_err(failed("finding"))?);
                command.arg("run").arg("--until-stdin-ends").arg(file);
                command
            }
            Kind::Mosquitto => {
                let Some(program) = MOSQUITTO.into_iter().find(|path| Path::new(path).exists()) else {
                    return Ok(None);
                };
                let file = folder.join("mosquitto.conf");
                let text = crate::provision::mosquitto_on_loopback(address);
                put(&file, &text).map_err(failed("configuring"))?;
                let mut command = Command::new(program);
                command.arg("-c").arg(file);
                command
            }
        };
        let output = File::create(&log).map_err(failed("logging"))?;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(output);
        let child = command.spawn().map_err(failed("starting"))?;
        let mut started = Broker { kind, address, child };
        started.wait(&log)?;
        Ok(Some(started))
    }

    fn wait(&mut self, log: &PathBuf) -> Result<(), MessagingError> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(self.address).is_err() {
            let ended = !matches!(self.child.try_wait(), Ok(None));
            if ended || Instant::now() >= deadline {
                let words = std::fs::read_to_string(log).unwrap_or_default();
                return Err(MessagingError::Silent { broker: self.name(), words });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        name(self.kind)
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Memory it has resident, in megabytes of 1e6 bytes, where the system says it.
    pub fn resident_mb(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1_024.0 / 1e6)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // One that is gone already can't be ended again.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Embedded => "the gate",
        Kind::Mosquitto => "Mosquitto",
    }
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    File::create(path)?.write_all(text.as_bytes())
}
