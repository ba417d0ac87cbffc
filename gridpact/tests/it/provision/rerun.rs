//! Made once: run again it changes nothing, and one participant's change leaves the others' files as they are.

use super::scene::{site, Kind, Scene};
use gridpact::configuration::{self, RoleFile};
use gridpact::members::entry_file::EntryFile;
use gridpact::run::party::read_genesis;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wire::envelope::Signer;

const PLAIN: Kind = Kind { mosquitto: true, simulated: false };

/// Every file of the deployment, with its content and mode.
fn files(scene: &Scene) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    use std::os::unix::fs::PermissionsExt;
    let mut waiting = vec![scene.at("")];
    let mut all = BTreeMap::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                let name = path.strip_prefix(scene.at("")).unwrap().to_owned();
                all.insert(name, (std::fs::read(&path).unwrap(), mode));
            }
        }
    }
    all
}

fn changed(
    before: &BTreeMap<PathBuf, (Vec<u8>, u32)>,
    after: &BTreeMap<PathBuf, (Vec<u8>, u32)>,
) -> Vec<String> {
    let names = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    differ.map(|name| name.display().to_string()).collect()
}

#[test]
fn what_is_made_is_what_run_reads_and_secrets_are_their_owners() {
    let scene = Scene::new(PLAIN, &[]);
    scene.provision("").unwrap();
    read_genesis(&scene.at("genesis.json")).unwrap();
    let mut read = Vec::new();
    for machine in ["grid", "ring", "home"] {
        let file = scene.at(&format!("machines/{machine}/machine.toml"));
        for role in configuration::machine::expanded(&[file]).unwrap() {
            read.push(configuration::load(&role).unwrap());
        }
    }
    assert_eq!(read.len(), 9);
    for role in &read {
        let party = match role {
            RoleFile::Validator(file) => &file.party,
            RoleFile::Site(file) => &file.party,
            RoleFile::Dso(file) => &file.party,
            RoleFile::Tso(file) => &file.party,
            RoleFile::Aggregator(file) => &file.party,
            other => panic!("{other:?}"),
        };
        assert!(party.key.exists() && party.genesis.exists());
        assert!(
            party.brokers.iter().chain(&party.validator_brokers).all(|it| it.starts_with("mqtts://")),
            "{party:?}"
        );
    }
    for (name, (_, mode)) in files(&scene) {
        let text = name.display().to_string();
        let secret = text.ends_with(".key") || text.contains("/keys/");
        let acl = text.ends_with("/acl") || text == "provision.json";
        assert_eq!(mode, if secret || acl { 0o600 } else { 0o644 }, "{text}");
    }
}

#[test]
fn a_machines_roles_keep_their_files_where_its_plan_says() {
    let mut scene = Scene::new(PLAIN, &[]);
    let home = "[[machine]]\nname = \"home\"\n";
    scene.plan = scene.plan.replace(home, &format!("{home}data = \"/var/lib/gridpact\"\n"));
    scene.write_plan();
    scene.provision("").unwrap();
    let check = |file: &str, expected: PathBuf| {
        let party = match configuration::load(&scene.at(file)).unwrap() {
            RoleFile::Site(file) => file.party,
            RoleFile::Dso(file) => file.party,
            other => panic!("{other:?}"),
        };
        assert_eq!(party.data_dir, expected);
    };
    check("machines/home/site-s1.toml", "/var/lib/gridpact/site-s1".into());
    check("machines/grid/dso-d1.toml", scene.at("machines/grid/data/dso-d1"));
}

#[test]
fn run_again_it_changes_nothing() {
    let scene = Scene::new(PLAIN, &[]);
    scene.provision("").unwrap();
    let before = files(&scene);
    let said = scene.provision("").unwrap();
    assert!(said.contains("nothing to do"), "{said}");
    assert_eq!(changed(&before, &files(&scene)), [""; 0]);
    // What follows from the plan is made again where it was lost or changed, and then like before.
    std::fs::remove_file(scene.at("machines/home/site-s1.toml")).unwrap();
    std::fs::write(scene.at("machines/grid/broker-b1/acl"), "topic readwrite #\n").unwrap();
    scene.provision("").unwrap();
    assert_eq!(changed(&before, &files(&scene)), [""; 0]);
}

