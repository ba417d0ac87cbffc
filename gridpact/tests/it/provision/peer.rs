//! A client that speaks MQTT by hand over TLS, with any certificate: it says what no library lets one say, and shows each
//! answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{crypto::ring, ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Longest wait for an answer that must come.
const ANSWER: Duration = Duration::from_secs(30);
/// Wait for one that must not come: long enough for any that would.
const SILENCE: Duration = Duration::from_millis(700);

/// A certificate and its key, PEM.
#[derive(Clone, Debug)]
pub struct Papers {
    pub certificate: String,
    pub key: String,
}

impl Papers {
    /// What stands beside each other in a machine's folder.
    pub fn read(tls: &Path, name: &str) -> Papers {
        let read = |end: &str| std::fs::read_to_string(tls.join(format!("{name}.{end}"))).unwrap();
        Papers { certificate: read("crt"), key: read("key") }
    }
}

/// A connection, over TLS.
pub struct Peer(StreamOwned<ClientConnection, TcpStream>);

/// A text as MQTT writes it.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let (mut length, mut head) = (body.len(), vec![kind]);
    loop {
        let more = length >= 128;
        head.push((length % 128) as u8 | if more { 0x80 } else { 0 });
        length /= 128;
        if !more {
            return [&head[..], body].concat();
        }
    }
}

impl Peer {
    /// Connects to a broker that is trusted by this authority, with these papers or none.
    pub fn open(broker: SocketAddr, authority: &Path, papers: Option<&Papers>) -> Peer {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match papers {
            Some(papers) => {
                let chain = vec![CertificateDer::from_pem_slice(papers.certificate.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        let stream = TcpStream::connect(broker).unwrap();
        let name = ServerName::from(broker.ip());
        Peer(StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream))
    }

    /// Says CONNECT with a clean session; whether it is let in. A will comes with its topic.
    pub fn enters(&mut self, client_id: &str, will: Option<&str>) -> bool {
        let flags = if will.is_some() { 0x06 } else { 0x02 };
        let mut body = [&text("MQTT")[..], &[4, flags, 0, 60], &text(client_id)].concat();
        if let Some(topic) = will {
            body.extend([text(topic), text("will")].concat());
        }
        self.say(&packet(0x10, &body));
        self.hears(ANSWER).is_some_and(|heard| heard[0] == 0x20 && heard[3] == 0)
    }

    /// Subscribes with QoS 1; whether that is granted.
    pub fn subscribes(&mut self, filter: &str) -> bool {
        self.say(&packet(0x82, &[&[0, 1][..], &text(filter), &[1]].concat()));
        self.hears(ANSWER).is_some_and(|heard| heard[0] == 0x90 && heard[4] != 0x80)
    }

    /// Publishes with QoS 1. The answer is not waited for.
    pub fn publishes(&mut self, topic: &str, content: &str) {
        self.say(&packet(0x32, &[&text(topic)[..], &[0, 7], content.as_bytes()].concat()));
    }

    /// Publishes with QoS 2.
    pub fn publishes_twice_sure(&mut self, topic: &str) {
        self.say(&packet(0x34, &[&text(topic)[..], &[0, 7], b"x"].concat()));
    }

    /// Topic and content of the next message, where one comes.
    pub fn message(&mut self) -> Option<(String, String)> {
        self.message_within(ANSWER)
    }

    /// Whether nothing comes.
    pub fn hears_nothing(&mut self) -> bool {
        self.message_within(SILENCE).is_none()
    }

    /// Whether it still is connected.
    pub fn lives(&mut self) -> bool {
        self.say(&[0xc0, 0]);
        while let Some(heard) = self.hears(ANSWER) {
            if heard[0] == 0xd0 {
                return true;
            }
        }
        false
    }

    fn message_within(&mut self, wait: Duration) -> Option<(String, String)> {
        loop {
            let heard = self.hears(wait)?;
            if heard[0] & 0xf0 != 0x30 {
                continue;
            }
            // A test's messages have fewer than 16,384 bytes.
            let start = if heard[1] & 0x80 == 0 { 2 } else { 3 };
            let length = usize::from(u16::from_be_bytes([heard[start], heard[start + 1]]));
            let topic = &heard[start + 2..start + 2 + length];
            let number = if heard[0] & 0x06 == 0 { 0 } else { 2 };
            let content = &heard[start + 2 + length + number..];
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            return Some((text(topic), text(content)));
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        // A broker that has hung up is seen by what is heard.
        let _ = self.0.write_all(bytes);
    }

    /// The next packet, where one comes in time and the broker has not hung up.
    fn hears(&mut self, wait: Duration) -> Option<Vec<u8>> {
        self.0.sock.set_read_timeout(Some(wait)).unwrap();
        let mut heard = vec![0; 2];
        self.0.read_exact(&mut heard).ok()?;
        let mut length = usize::from(heard[1] & 0x7f);
        let mut shift = 7;
        while heard.last().is_some_and(|byte| byte & 0x80 != 0) {
            let mut byte = [0];
            self.0.read_exact(&mut byte).ok()?;
            heard.push(byte[0]);
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        heard.extend(body);
        Some(heard)
    }
}
