//! Limits, measured raw: what signatures cost when nothing else is done, what a message's way through the
//! broker takes, and what a write takes until the disk has it.

use super::super::stopwatch::timed;
use super::super::BenchError;
use crate::cluster::follower::client;
use crate::cluster::{layout, ClusterError};
use ed25519_dalek::{Signer as _, SigningKey};
use ed25519_zebra::{batch, Signature, VerificationKeyBytes};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rand_core::{CryptoRng, RngCore};
use rumqttc::{Event, Packet, QoS};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes an entry's signature covers.
const MESSAGE_BYTES: usize = 400;
/// Signatures verified together.
const BATCH: usize = 1_024;
/// Bytes of a vote on its way, and of a small record.
const SMALL_BYTES: usize = 400;
/// Samples of hops and of writes.
const SAMPLES: usize = 200;

/// What finality can't be faster than by much.
pub struct Floor {
    /// One message's way through the broker, the median.
    pub hop: Duration,
    /// One small write until the disk has it, the median.
    pub sync: Duration,
}

impl Floor {
    /// Three hops and two writes: a proposal, two votes; what was said and what was decided.
    pub fn finality(&self) -> Duration {
        3 * self.hop + 2 * self.sync
    }
}

/// Signatures a second that all cores verify in batches, each core its own.
///
/// # Errors
/// None: the signatures hold.
pub fn verified_per_second(count: usize) -> Result<f64, BenchError> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let site = |number| Ok::<_, ClusterError>(layout::key_of(&layout::site(number)?));
    let keys = (0..super::SITES).map(site).collect::<Result<Vec<_>, _>>()?;
    let signed: Vec<Signed> = (0..count).map(|number| Signed::new(number, &keys)).collect();
    let share = count.div_ceil(cores).max(1);
    let (lasted, _) = timed(|| {
        std::thread::scope(|scope| {
            for part in signed.chunks(share) {
                scope.spawn(move || part.chunks(BATCH).all(Signed::hold));
            }
        })
    });
    Ok(count as f64 / lasted.as_secs_f64())
}

struct Signed {
    message: Vec<u8>,
    signature: Signature,
    key: VerificationKeyBytes,
}

impl Signed {
    fn new(number: usize, keys: &[SigningKey]) -> Signed {
        let key = &keys[number % keys.len()];
        let mut message = vec![0; MESSAGE_BYTES];
        message[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let signature = Signature::from(key.sign(&message).to_bytes());
        Signed { signature, key: VerificationKeyBytes::from(key.verifying_key().to_bytes()), message }
    }

    /// As cheap as it gets: keys that occur twice count once.
    fn hold(signed: &[Signed]) -> bool {
        let mut together = batch::Verifier::new();
        for one in signed {
            together.queue((one.key, one.signature, &one.message));
        }
        together.verify(Coefficients(SmallRng::seed_from_u64(1))).is_ok()
    }
}

/// Coefficients that cost nothing. Nobody is to be convinced here.
struct Coefficients(SmallRng);

impl CryptoRng for Coefficients {}

impl RngCore for Coefficients {
    fn next_u32(&mut self) -> u32 {
        self.0.random()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.random()
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// Measures hops through a validator's broker, and writes to a file at `scratch`.
///
/// # Errors
/// Where the broker does not answer, or the file can't be written.
pub async fn floor(address: SocketAddr, scratch: &Path) -> Result<Floor, BenchError> {
    Ok(Floor { hop: hop(address).await?, sync: sync(scratch).map_err(BenchError::Folder)? })
}

async fn hop(address: SocketAddr) -> Result<Duration, BenchError> {
    const TOPIC: &str = "gridpact/bench/hop";
    let (sender, mut sent) = client(address, "bench-hop-out");
    let (receiver, mut received) = client(address, "bench-hop-in");
    let limit = Duration::from_secs(10);
    let late = |_| ClusterError::Late { what: "a message through the broker".to_owned(), limit };
    let pump = tokio::spawn(async move { while sent.poll().await.is_ok() {} });
    // Fails only where the client has ended.
    let _ = receiver.subscribe(TOPIC, QoS::AtLeastOnce).await;
    let mut wait = async |wanted: fn(&Packet) -> bool| {
        while let Ok(event) = received.poll().await {
            if matches!(&event, Event::Incoming(packet) if wanted(packet)) {
                return;
            }
        }
    };
    let subscribed = wait(|packet| matches!(packet, Packet::SubAck(_)));
    tokio::time::timeout(limit, subscribed).await.map_err(late)?;
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let start = Instant::now();
        let _ = sender.publish(TOPIC, QoS::AtLeastOnce, false, vec![0; SMALL_BYTES]).await;
        let arrived = wait(|packet| matches!(packet, Packet::Publish(_)));
        tokio::time::timeout(limit, arrived).await.map_err(late)?;
        times.push(start.elapsed());
    }
    pump.abort();
    Ok(super::finality::quantile(&mut times, 0.5))
}

fn sync(scratch: &Path) -> std::io::Result<Duration> {
    let mut file = OpenOptions::new().create(true).append(true).open(scratch)?;
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let start = Instant::now();
        file.write_all(&[0; SMALL_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(super::finality::quantile(&mut times, 0.5))
}
