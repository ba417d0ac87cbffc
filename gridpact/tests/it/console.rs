//! The console: what it shows of a ledger that a demo left, held against the ledger's own interface and against rights; and
//! a demo of 200 sites with a validator down, looked at in Chromium and held against the ledger replayed.

use crate::client::Client;
use crate::served::{alone, token};
use gridpact::console::assets::ASSETS;
use gridpact::demo::ports::FreePorts;
use gridpact::run::running::Running;
use gridpact::run::start::Hooks;
use ledger::genesis::Genesis;
use ledger::verify::replay;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use wire::entry::Entry;
use wire::party::{Id, Participant, Role};

/// Sites of the demo that is looked at.
const SITES: usize = 200;

/// Exact figures by what they are called.
fn exact(row: &Value, key: &str) -> Option<i64> {
    row[key].as_str().map(|text| text.parse().unwrap())
}

struct Scene<'a> {
    data: &'a Path,
    client: Client,
    genesis: Genesis,
}

impl Scene<'_> {
    fn of_role(&self, role: Role) -> impl Iterator<Item = &Participant> {
        self.genesis.participants.iter().filter(move |p| p.party.role == role)
    }

    fn token(&self, role: Role) -> String {
        token(self.data, &self.of_role(role).next().unwrap().party)
    }

    fn get(&self, path: &str, token: Option<&str>) -> Value {
        let answer = self.client.get(&format!("/console/data/{path}"), token);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    fn refused(&self, path: &str, token: Option<&str>, expected: u16) {
        let answer = self.client.get(&format!("/console/data/{path}"), token);
        assert_eq!(answer.status, expected, "{path}: {}", answer.text());
    }

    fn check_files(&self) {
        for asset in ASSETS {
            let answer = self.client.get(&format!("/console/{}", asset.name), None);
            assert_eq!((answer.status, answer.media.as_str()), (200, asset.media));
            assert_eq!(answer.text(), asset.text);
            self.client.check_head(&format!("/console/{}", asset.name));
        }
        self.client.check_head("/console/data/intervals");
        self.client.check_head("/console/data/site?site=nobody");
        self.client.check_head("/console/nothing.js");
        assert_eq!(self.client.get("/console/nothing.js", None).status, 404);
        assert_eq!(self.client.get("/v1/status", None).status, 200);
    }

    /// Every interval, line, bus, site and balance is what the ledger's interface answers.
    fn check_figures(&self, sites: usize) {
        let all = self.token(Role::Validator);
        let all = Some(all.as_str());
        let intervals = self.get("intervals", all);
        let intervals = intervals.as_array().unwrap();
        assert_eq!(intervals.len(), 8);
        let market = self.get("market", all);
        let names = |list: &str, key: &str| -> Vec<String> {
            let list = market[list].as_array().unwrap().iter();
            list.map(|one| one[key].as_str().unwrap().to_owned()).collect()
        };
        let (buses, lines) = (names("buses", "bus"), names("lines", "line"));
        assert_eq!(market["sites"].as_array().unwrap().len(), sites);
        let mut settled = 0;
        for summary in intervals {
            let start = summary["start"].as_str().unwrap();
            let end = end(start);
            let clearing = &self.client.get(&format!("/v1/clearings?from={start}&to={end}"), all).json()[0];
            let detail = self.get(&format!("interval?start={start}"), all);
            assert_eq!(exact(&detail, "import_milliwatt"), clearing["import_milliwatt"].as_i64());
            assert_eq!((&detail["height"], &detail["entry"]), (&clearing["height"], &clearing["entry"]));
            for (bus, shown) in buses.iter().zip(detail["buses"].as_array().unwrap()) {
                let price = exact(shown, "price_pico_eur_per_wh");
                assert_eq!(price, clearing["price_pico_eur_per_wh"][bus].as_i64(), "{bus}");
                let parts = ["energy", "loss", "congestion", "voltage"];
                let parts = parts.map(|part| exact(shown, &format!("{part}_pico_eur_per_wh")).unwrap());
                assert_eq!(Some(parts.iter().sum()), price, "{bus}");
                assert!((900_000..1_100_000).contains(&exact(shown, "voltage_micro_pu").unwrap()), "{shown}");
            }
            for (line, shown) in lines.iter().zip(detail["lines"].as_array().unwrap()) {
                assert_eq!(
                    exact(shown, "flow_milliwatt"),
                    clearing["flow_milliwatt"][line].as_i64(),
                    "{line}"
                );
            }
            let commitments = self.client.get(&format!("/v1/commitments?from={start}&to={end}"), all).json();
            settled += self.check_sites(&detail, &commitments);
            let curve = self.get(&format!("curve?start={start}"), all);
            assert_eq!(exact(&curve, "power_milliwatt"), exact(&detail, "import_milliwatt"));
            assert!(curve["supply"].as_array().unwrap().len() >= 2 && curve["demand"].is_null(), "{curve}");
            let [least, most, allocated] = ["least_milliwatt", "most_milliwatt", "allocation_milliwatt"]
                .map(|key| exact(&curve, key).unwrap());
            assert!(least <= allocated && allocated <= most, "{curve}");
        }
        assert_eq!(settled, 8 * sites);
        let chain = self.get("chain", all);
        let status = self.client.get("/v1/status", None).json();
        assert_eq!((&chain["height"], &chain["block"]), (&status["height"], &status["block"]));
        for shown in chain["balances"].as_array().unwrap() {
            let party = shown["party"].as_str().unwrap();
            let known = self.genesis.participants.iter().find(|p| p.party.to_string() == party);
            let Some(known) = known else { continue };
            let balance = self.client.get(&format!("/v1/balance?account={}", known.account), all).json();
            assert_eq!(exact(shown, "balance_nano_eur"), balance["balance_nano_eur"].as_i64(), "{party}");
        }
    }

    fn check_sites(&self, detail: &Value, commitments: &Value) -> usize {
        let rows = detail["sites_settled"].as_array().unwrap();
        let by_account: BTreeMap<&str, &Value> = commitments
            .as_array()
            .unwrap()
            .iter()
            .map(|commitment| (commitment["account"].as_str().unwrap(), commitment))
            .collect();
        assert_eq!(rows.len(), by_account.len());
        for row in rows {
            let known = by_account[row["account"].as_str().unwrap()];
            for key in ["commitment_milliwatt", "energy_millijoule", "payment_nano_eur"] {
                assert_eq!(exact(row, key), known[key].as_i64(), "{row} {known}");
            }
            assert_eq!((&row["height"], &row["entry"]), (&known["height"], &known["entry"]));
        }
        rows.len()
    }

    /// A site sees itself, an aggregator its sites, and an anonymous caller prices and heads.
    fn check_rights(&self, sites: usize) {
        let start = self.get("intervals", None)[0]["start"].as_str().unwrap().to_owned();
        let market = self.get("market", None);
        assert_eq!((market["sites"].as_array().unwrap().len(), &market["demo"]), (0, &false.into()));
        let detail = self.get(&format!("interval?start={start}"), None);
        let (bus, rows) = (&detail["buses"][0], &detail["sites_settled"]);
        assert!(bus["price_pico_eur_per_wh"].is_string() && bus["voltage_micro_pu"].is_null(), "{bus}");
        assert!(bus["allocation_milliwatt"].is_null() && detail["import_milliwatt"].is_null(), "{detail}");
        assert_eq!((rows, &detail["lines"], &detail["sites"]), (&no_rows(), &no_rows(), &Value::Null));
        let chain = self.get("chain", None);
        assert!(chain["balances"].is_null() && chain["blocks"][0]["entries"] == no_rows(), "{chain}");
        self.refused(&format!("curve?start={start}"), None, 404);
        let mut of_role = self.of_role(Role::Site);
        let (own, other) = (of_role.next().unwrap(), of_role.next().unwrap());
        let own_token = token(self.data, &own.party);
        let seen = self.get("market", Some(&own_token));
        assert_eq!(seen["sites"].as_array().unwrap().len(), 1);
        let page = self.get(&format!("site?site={}", own.party.id), Some(&own_token));
        assert_eq!((&page["account"], &page["devices"]), (&own.account.to_string().into(), &Value::Null));
        let balance = self.client.get("/v1/balance", Some(&own_token)).json();
        assert_eq!(exact(&page, "balance_nano_eur"), balance["balance_nano_eur"].as_i64());
        let rows = self.get(&format!("interval?start={start}"), Some(&own_token));
        assert_eq!(rows["sites_settled"].as_array().unwrap().len(), 1);
        self.refused(&format!("site?site={}", other.party.id), Some(&own_token), 404);
        self.refused(&format!("site?site={}", own.party.id), None, 404);
        let aggregator = self.of_role(Role::Aggregator).next().unwrap();
        let theirs = self.get("market", Some(&token(self.data, &aggregator.party)));
        let count = theirs["sites"].as_array().unwrap().len();
        assert!(count > 1 && count < sites, "{count}");
        self.refused("market", Some("AAAA"), 401);
        self.refused("interval?start=now", None, 400);
        self.refused("interval?start=1999-01-01T00:00:00Z", None, 404);
        self.refused("site?site=..", None, 400);
        self.refused("curve?start=&surprise=1", None, 400);
        self.refused("nothing", None, 404);
    }
}