#[test]
fn one_participant_is_added_rotated_and_revoked_and_no_other_touched() {
    let mut scene = Scene::new(PLAIN, &[]);
    scene.provision("").unwrap();
    let before = files(&scene);
    // Added: by the plan and by name.
    scene.plan += &site("s3", "127.0.0.1:9");
    scene.write_plan();
    scene.provision("add --party site/s3").unwrap();
    let added = files(&scene);
    let mine = |name: &String, id: &str| name.contains(&format!("site-{id}"));
    let common = ["provision.json", "machines/grid/broker-b1/acl", "machines/home/machine.toml"];
    let others = |names: &[String], id: &str, common: &[&str]| -> Vec<String> {
        names.iter().filter(|name| !mine(name, id) && !common.contains(&name.as_str())).cloned().collect()
    };
    assert_eq!(others(&changed(&before, &added), "s3", &common), [""; 0]);
    let registration = scene.at("machines/grid/entries/site-s3-register.toml");
    let genesis = read_genesis(&scene.at("genesis.json")).unwrap();
    let key = gridpact::configuration::key_file::generate().unwrap();
    let signer = |party: &str| Signer::new(genesis.network.clone(), party.parse().unwrap(), key.clone(), 1);
    let read =
        |path: &Path, by: &str| EntryFile::read(path).unwrap().entry(&signer(by), path.parent().unwrap());
    read(&registration, "dso/d1").unwrap();
    // Rotated: its own files, and the revocation list wherever that is.
    scene.provision("rotate --party site/s1").unwrap();
    let rotated = files(&scene);
    let lists: Vec<String> = rotated
        .keys()
        .map(|name| name.display().to_string())
        .filter(|n| n.ends_with("revoked.pem"))
        .collect();
    let common: Vec<&str> = lists.iter().map(String::as_str).chain(["provision.json"]).collect();
    assert_eq!(others(&changed(&added, &rotated), "s1", &common), [""; 0]);
    assert_eq!(
        added[Path::new("machines/home/keys/site-s1.pem")],
        rotated[Path::new("machines/home/keys/site-s1.pem")]
    );
    read(&scene.at("machines/home/entries/site-s1-rotate-1.toml"), "site/s1").unwrap();
    let RoleFile::Site(file) = configuration::load(&scene.at("machines/home/site-s1.toml")).unwrap() else {
        panic!()
    };
    assert_eq!(
        (file.party.key_epoch, file.party.next_key.unwrap()),
        (0, scene.at("machines/home/keys/site-s1.1.pem"))
    );
    // Once more: the key before this one is the present one by then.
    scene.provision("rotate --party site/s1").unwrap();
    let RoleFile::Site(file) = configuration::load(&scene.at("machines/home/site-s1.toml")).unwrap() else {
        panic!()
    };
    assert_eq!((file.party.key_epoch, file.party.key), (1, scene.at("machines/home/keys/site-s1.1.pem")));
    // Revoked: by name, while the plan still has it, and by the plan.
    let rotated = files(&scene);
    scene.provision("revoke --party site/s3").unwrap();
    let revoked = files(&scene);
    let common: Vec<&str> =
        common.iter().copied().chain(["machines/grid/broker-b1/acl", "machines/home/machine.toml"]).collect();
    assert_eq!(others(&changed(&rotated, &revoked), "s3", &common), [""; 0]);
    assert!(!scene.at("machines/home/site-s3.toml").exists());
    read(&scene.at("machines/grid/entries/site-s3-revoke.toml"), "dso/d1").unwrap();
    let said = scene.provision("").unwrap();
    assert!(said.contains("site/s3 was revoked"), "{said}");
    assert_eq!(changed(&revoked, &files(&scene)), [""; 0]);
    scene.plan = scene.plan.replace(&site("s3", "127.0.0.1:9"), "").replace(&site("s2", "127.0.0.1:9"), "");
    scene.write_plan();
    scene.provision("").unwrap();
    assert!(!scene.at("machines/home/site-s2.toml").exists());
    assert!(scene.at("machines/grid/entries/site-s2-revoke.toml").exists());
}

#[test]
fn whom_validators_vote_on_gets_a_proposal() {
    let mut scene = Scene::new(PLAIN, &[]);
    scene.provision("").unwrap();
    scene.plan += "[[validator]]\nid = \"v5\"\nmachine = \"home\"\nport = 18999\n";
    scene.write_plan();
    scene.provision("add --party validator/v5 --at-height 40").unwrap();
    let entry = scene.at("machines/grid/entries/validator-v5-register.toml");
    let genesis = read_genesis(&scene.at("genesis.json")).unwrap();
    let key = gridpact::configuration::key_file::generate().unwrap();
    let signer = Signer::new(genesis.network.clone(), "dso/d1".parse().unwrap(), key, 1);
    let entry = EntryFile::read(&entry).unwrap().entry(&signer, Path::new("")).unwrap();
    let wire::entry::Entry::Proposal(proposal) = entry else { panic!("{entry:?}") };
    assert_eq!(proposal.at_height, 40);
    // The others are told where it is.
    let RoleFile::Validator(file) =
        configuration::load(&scene.at("machines/ring/validator-v3.toml")).unwrap()
    else {
        panic!()
    };
    assert_eq!(file.mesh.unwrap().peers["v5"], ["mqtts://127.0.0.1:18999"]);
}

