//! A validator's ledger read over HTTP: a real validator, sockets, and tokens by other people's library too.

use gridpact::api::document;
use gridpact::cluster::layout::{key_of, site, Layout};
use gridpact::demo::ports::FreePorts;
use gridpact::run::running::Running;
use gridpact::run::start::Hooks;
use std::io::Write;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wire::envelope::Signer;
use wire::party::{PartyId, Role};
use wire::token::issue;

/// A site's token, made by PyPI's `cwt`.
const PEER_TOKEN: &str = "
import base64, sys, time, cwt
private, public, issuer, audience = sys.argv[1:]
key = cwt.COSEKey.new({1: 1, 3: -8, -1: 6, -2: bytes.fromhex(public), -4: bytes.fromhex(private)})
now = int(time.time())
token = cwt.encode({'iss': issuer, 'aud': audience, 'iat': now, 'exp': now + 300}, key)
print(base64.urlsafe_b64encode(token).decode().rstrip('='))
";

struct Api {
    address: SocketAddr,
    layout: Layout,
}

impl Api {
    fn token(&self, party: &PartyId) -> String {
        let signer = Signer::new(self.layout.genesis.network.clone(), party.clone(), key_of(party), 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        issue(&signer, &self.layout.genesis.id().unwrap(), now as i64, 300).unwrap()
    }

    async fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let bearer = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{bearer}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    async fn check(&self, path: &str, token: Option<&str>, expected: u16) {
        let (status, body) = self.get(path, token).await;
        assert_eq!(status, expected, "{path}: {body}");
    }
}

#[actix::test]
async fn the_ledger_is_read_over_http_by_those_who_may() {
    let folder = tempfile::tempdir().unwrap();
    let mut ports = FreePorts::new().unwrap();
    let layout = Layout::write(folder.path(), 2, &mut ports).unwrap();
    let address = ports.take().unwrap();
    let file = layout.validators[0].file.clone();
    let mut text = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    writeln!(text, "\n[api]\nlisten = \"{address}\"").unwrap();
    let mut running = Running::new().unwrap();
    running.start(&[file], &Hooks::default()).await.unwrap();
    let api = Api { address, layout };
    let own = site(0).unwrap();
    let (own_token, dso_token) =
        (api.token(&own), api.token(&PartyId::new(Role::Dso, "dso".parse().unwrap())));
    let (own_token, dso_token) = (Some(own_token.as_str()), Some(dso_token.as_str()));
    let (status, body) = api.get("/v1/status", None).await;
    assert!(status == 200 && body.contains(&api.layout.genesis.id().unwrap().to_string()), "{body}");
    api.check("/v1/heads?from=1&to=9", None, 200).await;
    api.check("/v1/balance", None, 401).await;
    api.check("/v1/balance", own_token, 200).await;
    api.check("/v1/balance?account=dso", own_token, 403).await;
    api.check("/v1/balance", Some("AAAA"), 401).await;
    api.check("/v1/participants", own_token, 403).await;
    api.check("/v1/participants", dso_token, 200).await;
    api.check("/v1/stream", own_token, 403).await;
    api.check("/v1/blocks/7", dso_token, 404).await;
    let day = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    api.check(&format!("/v1/prices?{day}"), None, 200).await;
    api.check(&format!("/v1/commitments?{day}"), own_token, 200).await;
    api.check("/v1/prices?from=now&to=then", None, 400).await;
    api.check("/v1/prices?from=2026-01-01T00:00:00Z&to=2027-01-02T00:00:00Z", None, 400).await;
    api.check("/v1/nothing", None, 404).await;
    check_document(&api).await;
    check_peers_token(&api, &own).await;
    running.stop().await;
}

/// Every path described is one that is answered, and not with "no such path".
async fn check_document(api: &Api) {
    let (status, body) = api.get("/openapi.json", None).await;
    let served: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &served), (200, &document::render()));
    let paths = served["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 10);
    for path in paths.keys() {
        let (status, body) = api.get(&path.replace("{height}", "1").replace("{entry}", "0"), None).await;
        assert!(status != 404 || body.contains("there is no"), "{path}: {status} {body}");
    }
}

async fn check_peers_token(api: &Api, own: &PartyId) {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!(
            "NOT RUN: PEERS_PYTHON names no Python with cwt, so no token by another's library was tried"
        );
        return;
    };
    let (private, public) = (key_of(own).to_bytes(), key_of(own).verifying_key().to_bytes());
    let ledger = api.layout.genesis.id().unwrap().to_string();
    let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let arguments = ["-c", PEER_TOKEN, &hex(private), &hex(public), &own.to_string(), &ledger];
    let made = Command::new(python).args(arguments).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    api.check("/v1/balance", Some(String::from_utf8_lossy(&made.stdout).trim()), 200).await;
}