fn no_rows() -> Value {
    Value::Array(Vec::new())
}

fn end(start: &str) -> String {
    use time::format_description::well_known::Rfc3339;
    let start = time::OffsetDateTime::parse(start, &Rfc3339).unwrap();
    (start + time::Duration::minutes(15)).format(&Rfc3339).unwrap()
}

/// Checks all that needs no browser on a demo's directory.
pub fn check(data: &Path, sites: usize) {
    let address = FreePorts::new().unwrap().take().unwrap();
    let file = alone(data, address, true);
    actix::System::new().block_on(async {
        let mut running = Running::new().unwrap();
        running.start(&[file], &Hooks::default()).await.unwrap();
        let data = data.to_owned();
        let asking = move || {
            let genesis = std::fs::read(data.join("genesis.json")).unwrap();
            let genesis = serde_json::from_slice(&genesis).unwrap();
            let scene = Scene { data: &data, client: Client::of(address), genesis };
            let read = || scene.get("intervals", None).as_array().unwrap().len();
            while read() < 8 {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            scene.check_files();
            scene.check_figures(sites);
            scene.check_rights(sites);
        };
        tokio::task::spawn_blocking(asking).await.unwrap();
        running.stop().await;
    });
}

/// The data set with so many customers on the urban grid: more of its own households, smaller ones.
fn crowded(folder: &Path) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let to = folder.join("data");
    for part in ["simbench", "prices"] {
        std::fs::create_dir_all(to.join(part)).unwrap();
        for entry in std::fs::read_dir(from.join(part)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(part).join(path.file_name().unwrap())).unwrap();
        }
    }
    let file = to.join("simbench/lv-urban6-2.json");
    let mut grid: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let loads = grid["loads"].as_array_mut().unwrap();
    let is_home = |load: &&Value| {
        load["profile"].as_str().unwrap().starts_with('H')
            && !load["profile"].as_str().unwrap().starts_with("HLS")
    };
    let homes: Vec<Value> = loads.iter().filter(is_home).cloned().collect();
    let more = SITES - 111;
    loads.extend((0..more).map(|number| {
        let mut home = homes[number % homes.len()].clone();
        home["name"] = format!("More {number}").into();
        for key in ["p_kw", "q_kvar"] {
            home[key] = (home[key].as_f64().unwrap() * 0.3).into();
        }
        home
    }));
    std::fs::write(&file, grid.to_string()).unwrap();
    to
}

