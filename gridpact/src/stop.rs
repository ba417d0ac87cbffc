//! Being asked to stop. A process that only waits for Ctrl-C gets no SIGTERM where it is the first of a container, and is
//! killed in the end.

use std::future::Future;
use std::io;
use tokio::signal::unix::{signal, SignalKind};

/// Ready at Ctrl-C at a terminal, or at SIGTERM, by which service managers and containers stop what they started; both are
/// heard from now on.
///
/// # Errors
/// Where the system lets them not be waited for.
pub fn asked() -> io::Result<impl Future<Output = ()>> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}
