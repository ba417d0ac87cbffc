//! How fast many clients come in: all connect, say who they are, and are answered.

use super::super::figure::{Figure, Target};
use super::field::Broker;
use super::gate::Socket;
use super::MessagingError;
use std::io;
use std::time::Instant;

/// Threads that connect.
const THREADS: usize = 4;
/// Connections of a thread that are on their way at a time.
const AT_ONCE: usize = 100;

/// Seconds until all are in.
///
/// # Errors
/// Where one is not let in.
pub fn measure(broker: &Broker, clients: usize) -> Result<Figure, MessagingError> {
    let failed = |source| MessagingError::Socket { act: "connecting a crowd", source };
    let address = broker.address;
    let started = Instant::now();
    let connected = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn(move || -> io::Result<Vec<Socket>> {
                    let mut all = Vec::new();
                    let own: Vec<usize> = (thread..clients).step_by(THREADS).collect();
                    for some in own.chunks(AT_ONCE) {
                        let hailed =
                            some.iter().map(|number| Socket::hail(address, &format!("crowd-{number}")));
                        let mut hailed = hailed.collect::<io::Result<Vec<_>>>()?;
                        hailed.iter_mut().try_for_each(|socket| socket.packet().map(|_| ()))?;
                        all.append(&mut hailed);
                    }
                    Ok(all)
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a client's thread ended"))));
        joined.collect::<io::Result<Vec<_>>>()
    });
    let connected: usize = connected.map_err(failed)?.iter().map(Vec::len).sum();
    let lasted = started.elapsed().as_secs_f64();
    Ok(Figure {
        name: format!("{connected} clients connect"),
        measured: lasted,
        unit: "s",
        target: Target::AtMost(5.0),
        detail: format!("{:.0} a second, all there at once", connected as f64 / lasted),
    })
}
