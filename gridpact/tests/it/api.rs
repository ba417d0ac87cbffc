//! A validator's ledger read over HTTP: a real validator, sockets, and tokens by other people's library too.

use crate::client::Client;
use gridpact::api::{document, routes};
use gridpact::cluster::layout::{key_of, site, Layout};
use gridpact::demo::ports::FreePorts;
use gridpact::run::running::Running;
use gridpact::run::start::Hooks;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
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
    client: Client,
    layout: Layout,
}

impl Api {
    fn token(&self, party: &PartyId) -> String {
        let signer = Signer::new(self.layout.genesis.network.clone(), party.clone(), key_of(party), 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        issue(&signer, &self.layout.genesis.id().unwrap(), now as i64, 300).unwrap()
    }

    fn check(&self, path: &str, token: Option<&str>, expected: u16) {
        self.client.check(path, token, expected);
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
    let api = Api { client: Client::of(address), layout };
    tokio::task::spawn_blocking(move || check_all(&api)).await.unwrap();
    running.stop().await;
}

fn check_all(api: &Api) {
    let own = site(0).unwrap();
    let (own_token, dso_token) =
        (api.token(&own), api.token(&PartyId::new(Role::Dso, "dso".parse().unwrap())));
    let (own_token, dso_token) = (Some(own_token.as_str()), Some(dso_token.as_str()));
    let status = api.client.get("/v1/status", None);
    let text = status.text();
    assert!(status.status == 200 && text.contains(&api.layout.genesis.id().unwrap().to_string()), "{text}");
    api.check("/v1/status?surprise=1", None, 400);
    api.check("/v1/heads?from=1&to=9", None, 200);
    api.check("/v1/balance", None, 401);
    api.check("/v1/balance", own_token, 200);
    api.check("/v1/balance?account=dso", own_token, 403);
    api.check("/v1/balance", Some("AAAA"), 401);
    api.check("/v1/participants", own_token, 403);
    api.check("/v1/participants", dso_token, 200);
    api.check("/v1/stream", own_token, 403);
    api.check("/v1/blocks/7", dso_token, 404);
    api.check("/v1/blocks/seven", dso_token, 400);
    api.check("/v1/blocks/18446744073709551616", dso_token, 400);
    let day = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    api.check(&format!("/v1/prices?{day}"), None, 200);
    api.check(&format!("/v1/commitments?{day}"), own_token, 200);
    api.check(&format!("/v1/aggregates?{day}"), dso_token, 200);
    api.check(&format!("/v1/aggregates?{day}"), own_token, 403);
    api.check(&format!("/v1/statement?{day}"), own_token, 200);
    api.check(&format!("/v1/statement?{day}&format=xml"), own_token, 400);
    api.check("/v1/evidence", own_token, 403);
    api.check("/v1/evidence", dso_token, 200);
    api.check("/v1/governance", own_token, 200);
    api.check("/v1/governance", None, 401);
    api.check("/v1/heads/proof", None, 404);
    api.check("/v1/proof?interval=2026-01-01T00:00:00Z", own_token, 404);
    api.check("/v1/prices?from=now&to=then", None, 400);
    api.check("/v1/prices?from=2026-01-01T00:00:00Z&to=2027-01-02T00:00:00Z", None, 400);
    api.check("/v1/nothing", None, 404);
    for path in ["/openapi.json", "/v1/heads?from=1&to=9", "/v1/balance", "/v1/nothing"] {
        api.client.check_head(path);
    }
    check_peers_token(api, &own);
    check_any_text(api, &[None, own_token, dso_token, Some("not a token")]);
}

/// Values of all kinds that a parameter or a part of a path may be given.
const VALUES: [&str; 24] = [
    "",
    "=",
    "&",
    "%00",
    "%FF%FE",
    "-1",
    "0",
    "1",
    "7",
    "18446744073709551615",
    "99999999999999999999",
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00Z",
    "2026-01-31T00:00:00%2B01:00",
    "1969-12-31T23:59:59Z",
    "-9999-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "acct-s0",
    "acct-s1",
    "site/s0",
    "csv",
    "interval",
    "rounding",
    "..",
];

/// Whatever is asked is answered or refused, and the server goes on.
fn check_any_text(api: &Api, tokens: &[Option<&str>]) {
    let mut random = SmallRng::seed_from_u64(7);
    let document = document::render();
    let paths = document["paths"].as_object().unwrap();
    let names: Vec<&String> = paths.keys().filter(|path| *path != routes::STREAM).collect();
    let mut answered = BTreeMap::new();
    for _ in 0..3_000 {
        let name = names[random.random_range(0..names.len())];
        let mut query = Vec::new();
        let mut path = name.clone();
        for parameter in paths[name]["get"]["parameters"].as_array().unwrap() {
            let fitting: &[&str] = match parameter["schema"]["format"].as_str() {
                Some("date-time") => &VALUES[11..17],
                Some(_) => &VALUES[6..10],
                None => &VALUES[17..23],
            };
            let among = if random.random_bool(0.8) { fitting } else { &VALUES };
            let (key, value) =
                (parameter["name"].as_str().unwrap(), among[random.random_range(0..among.len())]);
            if parameter["in"] == "path" {
                path = path.replace(&format!("{{{key}}}"), value);
            } else if parameter["required"] == true || random.random_bool(0.5) {
                query.push(format!("{key}={value}"));
            }
        }
        if random.random_bool(0.1) {
            query.push(VALUES[random.random_range(0..VALUES.len())].to_owned());
        }
        let (query, token) = (query.join("&"), tokens[random.random_range(0..tokens.len())]);
        let answer = api.client.get(&format!("{path}?{query}"), token);
        let expected = [200, 400, 401, 403, 404, 422].contains(&answer.status);
        assert!(expected, "{path}?{query}: {} {}", answer.status, answer.text());
        *answered.entry(answer.status).or_insert(0) += 1;
    }
    println!("answers by status: {answered:?}");
    assert!([200, 400, 401, 403, 404].iter().all(|status| answered[status] > 20), "{answered:?}");
    api.check("/v1/status", None, 200);
}

fn check_peers_token(api: &Api, own: &PartyId) {
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
    api.check("/v1/balance", Some(String::from_utf8_lossy(&made.stdout).trim()), 200);
}
