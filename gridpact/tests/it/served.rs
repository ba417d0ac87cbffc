//! A ledger that a demo left, read over HTTP from one of its validators: every path the document has, proofs that are
//! checked offline, and files that are byte for byte those of the commands.

use crate::client::{Answer, Client};
use gridpact::api::{document, routes};
use gridpact::demo::ports::FreePorts;
use gridpact::run::running::Running;
use gridpact::run::start::Hooks;
use ledger::genesis::Genesis;
use ledger::proof::head::HeadProof;
use ledger::verify::replay;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use wire::entry::{DeliveryEntry, Entry};
use wire::party::{PartyId, Role};

const HOUR_S: i64 = 3_600;

/// The first validator's configuration, with an interface and without the mesh: alone it serves what there is.
pub fn alone(data: &Path, address: SocketAddr, console: bool) -> PathBuf {
    let text = std::fs::read_to_string(data.join("roles/validator-v1.toml")).unwrap();
    let mut file: toml::Table = text.parse().unwrap();
    file.remove("mesh");
    let keys = [("listen".to_owned(), address.to_string().into()), ("console".to_owned(), console.into())];
    let api = toml::Table::from_iter(keys);
    file.insert("api".to_owned(), api.into());
    let path = data.join("roles/validator-v1-alone.toml");
    std::fs::write(&path, file.to_string()).unwrap();
    path
}

pub fn token(data: &Path, party: &PartyId) -> String {
    let file = data.join(format!("roles/{}-{}.toml", party.role.word(), party.id));
    let mut token = Vec::new();
    gridpact::token::run(&file, 15, &mut token).unwrap();
    String::from_utf8(token).unwrap().trim().to_owned()
}

fn command(arguments: &[&dyn AsRef<OsStr>]) -> Output {
    let mut process = Process::new(env!("CARGO_BIN_EXE_gridpact"));
    process.arg("ledger").args(arguments.iter().map(|argument| (**argument).as_ref()));
    process.output().unwrap()
}

fn said(output: &Output) -> &[u8] {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    &output.stdout
}

fn rfc3339(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap().format(&Rfc3339).unwrap()
}

struct Scene<'a> {
    data: &'a Path,
    ledger: PathBuf,
    client: &'a Client,
    genesis: Genesis,
    delivery: DeliveryEntry,
    /// The validator's, which may see everything but the settlement of all.
    all: String,
    dso: String,
}

