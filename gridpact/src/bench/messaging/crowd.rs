//! How fast many clients come in: all connect, say who they are, and are answered.

use super::super::figure::{Figure, Target};
use super::field::Broker;
use super::socket::Socket;
use super::MessagingError;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// Threads that connect.
const THREADS: usize = 4;
/// Connections of a thread that are on their way at a time.
const AT_ONCE: usize = 100;
/// Times that a client which was not let in tries again, as a link would.
const AGAIN: usize = 3;

/// Seconds until all are in.
///
/// # Errors
/// Where one is not let in.
pub fn measure(broker: &Broker, clients: usize) -> Result<Figure, MessagingError> {
    let failed = |source| MessagingError::Client { broker: broker.name(), source };
    let address = broker.address;
    let started = Instant::now();
    let connected = std::thread::scope(|scope| {
        let all: Vec<usize> = (0..clients).collect();
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let own: Vec<usize> = all.iter().copied().skip(thread).step_by(THREADS).collect();
                scope.spawn(move || enter(address, &own))
            })
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a client's thread ended"))));
        joined.collect::<io::Result<Vec<_>>>()
    });
    let connected = connected.map_err(failed)?;
    let again: usize = connected.iter().map(|entered| entered.again).sum();
    let connected: usize = connected.iter().map(|entered| entered.clients.len()).sum();
    let lasted = started.elapsed().as_secs_f64();
    Ok(Figure {
        name: format!("{connected} clients connect"),
        measured: lasted,
        unit: "s",
        target: Target::AtMost(5.0),
        detail: format!(
            "{:.0} a second, all there at once; {again} had to try again",
            connected as f64 / lasted
        ),
    })
}

/// Clients that are in, and how many of them were not at once.
#[derive(Default)]
struct Entered {
    clients: Vec<Socket>,
    again: usize,
}

fn enter(address: SocketAddr, numbers: &[usize]) -> io::Result<Entered> {
    let mut entered = Entered::default();
    let hail = |number: usize| Socket::hail(address, &format!("crowd-{number}"));
    for some in numbers.chunks(AT_ONCE) {
        let hailed = some.iter().map(|number| hail(*number)).collect::<io::Result<Vec<_>>>()?;
        for (number, mut socket) in some.iter().zip(hailed) {
            let mut welcome = socket.welcome();
            for _ in 0..AGAIN {
                let Err(error) = &welcome else { break };
                tracing::warn!(%error, "a client tries again");
                entered.again += 1;
                socket = hail(*number)?;
                welcome = socket.welcome();
            }
            welcome?;
            entered.clients.push(socket);
        }
    }
    Ok(entered)
}
