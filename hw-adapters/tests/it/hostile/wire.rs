//! Websocket frames and handshakes made by hand, so that they can also be made wrongly.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The first header byte's bit that ends a message.
pub const FIN: u8 = 0x80;

/// A request for a websocket on `path`, with more header lines.
pub fn request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// Sends `bytes` on a connection of its own and gives the status of the answer; 0 where none came.
pub async fn status(address: SocketAddr, bytes: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.ok();
    head(&mut stream).await
}

async fn head(stream: &mut TcpStream) -> u16 {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// A connection past its handshake.
pub async fn open(address: SocketAddr, identity: &str, protocol: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = request(&format!("/ocpp/{identity}"), &format!("Sec-WebSocket-Protocol: {protocol}\r\n"));
    stream.write_all(request.as_bytes()).await.unwrap();
    assert_eq!(head(&mut stream).await, 101);
    stream
}

/// A client's frame: masked, the mask all zeros.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..=65_535 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

pub fn text(payload: &str) -> Vec<u8> {
    frame(FIN | TEXT, payload.as_bytes())
}

/// Writes what the peer still takes.
pub async fn write(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.ok();
}

/// Reads until the peer closes.
pub async fn until_closed(stream: &mut TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// The next text the peer sends; none where it closes.
pub async fn heard(stream: &mut TcpStream) -> Option<String> {
    loop {
        let first = stream.read_u8().await.ok()?;
        let length = match stream.read_u8().await.ok()? {
            126 => u64::from(stream.read_u16().await.ok()?),
            127 => stream.read_u64().await.ok()?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.ok()?;
        match first & 0x0f {
            TEXT => return String::from_utf8(payload).ok(),
            CLOSE => return None,
            _ => {}
        }
    }
}

/// The next answer or refusal, past what the central system asks by itself; empty where it closes.
pub async fn answer(stream: &mut TcpStream) -> String {
    loop {
        match heard(stream).await {
            Some(text) if text.starts_with("[2,") => {}
            other => return other.unwrap_or_default(),
        }
    }
}
