//! As much of MQTT 3.1.1 as tells whether a broker takes a client and lets it hear something.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest packet passed over while an answer is waited for.
const MOST_BYTES: usize = 2 << 20;
/// Most packets passed over.
const MOST_PACKETS: usize = 1_000;
const CONNACK: u8 = 2;
const SUBACK: u8 = 9;
/// A subscription refused (section 3.9.3).
const REFUSED: u8 = 0x80;

/// Where it ended.
#[derive(Debug)]
pub enum Trouble {
    /// The connection broke, or brings something else than MQTT.
    Connection(io::Error),
    /// The broker takes no such client.
    Refused(String),
    /// It does not let it hear this.
    Filter,
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// Connects with a session of its own, asks for a filter, and leaves.
pub async fn greet<S>(mut stream: S, client: &str, filter: Option<&str>) -> Result<(), Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // Protocol name and level, a clean session, twenty seconds to live (section 3.1).
    let connect = [&text("MQTT")[..], &[4, 2, 0, 20], &text(client)].concat();
    stream.write_all(&packet(0x10, &connect)).await?;
    stream.flush().await?;
    let answer = awaited(&mut stream, CONNACK).await?;
    match answer.get(1) {
        Some(0) => {}
        Some(code) => return Err(Trouble::Refused(reason(*code).to_owned())),
        None => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
    if let Some(filter) = filter {
        let subscribe = [&[0, 1][..], &text(filter), &[1]].concat();
        stream.write_all(&packet(0x82, &subscribe)).await?;
        stream.flush().await?;
        if awaited(&mut stream, SUBACK).await?.get(2).is_none_or(|code| *code == REFUSED) {
            return Err(Trouble::Filter);
        }
    }
    // That it does not hear the goodbye changes nothing.
    let _ = stream.write_all(&packet(0xe0, &[])).await;
    let _ = stream.shutdown().await;
    Ok(())
}

/// What a CONNACK's code means (section 3.2.2.3).
fn reason(code: u8) -> &'static str {
    match code {
        1 => "it does not speak MQTT 3.1.1",
        2 => "it refuses the client id",
        3 => "it says that it is not available",
        4 => "it refuses user name or password",
        5 => "it says that this party is not authorised",
        _ => "it refuses for a reason of its own",
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&length[..], text.as_bytes()].concat()
}

fn packet(head: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![head];
    let mut length = body.len();
    loop {
        let more = length > 127;
        packet.push((length & 127) as u8 | if more { 128 } else { 0 });
        length >>= 7;
        if !more {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// The body of the next packet of a kind.
async fn awaited<S: AsyncRead + Unpin>(stream: &mut S, kind: u8) -> io::Result<Vec<u8>> {
    let other = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    for _ in 0..MOST_PACKETS {
        let head = stream.read_u8().await?;
        let mut length = 0usize;
        for place in 0.. {
            let byte = stream.read_u8().await?;
            length |= usize::from(byte & 127) << (7 * place);
            if byte & 128 == 0 {
                break;
            }
            if place == 3 {
                return Err(other("what comes is no MQTT"));
            }
        }
        if length > MOST_BYTES {
            return Err(other("what comes is no MQTT"));
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if head >> 4 == kind {
            return Ok(body);
        }
        if kind == CONNACK {
            return Err(other("what comes is no MQTT"));
        }
    }
    Err(other("it does not answer"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    async fn check(answers: &[u8], expected: &str) {
        let (ours, mut theirs) = duplex(4_096);
        theirs.write_all(answers).await.unwrap();
        let greeted = match greet(ours, "site-s1-check-1", Some("a/b")).await {
            Ok(()) => "stands".to_owned(),
            Err(Trouble::Connection(error)) => error.to_string(),
            Err(Trouble::Refused(reason)) => reason,
            Err(Trouble::Filter) => "filter".to_owned(),
        };
        assert_eq!(greeted, expected);
        let mut sent = vec![0; 4];
        theirs.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent[..2], [0x10, 27]);
    }

    #[tokio::test]
    async fn a_broker_is_told_from_what_is_none() {
        let publish = [0x30, 5, 0, 1, b'a', b'h', b'i'];
        check(&[&[0x20, 2, 0, 0][..], &publish, &[0x90, 3, 0, 1, 1]].concat(), "stands").await;
        check(&[0x20, 2, 0, 0, 0x90, 3, 0, 1, 0x80], "filter").await;
        check(&[0x20, 2, 0, 5], "it says that this party is not authorised").await;
        check(
            b"HTTP/1.1 400 Bad Request\r\n\r\n and so on, for as long as it takes to be read as a packet",
            "what comes is no MQTT",
        )
        .await;
    }
}
