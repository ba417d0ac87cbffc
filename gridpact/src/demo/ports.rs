//! Free ports on loopback, for what must be told a port before it listens.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Below what Linux, macOS and Windows hand out to outgoing connections by default, so that a port
/// found free is not taken by one of our own connections before it is listened on.
const RANGE: std::ops::Range<u16> = 15_000..31_000;

/// Hands out ports nobody listens on, no port twice.
#[derive(Debug)]
pub struct FreePorts {
    next: u16,
    left: usize,
}

impl FreePorts {
    /// Begins at a random place, so that two demos on one machine seldom try the same ports.
    ///
    /// # Errors
    /// Where the operating system gives no randomness.
    pub fn new() -> io::Result<Self> {
        let random = getrandom::u32().map_err(|error| io::Error::other(error.to_string()))?;
        let next = RANGE.start + (random % RANGE.len() as u32) as u16;
        Ok(Self { next, left: RANGE.len() })
    }

    /// The next free port on 127.0.0.1.
    ///
    /// # Errors
    /// Where none is left.
    pub fn take(&mut self) -> io::Result<SocketAddr> {
        while self.left > 0 {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.next));
            self.left -= 1;
            self.next = if self.next + 1 == RANGE.end { RANGE.start } else { self.next + 1 };
            if TcpListener::bind(address).is_ok() {
                return Ok(address);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port on loopback"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_taken_is_passed_over_and_none_comes_twice() {
        let mut ports = FreePorts::new().unwrap();
        let first = ports.take().unwrap();
        let _held = TcpListener::bind(first).unwrap();
        let mut again = FreePorts { next: first.port(), left: 2 };
        assert_ne!(again.take().unwrap(), first);
        assert_ne!(ports.take().unwrap(), first);
    }
}