impl Scene<'_> {
    /// Two sites, with the accounts of their owners.
    fn sites(&self) -> [(PartyId, String); 2] {
        let of_account = |account: &wire::party::Id| {
            let participants = self.genesis.participants.iter();
            let mut sites = participants.filter(|p| p.party.role == Role::Site && p.account == *account);
            (sites.next().unwrap().party.clone(), account.to_string())
        };
        [0, 1].map(|place| of_account(&self.delivery.sites[place].account))
    }

    fn start_s(&self) -> i64 {
        self.delivery.interval.start().0
    }

    fn span(&self, hours: i64) -> String {
        let hour = self.start_s() - self.start_s() % HOUR_S;
        format!("from={}&to={}", rfc3339(hour), rfc3339(hour + hours * HOUR_S))
    }

    /// A site's owner fetches her proof, checks it offline, and nobody else's.
    fn check_proof(&self) {
        let [(own, account), (other, _)] = self.sites();
        let (own, other) = (token(self.data, &own), token(self.data, &other));
        let interval = rfc3339(self.start_s());
        let query = format!("interval={interval}");
        let proof = self.client.ask("/v1/proof", &[], &query, Some(&own));
        assert_eq!(proof.media, "application/cbor");
        let [fetched, made, genesis] =
            ["fetched.proof", "made.proof", "genesis.json"].map(|name| self.data.join(name));
        std::fs::write(&fetched, &proof.body).unwrap();
        let checked = command(&[&"check", &fetched, &"--genesis", &genesis, &"--json"]);
        let proven: Value = serde_json::from_slice(said(&checked)).unwrap();
        assert_eq!(proven["account"], account);
        assert_eq!(proven["commitment"], self.delivery.sites[0].commitment.0);
        let arguments: [&dyn AsRef<OsStr>; 8] =
            [&"prove", &self.ledger, &"--party", &account, &"--interval", &interval, &"-o", &made];
        said(&command(&arguments));
        assert_eq!(std::fs::read(&made).unwrap(), proof.body);
        let named = format!("/v1/proof?{query}&account={account}");
        assert_eq!(self.client.get(&named, Some(&own)).body, proof.body);
        assert_eq!(self.client.get(&named, Some(&self.all)).body, proof.body);
        self.client.check(&named, Some(&other), 403);
        self.client.check(&named, None, 401);
        self.client.check(&format!("{named}&since=1000000"), Some(&own), 404);
        let later = format!("/v1/proof?interval={}", rfc3339(self.start_s() + 1_000 * HOUR_S));
        self.client.check(&later, Some(&own), 404);
    }

    fn check_receipts(&self) {
        let height = self.client.get("/v1/status", None).json()["height"].as_u64().unwrap();
        let proof = self.client.ask("/v1/heads/proof", &[], "height=1&since=2", None);
        let proven = HeadProof::decode(&proof.body).unwrap().check(&self.genesis, None).unwrap();
        assert_eq!((proven.head.height, proven.block.unwrap().height), (height, 1));
        let [file, genesis] = ["head.proof", "genesis.json"].map(|name| self.data.join(name));
        std::fs::write(&file, &proof.body).unwrap();
        let checked = command(&[&"check", &file, &"--genesis", &genesis, &"--json"]);
        let told: Value = serde_json::from_slice(said(&checked)).unwrap();
        assert_eq!((&told["head"]["height"], &told["block"]["height"]), (&height.into(), &1.into()));
        let in_words = command(&[&"check", &file, &"--genesis", &genesis]);
        assert!(String::from_utf8_lossy(said(&in_words)).contains("of 4 validators"));
        // It shows how it goes on block 2, and not on itself.
        let after = command(&[&"check", &file, &"--genesis", &genesis, &"--after", &file]);
        assert_eq!(after.status.code(), Some(3));
        let parts = [("height", 1), ("entry", 0)];
        let proof = self.client.ask("/v1/blocks/{height}/entries/{entry}/proof", &parts, "", Some(&self.all));
        assert_eq!(proof.media, "application/cbor");
        let entry =
            self.client.ask("/v1/blocks/{height}/entries/{entry}", &parts, "", Some(&self.all)).json();
        assert_eq!((&entry["height"], &entry["entry"]), (&1.into(), &0.into()));
        let [(own, _), _] = self.sites();
        let own = token(self.data, &own);
        self.client.check("/v1/blocks/1/entries/0/proof", Some(&own), 403);
        self.client.check("/v1/blocks/1/entries/4096/proof", Some(&self.all), 404);
    }

    /// What the commands write of the same period, and one party's alone to that party.
    fn check_statements(&self) {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let booked = (rfc3339(now - 20 * 24 * HOUR_S), rfc3339(now + HOUR_S));
        let held = (rfc3339(self.start_s()), rfc3339(self.start_s() + HOUR_S));
        let [(site, account), (other, _)] = self.sites();
        for (of, (from, to)) in [("booking", booked.clone()), ("interval", held)] {
            for format in ["csv", "json"] {
                let query = format!("from={from}&to={to}&of={of}&format={format}");
                let whole = self.client.ask("/v1/statement", &[], &query, Some(&self.dso));
                let arguments: [&dyn AsRef<OsStr>; 10] = [
                    &"export",
                    &self.ledger,
                    &"--from",
                    &from,
                    &"--to",
                    &to,
                    &"--of",
                    &of,
                    &"--format",
                    &format,
                ];
                assert_eq!(whole.text(), String::from_utf8_lossy(said(&command(&arguments))), "{query}");
                let own = self.client.get(&format!("/v1/statement?{query}"), Some(&token(self.data, &site)));
                let one: [&dyn AsRef<OsStr>; 2] = [&"--party", &account];
                let arguments = [&arguments[..], &one[..]].concat();
                assert_eq!(own.text(), String::from_utf8_lossy(said(&command(&arguments))), "{query}");
            }
        }
        let (from, to) = booked;
        let query = format!("/v1/statement?from={from}&to={to}&party={account}");
        self.client.check(&query, Some(&token(self.data, &site)), 200);
        self.client.check(&query, Some(&token(self.data, &other)), 403);
        self.client.check(&query, None, 401);
        let years = format!("/v1/statement?from=2001-01-01T00:00:00Z&to={to}");
        self.client.check(&years, Some(&self.dso), 400);
    }

    /// An hour's figures are those that the command gives for it, and there are none of less than an hour.
    fn check_aggregates(&self, sites: usize) {
        let hour = self.start_s() - self.start_s() % HOUR_S;
        let answer = self.client.ask("/v1/aggregates", &[], &self.span(1), Some(&self.dso)).json();
        let of_hour = |rows: &Value| -> Vec<Value> {
            let rows = rows.as_array().unwrap().iter().cloned();
            let timeless = |mut row: Value| {
                row["hour_start_utc"] = Value::Null;
                row
            };
            rows.map(timeless).collect()
        };
        let (from, to) = (rfc3339(hour), rfc3339(hour + HOUR_S));
        let arguments: [&dyn AsRef<OsStr>; 10] = [
            &"aggregates",
            &self.ledger,
            &"--by",
            &"bus,hour",
            &"--from",
            &from,
            &"--to",
            &to,
            &"--format",
            &"json",
        ];
        let made: Value = serde_json::from_slice(said(&command(&arguments))).unwrap();
        let rows = of_hour(&answer["rows"]);
        assert_eq!((&answer["k"], &rows), (&made["k"], &of_hour(&made["rows"])));
        assert!(rows.iter().all(|row| row["sites"].as_u64().unwrap() >= 5), "{answer}");
        assert_eq!(rows.last().unwrap()["sites"].as_u64().unwrap(), sites as u64);
        let half = format!("from={from}&to={}", rfc3339(hour + HOUR_S / 2));
        let half = self.client.ask("/v1/aggregates", &[], &half, Some(&self.dso)).json();
        assert_eq!(half["rows"], Value::Array(vec![]));
        let csv =
            self.client.ask("/v1/aggregates", &[], &format!("{}&format=csv", self.span(2)), Some(&self.dso));
        assert!(csv.media.starts_with("text/csv") && csv.text().starts_with("record,bus,"), "{}", csv.text());
        let [(site, _), _] = self.sites();
        let path = format!("/v1/aggregates?{}", self.span(1));
        self.client.check(&path, Some(&token(self.data, &site)), 403);
    }

    fn check_others(&self) {
        let (client, all) = (self.client, Some(self.all.as_str()));
        client.ask(routes::DOCUMENT, &[], "", None);
        client.ask("/v1/status", &[], "", None);
        client.ask("/v1/heads", &[], "from=1&to=9", None);
        assert_eq!(client.ask("/v1/prices", &[], &self.span(2), None).json().as_array().unwrap().len(), 8);
        client.ask("/v1/clearings", &[], &self.span(2), all);
        client.ask("/v1/commitments", &[], &self.span(2), all);
        client.ask("/v1/balance", &[], "", all);
        client.ask("/v1/blocks/{height}", &[("height", 1)], "", all);
        client.ask("/v1/participants", &[], "", all);
        let governance = client.ask("/v1/governance", &[], "", all).json();
        assert_eq!(
            (governance["validators"].as_array().unwrap().len(), &governance["open"]),
            (4, &Value::Array(vec![]))
        );
        let evidence = client.ask("/v1/evidence", &[], "", all).json();
        for nothing in ["contradictions", "dsos", "double_clearings"] {
            assert_eq!(evidence[nothing], Value::Array(vec![]));
        }
        let headers = format!("Authorization: Bearer {}\r\nLast-Event-ID: 0\r\n", self.all);
        let stream = client.send(routes::STREAM, &headers, "event: block\ndata: {");
        assert_eq!(stream.status, 200);
        client.keep(routes::STREAM, stream);
    }
}

