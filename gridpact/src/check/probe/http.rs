//! One GET over HTTP/1.1 in the clear, for what a process of this machine says of itself.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most bytes of an answer read.
const MOST_BYTES: u64 = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// A status and what came with it.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Asks for a path.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer within 5 s");
    tokio::time::timeout(PATIENCE, exchange(address, path)).await.map_err(late)?
}

async fn exchange(mut address: SocketAddr, path: &str) -> io::Result<Answer> {
    if address.ip().is_unspecified() {
        let own: [std::net::IpAddr; 2] =
            [std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv6Addr::LOCALHOST.into()];
        address.set_ip(own[usize::from(address.is_ipv6())]);
    }
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut bytes).await?;
    parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| io::Error::other("it does not speak HTTP"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("\r\ntransfer-encoding: chunked");
    Some(Answer { status, body: if chunked { joined(body)? } else { body.to_owned() } })
}

/// A body that came in pieces (RFC 9112 section 7.1).
fn joined(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_whole_or_in_pieces() {
        let check = |text: &str, expected: Option<(u16, &str)>| {
            let parsed = parse(text).map(|answer| (answer.status, answer.body));
            assert_eq!(parsed, expected.map(|(status, body)| (status, body.to_owned())), "{text}");
        };
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Some((200, "ok")));
        let pieces =
            "HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n6;a=b\r\n ready\r\n0\r\n\r\n";
        check(pieces, Some((503, "not ready")));
        check("SSH-2.0-OpenSSH\r\n\r\n", None);
        check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nx", None);
    }
}
