//! `gridpact check` on a provisioned machine: clean as it was made and while it runs, and every fault named when files are
//! broken one by one.

use super::scene::{Houses, Kind, Scene, PATIENCE};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const CLEAN: i32 = 0;
const WARNINGS: i32 = 9;
const FAULTS: i32 = 10;

/// `gridpact check`, and what it found.
fn check(file: &Path, options: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.arg("check").arg(file).arg("--json").args(options);
    let output = command.output().unwrap();
    let found = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), found)
}

/// What was found at least this bad, as lines.
fn lines(found: &Value, severities: &[&str]) -> Vec<String> {
    let all = found["findings"].as_array().unwrap().iter();
    let bad = all.filter(|finding| severities.contains(&finding["severity"].as_str().unwrap()));
    bad.map(|finding| {
        let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        assert!(!word("do").is_empty(), "what is wrong says what to do: {finding}");
        format!("{} {} {}", word("area"), word("subject"), word("what"))
    })
    .collect()
}

fn check_says(file: &Path, options: &[&str], code: i32, parts: &[&str]) {
    let (got, found) = check(file, options);
    let severities: &[&str] = if code == WARNINGS { &["warning"] } else { &["fault"] };
    let lines = lines(&found, severities);
    assert_eq!(got, code, "{found:#}");
    for part in parts {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), parts.len(), "{lines:#?}");
}

