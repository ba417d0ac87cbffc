//! Somebody who reads a ledger over HTTP, and keeps what was answered at which path.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// How long an answer may take; a stuck server fails the test.
const GUARD: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub media: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A client of one server.
pub struct Client {
    address: SocketAddr,
    /// Answers by path as the document names it.
    given: RefCell<BTreeMap<String, Vec<Answer>>>,
}

impl Client {
    pub fn of(address: SocketAddr) -> Self {
        Self { address, given: RefCell::default() }
    }

    /// Sends a request with these headers, and reads until the connection ends, or `enough` was read.
    pub fn send(&self, path: &str, headers: &str, enough: &str) -> Answer {
        self.method("GET", path, headers, enough).1
    }

    /// The same by any method; gives the answer's head, too, in small letters.
    fn method(&self, method: &str, path: &str, headers: &str, enough: &str) -> (String, Answer) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(GUARD)).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let (mut read, mut chunk) = (Vec::new(), [0; 4_096]);
        loop {
            let count = stream.read(&mut chunk).unwrap();
            read.extend_from_slice(&chunk[..count]);
            let found = !enough.is_empty() && String::from_utf8_lossy(&read).contains(enough);
            if count == 0 || found {
                break;
            }
        }
        let end = read.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer");
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let media = head.lines().find_map(|line| line.strip_prefix("content-type: "));
        let answer = Answer {
            status: head[9..12].parse().unwrap(),
            media: media.unwrap_or_default().to_owned(),
            body: read[end + 4..].to_vec(),
        };
        (head, answer)
    }

    /// HEAD is answered as GET is, without a body.
    pub fn check_head(&self, path: &str) {
        let headers = |head: &str| -> Vec<String> {
            head.lines().filter(|line| !line.starts_with("date:")).map(str::to_owned).collect()
        };
        let (got, _) = self.method("GET", path, "", "");
        let (head, answer) = self.method("HEAD", path, "", "");
        assert_eq!(headers(&head), headers(&got), "{path}");
        assert_eq!(answer.text(), "", "{path}");
    }

    pub fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        self.send(path, &bearer, "")
    }

    pub fn check(&self, path: &str, token: Option<&str>, expected: u16) {
        let answer = self.get(path, token);
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
        let media = if expected == 200 { "application/json" } else { "application/problem+json" };
        assert_eq!(answer.media, media, "{path}");
    }

    /// Asks at a path, as the document names it, with its parts and a query filled in; it must be answered.
    pub fn ask(&self, path: &str, parts: &[(&str, u64)], query: &str, token: Option<&str>) -> Answer {
        let filled = parts.iter().fold(path.to_owned(), |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), &value.to_string())
        });
        let answer = self.get(&format!("{filled}?{query}"), token);
        assert_eq!(answer.status, 200, "{filled}?{query}: {}", answer.text());
        self.keep(path, answer.clone());
        answer
    }

    /// Keeps an answer that was had otherwise.
    pub fn keep(&self, path: &str, answer: Answer) {
        self.given.borrow_mut().entry(path.to_owned()).or_default().push(answer);
    }

    /// Paths that something was answered at.
    pub fn asked(&self) -> Vec<String> {
        self.given.borrow().keys().cloned().collect()
    }

    /// Has other people's libraries hold the document and every answer in JSON against OpenAPI.
    pub fn check_by_peers(&self, document: &serde_json::Value) {
        let Ok(python) = std::env::var("PEERS_PYTHON") else {
            println!("NOT RUN: PEERS_PYTHON names no Python with openapi-spec-validator, so the document is unchecked");
            return;
        };
        let given = self.given.borrow();
        let answers = given.iter().flat_map(|(path, answers)| answers.iter().map(move |one| (path, one)));
        let answers = answers.map(|(path, Answer { status, media, body })| {
            let body: Option<serde_json::Value> =
                media.contains("json").then(|| serde_json::from_slice(body).unwrap());
            match body {
                Some(body) => {
                    serde_json::json!({ "path": path, "status": status, "media": media, "body": body })
                }
                None => serde_json::json!({ "path": path, "status": status, "media": media }),
            }
        });
        let answers: Vec<serde_json::Value> = answers.collect();
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, value: &serde_json::Value| {
            let path = folder.path().join(name);
            std::fs::write(&path, value.to_string()).unwrap();
            path
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/openapi.py");
        let (document, answers) = (put("document.json", document), put("answers.json", &answers.into()));
        let peer = Command::new(python).arg(script).args([document, answers]).output().unwrap();
        let said = String::from_utf8_lossy(&peer.stdout);
        assert!(peer.status.success(), "{said}{}", String::from_utf8_lossy(&peer.stderr));
        assert!(said.trim().ends_with("answers hold") && !said.starts_with("0 "), "{said}");
    }
}
