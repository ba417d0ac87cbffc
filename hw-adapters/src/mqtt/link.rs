//! A connection to a broker that comes back by itself, and hands on what it hears at a bounded pace.

use super::login::Access;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher, RandomState};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, Instant};

/// Between attempts to reach the broker: doubled from the first to the last, and up to half as much again by chance,
/// so that a street's controllers do not all come back at once.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(16);
/// Largest packet taken. A larger one ends the connection, so this is well above what is read.
const PACKET_MAX_BYTES: usize = 512 * 1024;
/// Most messages a second; what floods waits at the broker, and not in here.
const MESSAGES_PER_S: u32 = 200;
/// Requests waiting to be sent.
const REQUESTS: usize = 256;
/// Messages waiting to be taken.
const HEARD: usize = 64;

/// What a broker sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It took us.
    Connected,
    /// It is gone, or was never reached: why.
    Disconnected(String),
    /// A message.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Vec<u8>,
        /// Whether it was kept by the broker.
        retained: bool,
    },
    /// So many messages a second that the rest has to wait.
    Flood,
}

/// Connects to `host:port`, and goes on doing so until the receiver is dropped.
pub fn connect(
    client_id: String,
    (host, port): (String, u16),
    access: &Access,
) -> (AsyncClient, mpsc::Receiver<Heard>) {
    let mut options = MqttOptions::new(client_id, host, port);
    options
        .set_keep_alive(Duration::from_secs(15))
        .set_clean_session(true)
        .set_max_packet_size(PACKET_MAX_BYTES, PACKET_MAX_BYTES);
    access.apply(&mut options);
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    // A command must not wait for the acknowledgement of something else.
    events.network_options.set_tcp_nodelay(true);
    let (heard, hears) = mpsc::channel(HEARD);
    tokio::spawn(follow(events, heard));
    (client, hears)
}

async fn follow(mut events: EventLoop, heard: mpsc::Sender<Heard>) {
    let mut retry = RETRY_FIRST;
    let (mut second, mut count) = (Instant::now(), 0_u32);
    loop {
        let said = tokio::select! {
            said = events.poll() => said,
            () = heard.closed() => return,
        };
        let next = match said {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                retry = RETRY_FIRST;
                Heard::Connected
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                if second.elapsed() >= Duration::from_secs(1) {
                    (second, count) = (Instant::now(), 0);
                }
                count += 1;
                if count > MESSAGES_PER_S {
                    if heard.send(Heard::Flood).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_secs(1).saturating_sub(second.elapsed())).await;
                }
                let (topic, payload) = (publish.topic, publish.payload.to_vec());
                Heard::Message { topic, payload, retained: publish.retain }
            }
            Ok(_) => continue,
            Err(error) => {
                // A command that was under way has failed by now; sent after the connection is back, it would steer
                // the device by a price long past.
                events.clean();
                events.pending.clear();
                if heard.send(Heard::Disconnected(error.to_string())).await.is_err() {
                    return;
                }
                sleep(retry + retry.mul_f64(chance() / 2.0)).await;
                retry = (retry * 2).min(RETRY_LAST);
                continue;
            }
        };
        if heard.send(next).await.is_err() {
            return;
        }
    }
}

/// Something from 0 to 1.
fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// Host and port of a broker.
///
/// # Errors
/// What is wrong with the address.
pub fn address(broker: &str) -> Result<(String, u16), String> {
    let (host, port) =
        broker.rsplit_once(':').ok_or_else(|| format!("broker {broker:?} is not host:port"))?;
    let port = port.parse().map_err(|_| format!("broker {broker:?} has no port"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || port == 0 {
        return Err(format!("broker {broker:?} has no host or no port"));
    }
    Ok((host.to_owned(), port))
}

/// One per device on a broker: two controllers of one device throw each other out, visibly.
pub fn client_id(of: &str) -> String {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let readable: String = of.chars().map(plain).take(40).collect();
    format!("gridpact-{readable}-{:08x}", hasher.finish() & 0xffff_ffff)
}

/// Sends a request, unless too many wait already.
pub fn publish(client: &AsyncClient, topic: &str, payload: &str) -> Result<(), String> {
    client.try_publish(topic, QoS::AtLeastOnce, false, payload).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(broker: &str, expected: Option<(&str, u16)>) {
        let expected = expected.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(address(broker).ok(), expected, "{broker}");
    }

    #[test]
    fn a_broker_is_a_host_and_a_port() {
        check("localhost:1883", Some(("localhost", 1883)));
        check("[::1]:1883", Some(("::1", 1883)));
        for broker in ["localhost", ":1883", "h:99999", "h:0", "h:"] {
            check(broker, None);
        }
    }

    #[test]
    fn client_ids_are_plain_and_differ() {
        let (one, other) = (client_id("House 1/Hp"), client_id("house-1-hp"));
        assert_ne!(one, other);
        assert!(one.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{one}");
    }
}