/// A demo that is stopped when the test is over, however it ends.
struct Playing {
    process: Child,
    console: String,
}

impl Playing {
    fn start(folder: &Path, words: &str) -> Self {
        let mut process = Process::new(env!("CARGO_BIN_EXE_gridpact"));
        process.args("demo --serve --speed 100000".split(' ')).args(words.split(' '));
        process.arg("--data-dir").arg(folder.join("demo"));
        let mut process = process.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let console = lines.find_map(|line| line.unwrap().strip_prefix("console on ").map(str::to_owned));
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, console: console.expect("the demo prints its address") }
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What looks at a console in Chromium; none, and said so, where that can't be had.
fn browser(console: &str) -> Option<Process> {
    let chromium = ["chromium", "chromium-browser"];
    let there = chromium.iter().any(|name| Process::new(name).arg("--version").output().is_ok());
    let python = std::env::var("PEERS_PYTHON").ok().filter(|_| there);
    if python.is_none() {
        println!("NOT RUN: there is no Chromium, or PEERS_PYTHON names no Python with websockets, so no browser looked");
    }
    let mut peer = Process::new(python?);
    peer.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/console.py")).arg(console);
    Some(peer)
}

fn look(peer: &mut Process) {
    let output = peer.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

#[test]
fn no_label_of_the_other_grids_diagrams_is_cut_in_chromium() {
    for grid in ["rural1", "semiurb4"] {
        let folder = tempfile::tempdir().unwrap();
        let playing = Playing::start(folder.path(), &format!("--grid {grid} --day-ahead 0"));
        let Some(mut peer) = browser(&playing.console) else { return };
        look(&mut peer);
    }
}

#[test]
fn two_hundred_sites_are_seen_in_chromium_with_a_validator_down() {
    let folder = tempfile::tempdir().unwrap();
    let words = format!(
        "--grid urban6 --day-ahead 4 --lose-validator 2 --dataset {}",
        crowded(folder.path()).display()
    );
    let playing = Playing::start(folder.path(), &words);
    let Some(mut peer) = browser(&playing.console) else { return };
    let result = folder.path().join("seen.json");
    look(peer.arg(&result).arg("v4"));
    drop(playing);
    let seen: Value = serde_json::from_slice(&std::fs::read(&result).unwrap()).unwrap();
    assert_eq!(seen["sites_in_market"], SITES);
    check_seen(&seen, &folder.path().join("demo"));
}

fn texts(row: &Value) -> Vec<&str> {
    row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect()
}

/// What was read off the pages is what another validator's ledger says when it is executed anew.
fn check_seen(seen: &Value, demo: &Path) {
    let genesis: Genesis =
        serde_json::from_slice(&std::fs::read(demo.join("genesis.json")).unwrap()).unwrap();
    let account_of = |site: &str| -> Id {
        let known = genesis.participants.iter().find(|p| p.party.to_string() == format!("site/{site}"));
        known.unwrap().account.clone()
    };
    let start = seen["start"].as_str().unwrap();
    let (mut hashes, mut rows, mut prices) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut of_site = BTreeMap::new();
    let first = texts(&seen["sites"][0])[0];
    for block in replay(&demo.join("validator-v2")).unwrap() {
        let block = block.unwrap();
        let height = block.decided.height();
        hashes.insert(height.to_string(), block.decided.block.header.hash().to_string());
        for (place, (entry, receipt)) in block.receipts.iter().enumerate() {
            match entry {
                Entry::Delivery(delivery) => {
                    for line in &delivery.sites {
                        let paid = receipt.payments.iter().find(|payment| payment.account == line.account);
                        let row = [
                            Some(line.commitment.0),
                            Some(line.commitment.over_seconds(900).0),
                            line.energy.map(|energy| energy.0),
                            paid.map(|payment| payment.amount.0),
                        ];
                        let at = ledger::query::time_s(delivery.interval.start());
                        let row = row.map(|figure| figure.map_or("not known".to_owned(), |f| f.to_string()));
                        let row = (row, format!("{height}.{place}"));
                        if line.account == account_of(first) {
                            of_site.insert(at.clone(), row.clone());
                        }
                        if at == start {
                            rows.insert(line.account.clone(), row);
                        }
                    }
                }
                Entry::Clearing(clearing) => {
                    prices.push(clearing.prices.iter().map(|price| price.0.to_string()).collect::<Vec<_>>());
                }
                _ => {}
            }
        }
    }
    let sites = seen["sites"].as_array().unwrap();
    assert_eq!(sites.len(), SITES);
    for row in sites.iter().map(texts) {
        let (figures, place) = &rows[&account_of(row[0])];
        assert_eq!(
            (&row[1..5], row[5]),
            (&figures.each_ref().map(String::as_str)[..], place.as_str()),
            "{row:?}"
        );
    }
    let site = seen["site"].as_array().unwrap();
    assert!(site.len() >= 2, "{site:?}");
    for row in site.iter().map(texts) {
        let (figures, place) = &of_site[row[0]];
        assert_eq!(
            (&row[2..6], row[6]),
            (&figures.each_ref().map(String::as_str)[..], place.as_str()),
            "{row:?}"
        );
    }
    let shown: Vec<&str> = seen["buses"].as_array().unwrap().iter().map(|row| texts(row)[2]).collect();
    assert!(prices.iter().any(|prices| *prices == shown), "{shown:?}");
    let blocks = seen["blocks"].as_array().unwrap();
    assert!(blocks.len() > 10, "{blocks:?}");
    for block in blocks.iter().map(texts) {
        assert_eq!(hashes[block[0]], block[1]);
    }
    let missing: Vec<&str> = seen["validators"]
        .as_array()
        .unwrap()
        .iter()
        .map(texts)
        .filter(|row| row[1].contains("missing"))
        .map(|row| row[0])
        .collect();
    assert_eq!(missing, ["v4"]);
}
