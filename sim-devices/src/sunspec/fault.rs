//! How a simulated device misbehaves, settable while it is served, and the stream that sends half frames and
//! goes down with its device.

use crate::world::lock;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What is wrong with a Modbus device; charge points and heat pumps have [`crate::fault::Fault`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModbusFault {
    /// Nothing.
    #[default]
    None,
    /// It answers nothing, and keeps connections.
    Silent,
    /// It answers so much later.
    Late(Duration),
    /// It sends half of each answer.
    HalfFrames,
    /// It answers every request with the exception "server device busy".
    Busy,
    /// It acknowledges writes and forgets them.
    Forgets,
    /// It acknowledges writes, reads them back, and does not act on them.
    Pretends,
    /// It goes on giving the measurements it had.
    Frozen,
    /// It goes down for so long, with its connections, and comes back.
    Rebooting(Duration),
}

/// A fault met by chance.
#[derive(Debug)]
struct Chance {
    random: SmallRng,
    percent: u32,
    among: Vec<ModbusFault>,
}

#[derive(Debug, Default)]
struct State {
    fault: ModbusFault,
    chance: Option<Chance>,
    down_until: Option<Instant>,
}

/// A device's fault, shared between its server and whoever sets it.
#[derive(Clone, Debug, Default)]
pub struct FaultSwitch(Arc<Mutex<State>>);

impl FaultSwitch {
    /// Sets it, for every request from now on.
    pub fn set(&self, fault: ModbusFault) {
        let mut state = lock(&self.0);
        (state.fault, state.chance) = (fault, None);
    }

    /// Lets each request meet one of `among` with a chance of `percent` in a hundred, the same ones in each run
    /// with this `seed` and the same requests.
    pub fn set_by_chance(&self, seed: u64, percent: u32, among: Vec<ModbusFault>) {
        let random = SmallRng::seed_from_u64(seed);
        let mut state = lock(&self.0);
        state.chance = (!among.is_empty()).then_some(Chance { random, percent, among });
        state.fault = ModbusFault::None;
    }

    /// What it is set to, or the last request met.
    pub fn get(&self) -> ModbusFault {
        lock(&self.0).fault
    }

    /// What the next request meets.
    pub(super) fn next(&self) -> ModbusFault {
        let mut state = lock(&self.0);
        if let Some(Chance { random, percent, among }) = &mut state.chance {
            let met = random.random_range(0..100) < *percent;
            state.fault = if met { among[random.random_range(0..among.len())] } else { ModbusFault::None };
        }
        if let ModbusFault::Rebooting(time) = state.fault {
            state.down_until = Some(Instant::now() + time);
        }
        state.fault
    }

    /// Whether the device is down.
    pub(super) fn is_down(&self) -> bool {
        lock(&self.0).down_until.is_some_and(|until| Instant::now() < until)
    }
}

/// A connection that sends only half of what is written under [`ModbusFault::HalfFrames`], and breaks under
/// [`ModbusFault::Rebooting`].
#[derive(Debug)]
pub struct FaultyStream {
    inner: TcpStream,
    fault: FaultSwitch,
}

impl FaultyStream {
    /// Over `inner`.
    pub fn new(inner: TcpStream, fault: FaultSwitch) -> Self {
        Self { inner, fault }
    }
}

impl AsyncRead for FaultyStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for FaultyStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        frame: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.fault.get() {
            ModbusFault::HalfFrames => {
                let half = &frame[..frame.len() / 2];
                Pin::new(&mut self.inner).poll_write(cx, half).map_ok(|_| frame.len())
            }
            ModbusFault::Rebooting(_) => Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into())),
            _ => Pin::new(&mut self.inner).poll_write(cx, frame),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_same_in_every_run() {
        let run = |seed| {
            let switch = FaultSwitch::default();
            switch.set_by_chance(seed, 50, vec![ModbusFault::Silent, ModbusFault::Busy]);
            (0..50).map(|_| switch.next()).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let met = run(7).into_iter().filter(|fault| *fault != ModbusFault::None).count();
        assert!((10..40).contains(&met), "{met}");
    }

    #[test]
    fn a_device_that_reboots_is_down_for_a_while() {
        let switch = FaultSwitch::default();
        assert!(!switch.is_down());
        switch.set(ModbusFault::Rebooting(Duration::from_secs(600)));
        switch.next();
        assert!(switch.is_down());
    }
}