/// Where the text first stands in the plan, from 1.
fn line(plan: &str, text: &str) -> usize {
    1 + plan[..plan.find(text).unwrap()].matches('\n').count()
}

#[test]
fn what_is_wrong_with_a_plan_is_named_with_its_line_and_nothing_is_made() {
    let check = |from: &str, to: &str, words: &[&str]| {
        let mut scene = Scene::new(PLAIN, &[]);
        let number = line(&scene.plan, from);
        scene.plan = scene.plan.replacen(from, to, 1);
        scene.write_plan();
        let error = scene.provision("").unwrap_err().to_string();
        let (at, toml) = (format!("plan.toml:{number}:"), format!("line {number}"));
        assert!(
            error.contains(&at) || error.contains("plan.toml") && error.contains(&toml),
            "{at} in {error}"
        );
        words.iter().for_each(|word| assert!(error.contains(word), "{word} in {error}"));
        assert!(!scene.at("").exists(), "{error}");
    };
    check("first_balance_eur", "first_balance_euro", &["first_balance_euro"]);
    check("network = \"test\"", "network = \"Test\"", &["not an identifier"]);
    check("interval_s = 20", "interval_s = \"twenty\"", &["invalid type"]);
    check("interval_s = 20", "intervals_s = 3\ninterval_s = 20", &["intervals_s"]);
    check("kind = \"mosquitto\"", "kind = \"rumqttd\"", &["rumqttd"]);
    check("machine = \"ring\"", "machine = \"rong\"", &["validator.machine", "no machine rong"]);
    check("bus = \"street\"", "bus = \"strasse\"", &["site.bus", "strasse"]);
    check("aggregator = \"a1\"", "aggregator = \"a2\"", &["site.aggregator", "a2"]);
    check("connection_kw = 20.0", "connection_kw = -1.0", &["site.connection_kw"]);
    check("host = \"127.0.0.1\"", "host = \"no host\"", &["machine.host"]);
    check("id = \"v2\"", "id = \"v1\"", &["validator.id", "another validator"]);
    check("role = \"auditor\"", "role = \"site\"", &["participant.role"]);
    check("prices = \"prices.csv\"", "prices = \"nowhere.csv\"", &["tso.prices", "nowhere.csv"]);
    check("to = \"street\"", "to = \"nowhere\"", &["nowhere"]);
}

#[test]
fn a_genesis_is_made_once() {
    let mut scene = Scene::new(PLAIN, &[]);
    scene.provision("").unwrap();
    let before = files(&scene);
    scene.plan = scene.plan.replace("gate_closure_s = 7", "gate_closure_s = 6");
    scene.write_plan();
    let error = scene.provision("").unwrap_err().to_string();
    assert!(error.contains("parameters") && error.contains("vote"), "{error}");
    for (words, expected) in
        [("rotate --party site/nobody", "none of this name"), ("revoke --party dso/d1", "can't be without")]
    {
        scene.plan = scene.plan.replace("gate_closure_s = 6", "gate_closure_s = 7");
        scene.write_plan();
        let error = scene.provision(words).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(changed(&before, &files(&scene)), [""; 0]);
}

#[test]
fn the_example_is_a_plan() {
    let mut scene = Scene::new(PLAIN, &[]);
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    scene.plan = std::fs::read_to_string(deploy.join("plan.example.toml")).unwrap();
    scene.write_plan();
    std::fs::copy(deploy.join("prices.example.csv"), scene.folder.path().join("prices.example.csv")).unwrap();
    scene.provision("").unwrap();
    for machine in ["control", "second", "homes"] {
        let file = scene.at(&format!("machines/{machine}/machine.toml"));
        for role in configuration::machine::expanded(&[file]).unwrap() {
            configuration::load(&role).unwrap();
        }
    }
    let conf = std::fs::read_to_string(scene.at("machines/second/broker-b2/mosquitto.conf")).unwrap();
    assert!(
        conf.contains("acl_file /etc/gridpact/broker-b2/acl\n") && conf.contains("user mosquitto\n"),
        "{conf}"
    );
}

#[test]
fn the_plan_for_a_raspberry_pi_is_a_plan() {
    let mut scene = Scene::new(PLAIN, &[]);
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/pi");
    scene.plan = std::fs::read_to_string(deploy.join("plan.toml")).unwrap();
    scene.write_plan();
    std::fs::copy(deploy.join("prices.csv"), scene.folder.path().join("prices.csv")).unwrap();
    scene.provision("").unwrap();
    let RoleFile::Site(site) = configuration::load(&scene.at("machines/pi/site-s1.toml")).unwrap() else {
        panic!("a site")
    };
    assert_eq!(site.party.data_dir, Path::new("/var/lib/gridpact/site-s1"));
    site.site.validate().unwrap();
}