fn certificate(scene: &Scene, name: &str, from: i32, until: i32) -> (String, String) {
    let key = fs::read_to_string(scene.at("authority/authority.key")).unwrap();
    let mut authority = CertificateParams::default();
    authority.distinguished_name = DistinguishedName::new();
    authority.distinguished_name.push(DnType::CommonName, "gridpact test street");
    let issuer = Issuer::new(authority, KeyPair::from_pem(&key).unwrap());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::URI(format!("gridpact:{name}").try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(from, 1, 1), rcgen::date_time_ymd(until, 1, 1));
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

fn made(mosquitto: bool) -> Scene {
    let scene = Scene::new(Kind { mosquitto, simulated: true }, &[]);
    scene.provision("").unwrap();
    scene
}

/// Runs `act` with a file changed, and puts it back.
fn with(path: &Path, change: impl FnOnce(&Path), act: impl FnOnce()) {
    let (before, rights) = (fs::read(path).unwrap(), fs::metadata(path).unwrap().permissions());
    change(path);
    act();
    fs::write(path, before).unwrap();
    fs::set_permissions(path, rights).unwrap();
}

#[test]
fn what_provision_makes_is_clean_on_every_machine() {
    for mosquitto in [false, true] {
        let scene = made(mosquitto);
        for machine in ["grid", "ring", "home"] {
            let folder = scene.at(&format!("machines/{machine}"));
            for file in [folder.join("machine.toml"), folder] {
                let (code, found) = check(&file, &["--offline"]);
                assert_eq!(code, CLEAN, "{machine}: {found:#}");
                assert_eq!(found["verdict"], "clean");
            }
        }
        // Who only gives commands is looked at as well.
        let (code, found) = check(&scene.at("machines/home/auditor-x1.toml"), &["--offline"]);
        assert_eq!(code, CLEAN, "{found:#}");
    }
}

#[test]
fn broken_files_are_named_each_with_what_to_do() {
    let (scene, other) = (made(false), made(false));
    let home = |file: &str| scene.at(&format!("machines/home/{file}"));
    let site = home("site-s1.toml");
    let says = |code: i32, parts: &[&str]| check_says(&site, &["--offline"], code, parts);
    let write = |text: String| move |path: &Path| fs::write(path, text).unwrap();
    let copy = |from: PathBuf| move |path: &Path| fs::write(path, fs::read(from).unwrap()).unwrap();

    let key = home("keys/site-s1.pem");
    with(
        &key,
        |path| fs::remove_file(path).unwrap(),
        || says(FAULTS, &["the signing key of site/s1 is missing"]),
    );
    with(
        &key,
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap(),
        || {
            says(FAULTS, &["mode 640"]);
        },
    );
    with(&key, copy(other.at("machines/home/keys/site-s1.pem")), || {
        says(FAULTS, &["another key for site/s1"])
    });
    with(&key, copy(home("keys/site-s2.pem")), || says(FAULTS, &["it is the key of site/s2"]));
    with(&key, write("no key".into()), || says(FAULTS, &["the signing key of site/s1 is none"]));

    let crt = home("tls/site-s1.crt");
    let tls = home("tls/site-s1.key");
    let forged = |name: &str, from, until, parts: &[&str]| {
        let (certificate, key) = certificate(&scene, name, from, until);
        with(&crt, write(certificate), || with(&tls, write(key), || says(FAULTS, parts)));
    };
    forged("site/s1", 2020, 2024, &["expired"]);
    forged("site/s1", 2090, 2095, &["does not hold before 2090"]);
    forged("site/s2", 2020, 2090, &["names site/s2"]);
    forged("nobody", 2020, 2090, &["must name site/s1"]);
    with(&crt, copy(home("tls/site-s2.crt")), || says(FAULTS, &["names site/s2", "not the key of"]));
    with(&crt, copy(other.at("machines/home/tls/site-s1.crt")), || {
        says(FAULTS, &["not signed by the authority", "not the key of"]);
    });
    with(&home("tls/authority.pem"), copy(other.at("authority/authority.pem")), || {
        says(FAULTS, &["not signed by the authority"]);
    });
    with(&crt, |path| fs::remove_file(path).unwrap(), || says(FAULTS, &["it can't be read"]));
    check_says(&site, &["--offline", "--expiry-days", "3650"], WARNINGS, &["site-s1.crt it expires in"]);

    with(&site, write(fs::read_to_string(&site).unwrap().replace("data_dir", "data_dri")), || {
        says(FAULTS, &["data_dri"]);
    });
    with(&home("genesis.json"), write("{}".into()), || says(FAULTS, &["party.genesis"]));
    // The data folder's place is taken by a file.
    fs::create_dir_all(home("data")).unwrap();
    fs::write(home("data/site-s1"), "").unwrap();
    says(FAULTS, &["it is a file"]);
    fs::remove_file(home("data/site-s1")).unwrap();

    // All at once: nothing ends at the first fault.
    with(
        &key,
        |path| fs::remove_file(path).unwrap(),
        || {
            with(&crt, copy(home("tls/site-s2.crt")), || {
                with(&home("genesis.json"), write("{}".into()), || {
                    says(FAULTS, &["is missing", "names site/s2", "not the key of", "party.genesis"]);
                });
            });
        },
    );
    says(CLEAN, &[]);
}

#[test]
fn a_revoked_certificate_is_named_where_the_list_is() {
    let scene = made(false);
    let papers = ["crt", "key"].map(|kind| scene.at(&format!("machines/home/tls/site-s1.{kind}")));
    let before = papers.clone().map(|path| fs::read(path).unwrap());
    scene.provision("rotate --party site/s1 --certificate-only").unwrap();
    let site = scene.at("machines/home/site-s1.toml");
    assert_eq!(check(&site, &["--offline"]).0, CLEAN);
    // The machine still has what it had before.
    papers.iter().zip(before).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    let list = scene.at("authority/revoked.pem");
    let (_, found) = check(&site, &["--offline", "--revoked", list.to_str().unwrap()]);
    let faults = lines(&found, &["fault"]);
    assert!(faults.iter().any(|line| line.contains("its authority has revoked it")), "{found:#}");
}

#[test]
fn a_taken_port_is_told_with_who_has_it() {
    let scene = made(false);
    let taken = TcpListener::bind(scene.broker).unwrap();
    let broker = scene.at("machines/grid/broker-b1.toml");
    let (code, found) = check(&broker, &[]);
    let faults = lines(&found, &["fault"]);
    assert_eq!((code, faults.len()), (FAULTS, 1), "{found:#}");
    assert!(faults[0].contains(&format!("process {}", std::process::id())), "{faults:?}");
    drop(taken);
    assert_eq!(check(&broker, &[]).0, CLEAN);
}

#[actix::test]
async fn a_machine_that_runs_is_looked_at_through_what_it_serves() {
    let houses = Houses::start().await;
    let scene = Scene::new(Kind { mosquitto: false, simulated: true }, &houses.meters());
    scene.provision("").unwrap();
    let home = scene.at("machines/home/machine.toml");
    // The simulated meters answer on this thread's runtime.
    let look = |file: PathBuf, options: &'static [&'static str]| async move {
        tokio::task::spawn_blocking(move || check(&file, options)).await.unwrap()
    };

    // Before anything runs the market's broker is not there.
    let (code, found) = look(home.clone(), &[]).await;
    assert_eq!(code, FAULTS, "{found:#}");
    let faults = lines(&found, &["fault"]);
    assert!(
        faults.iter().all(|line| line.starts_with("broker mqtts://") && line.contains("can't be reached")),
        "{faults:?}"
    );

    let nodes = [scene.start("grid"), scene.start("ring"), scene.start("home")];
    let deadline = Instant::now() + PATIENCE;
    for machine in ["grid", "ring", "home"] {
        loop {
            let (code, found) = look(scene.at(&format!("machines/{machine}/machine.toml")), &[]).await;
            if code == CLEAN {
                assert!(found.to_string().contains("healthy and ready"), "{found:#}");
                break;
            }
            let words: Vec<String> = nodes.iter().map(|node| node.last_words()).collect();
            assert!(Instant::now() < deadline, "{machine}: {found:#}\n{}", words.join("\n"));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    // Its devices are asked in spite of the running site where that is wanted.
    let (code, found) = look(home.clone(), &["--devices"]).await;
    assert_eq!(code, CLEAN, "{found:#}");
    assert!(found.to_string().contains("power_w"), "{found:#}");

    let [grid, _ring, _home] = nodes;
    grid.kill().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (code, found) = look(home.clone(), &[]).await;
        if code == FAULTS && found.to_string().contains("no connection to a broker stands") {
            break;
        }
        assert!(Instant::now() < deadline, "{found:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