/// Checks all of it on a demo's directory.
pub fn check(data: &Path, sites: usize) {
    let address = FreePorts::new().unwrap().take().unwrap();
    let file = alone(data, address, false);
    let delivery = |(entry, _)| match entry {
        Entry::Delivery(delivery) => Some(delivery),
        _ => None,
    };
    let ledger = data.join("validator-v1");
    let mut blocks = replay(&ledger).unwrap();
    let delivery = blocks.find_map(|block| block.unwrap().receipts.into_iter().find_map(delivery)).unwrap();
    actix::System::new().block_on(async {
        let mut running = Running::new().unwrap();
        running.start(&[file], &Hooks::default()).await.unwrap();
        let data = data.to_owned();
        let asking = move || {
            let client = Client::of(address);
            let genesis = std::fs::read(data.join("genesis.json")).unwrap();
            let genesis: Genesis = serde_json::from_slice(&genesis).unwrap();
            let only = |role: Role| {
                let mut parties = genesis.participants.iter().map(|p| &p.party);
                token(&data, parties.find(|party| party.role == role).unwrap())
            };
            let (all, dso) = (only(Role::Validator), only(Role::Dso));
            let scene = Scene { data: &data, ledger, client: &client, genesis, delivery, all, dso };
            scene.check_proof();
            scene.check_receipts();
            scene.check_statements();
            scene.check_aggregates(sites);
            scene.check_others();
            check_document(&client);
        };
        tokio::task::spawn_blocking(asking).await.unwrap();
        running.stop().await;
    });
}

/// Every path served is described, every path described was answered here, and the answers are what is described.
fn check_document(client: &Client) {
    let described: BTreeSet<String> =
        document::render()["paths"].as_object().unwrap().keys().cloned().collect();
    let served: BTreeSet<String> = routes::paths().map(str::to_owned).collect();
    assert_eq!(described, served);
    let asked: BTreeSet<String> = client.asked().into_iter().collect();
    assert_eq!(described, asked);
    let Answer { status, body, .. } = client.get(routes::DOCUMENT, None);
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &document), (200, &document::render()));
    client.check_by_peers(&document);
}
