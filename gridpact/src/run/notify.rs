//! What systemd is told of a service (sd_notify(3)): datagrams to the socket that NOTIFY_SOCKET names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Tells the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// For the manager that started this process; none where none wants to be told.
    pub fn from_environment() -> Option<Self> {
        let variable = |name: &str| std::env::var_os(name);
        let own = std::process::id().to_string();
        // Of a watchdog that is another process's, nothing is to be made.
        let ours = variable("WATCHDOG_PID").is_none_or(|id| id.as_bytes() == own.as_bytes());
        let micros = variable("WATCHDOG_USEC").filter(|_| ours).and_then(|text| text.to_str()?.parse().ok());
        Self::to(&variable("NOTIFY_SOCKET")?, micros.map(Duration::from_micros))
    }

    /// For the manager that listens at this path, or at a name in Linux's abstract space, which begins with `@`.
    pub fn to(name: &OsStr, watchdog: Option<Duration>) -> Option<Self> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => in_abstract(name)?,
            None => SocketAddr::from_pathname(name).ok()?,
        };
        let socket = UnixDatagram::unbound().ok()?;
        // A manager that does not read must not hold up who tells it.
        socket.set_nonblocking(true).ok()?;
        Some(Self { socket, address, watchdog: watchdog.filter(|period| !period.is_zero()) })
    }

    /// Within which time it wants to hear WATCHDOG=1 again, where it does.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it. What it does not hear is said again, or not needed.
    pub fn tell(&self, state: &str) {
        if let Err(error) = self.socket.send_to_addr(state.as_bytes(), &self.address) {
            tracing::debug!(%error, state, "the service manager does not hear");
        }
    }
}

#[cfg(target_os = "linux")]
fn in_abstract(name: &[u8]) -> Option<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name).ok()
}

#[cfg(not(target_os = "linux"))]
fn in_abstract(_: &[u8]) -> Option<SocketAddr> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_hears_at_a_path_and_in_the_abstract_space() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listening = UnixDatagram::bind(&path).unwrap();
        Notifier::to(path.as_os_str(), None).unwrap().tell("READY=1");
        let name = format!("gridpact-test-{}", std::process::id());
        let hidden = UnixDatagram::bind_addr(&in_abstract(name.as_bytes()).unwrap()).unwrap();
        Notifier::to(OsStr::new(&format!("@{name}")), Some(Duration::ZERO)).unwrap().tell("STOPPING=1");
        for (socket, expected) in [(listening, "READY=1"), (hidden, "STOPPING=1")] {
            let mut heard = [0; 64];
            let length = socket.recv(&mut heard).unwrap();
            assert_eq!(&heard[..length], expected.as_bytes());
        }
    }
}
