//! Every fault there is a word for, judged from facts alone.

use super::*;
use crate::check::facts::*;
use crate::check::finding::Severity::{self, *};
use wire::hash::Hash32;
use wire::party::PartyId;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn party(name: &str) -> PartyId {
    name.parse().unwrap()
}

/// Judges, and looks for one finding of this severity that says this; nothing may be worse.
fn check(facts: Facts, severity: Severity, part: &str) {
    let clock = ClockFacts { now: NOW, built: NOW - DAY, ..facts.clock.clone() };
    let facts = Facts { clock: if facts.clock.now == 0 { clock } else { facts.clock.clone() }, ..facts };
    let found = judge(&facts, &Limits::default());
    let says = |finding: &&Finding| format!("{} {}", finding.subject, finding.what).contains(part);
    let one = found.iter().filter(says).max_by_key(|finding| finding.severity);
    let one = one.unwrap_or_else(|| panic!("nothing says {part:?}: {found:#?}"));
    assert_eq!(one.severity, severity, "{one:?}");
    assert_eq!(one.remedy.is_some(), severity >= Warning, "what is wrong says what to do: {one:?}");
    let worst = found.iter().map(|finding| finding.severity).max();
    assert_eq!(worst, Some(severity.max(Good)), "{found:#?}");
}

fn key() -> KeyFacts {
    KeyFacts {
        party: party("site/s1"),
        path: "keys/s1.pem".into(),
        secret: Secret::Key,
        owned: Some(Owned { mode: 0o600, user: 7 }),
        public: Some(Hash32([1; 32])),
        epoch: 0,
        next: false,
        registered: Some(Registered::With(Hash32([1; 32]))),
        ledger: None,
        data_owner: Some(7),
    }
}

fn check_key(key: KeyFacts, severity: Severity, part: &str) {
    check(Facts { keys: vec![key], ..Facts::default() }, severity, part);
}

#[test]
fn keys() {
    check_key(key(), Good, "as the genesis has it");
    check_key(KeyFacts { secret: Secret::Missing, ..key() }, Fault, "is missing");
    check_key(KeyFacts { secret: Secret::Unreadable("no".into()), ..key() }, Fault, "can't be read: no");
    check_key(KeyFacts { secret: Secret::NoKey("no".into()), ..key() }, Fault, "is none");
    for mode in [0o640, 0o604, 0o660, 0o622] {
        check_key(KeyFacts { owned: Some(Owned { mode, user: 7 }), ..key() }, Fault, "others than its owner");
    }
    check_key(KeyFacts { data_owner: Some(8), ..key() }, Warning, "belongs to user 7");
    check_key(KeyFacts { public: Some(Hash32([2; 32])), ..key() }, Fault, "another key for site/s1");
    check_key(
        KeyFacts { registered: Some(Registered::ToAnother(party("site/s2"))), ..key() },
        Fault,
        "key of site/s2",
    );
    check_key(KeyFacts { registered: Some(Registered::Not), ..key() }, Note, "not in the genesis");
    let later = |word| KeyFacts { registered: Some(Registered::Not), ledger: Some(word), ..key() };
    check_key(later(Ledger::Has), Good, "as the ledger's registry has it");
    check_key(later(Ledger::OtherKey), Fault, "the ledger's registry has another key");
    check_key(later(Ledger::NoWord("nobody answers".into())), Warning, "nobody answers");
    check_key(KeyFacts { registered: None, ..key() }, Note, "can't be held against");
    check_key(KeyFacts { epoch: 1, ..key() }, Fault, "first key");
    check_key(KeyFacts { epoch: 1, public: Some(Hash32([2; 32])), ..key() }, Good, "after a rotation");
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        of: Use::Party(party("site/s1")),
        certificate: "tls/s1.crt".into(),
        key: "tls/s1.key".into(),
        authority: Some("tls/authority.pem".into()),
        unusable: Vec::new(),
        key_owned: Some(Owned { mode: 0o600, user: 7 }),
        not_before: NOW - DAY,
        not_after: NOW + 100 * DAY,
        authority_until: Some(NOW + 1_000 * DAY),
        names: Ok(party("site/s1")),
        hosts: Vec::new(),
        lacking: Vec::new(),
        chain: Chain::Good,
        key_fits: Some(true),
    }
}

fn check_certificate(certificate: CertificateFacts, severity: Severity, part: &str) {
    check(Facts { certificates: vec![certificate], ..Facts::default() }, severity, part);
}

#[test]
fn certificates() {
    let c = certificate;
    check_certificate(c(), Good, "100 days from now");
    check_certificate(CertificateFacts { not_after: NOW - 3 * DAY, ..c() }, Fault, "expired 3 days ago");
    check_certificate(CertificateFacts { not_after: NOW + 9 * DAY, ..c() }, Warning, "expires in 9 days");
    check_certificate(CertificateFacts { not_before: NOW + 3_600, ..c() }, Fault, "does not hold before");
    check_certificate(
        CertificateFacts { chain: Chain::Foreign, ..c() },
        Fault,
        "not signed by the authority",
    );
    check_certificate(CertificateFacts { chain: Chain::Revoked, ..c() }, Fault, "revoked");
    check_certificate(
        CertificateFacts { chain: Chain::Other("x".into()), ..c() },
        Fault,
        "can't be verified",
    );
    check_certificate(CertificateFacts { names: Ok(party("site/s2")), ..c() }, Fault, "it names site/s2");
    check_certificate(CertificateFacts { names: Err("nobody".into()), ..c() }, Fault, "must name site/s1");
    check_certificate(CertificateFacts { key_fits: Some(false), ..c() }, Fault, "not the key of");
    check_certificate(
        CertificateFacts { unusable: vec![("tls/s1.key".into(), "gone".into())], ..c() },
        Fault,
        "gone",
    );
    check_certificate(
        CertificateFacts { key_owned: Some(Owned { mode: 0o644, user: 7 }), ..c() },
        Fault,
        "mode 644",
    );
    check_certificate(CertificateFacts { authority_until: Some(NOW - 1), ..c() }, Fault, "authority's own");
    check_certificate(
        CertificateFacts { authority_until: Some(NOW + DAY), ..c() },
        Warning,
        "authority's own",
    );
    let broker =
        CertificateFacts { of: Use::Broker(vec!["a.lan".into()]), hosts: vec!["a.lan".into()], ..c() };
    check_certificate(broker.clone(), Good, "holds until");
    check_certificate(
        CertificateFacts { lacking: vec!["b.lan".into()], ..broker.clone() },
        Fault,
        "reach this broker as b.lan",
    );
    check_certificate(CertificateFacts { hosts: Vec::new(), ..broker }, Fault, "names no host");
}

#[test]
fn everything_wrong_with_a_certificate_is_said_at_once() {
    let all = CertificateFacts {
        not_after: NOW - 1,
        chain: Chain::Foreign,
        names: Ok(party("site/s2")),
        key_fits: Some(false),
        key_owned: Some(Owned { mode: 0o644, user: 7 }),
        ..certificate()
    };
    let facts = Facts { certificates: vec![all], ..Facts::default() };
    let found = judge(&facts, &Limits::default());
    assert_eq!(
        found.iter().filter(|it| it.area == Area::Certificates && it.severity == Fault).count(),
        5,
        "{found:#?}"
    );
}

#[test]
fn revocation_lists() {
    let list =
        |until| Facts { lists: vec![ListFacts { path: "revoked.pem".into(), until }], ..Facts::default() };
    check(list(Ok(Some(NOW + DAY))), Good, "holds until");
    check(list(Ok(None)), Good, "holds");
    check(list(Ok(Some(NOW - DAY))), Warning, "was to be renewed");
    check(list(Err("no PEM".into())), Fault, "no PEM");
}

fn check_clock(clock: ClockFacts, severity: Severity, part: &str) {
    check(Facts { clock, ..Facts::default() }, severity, part);
}

#[test]
fn clocks() {
    let clock = || ClockFacts { now: NOW, built: NOW - DAY, ..ClockFacts::default() };
    let server = |answer| Some(("ntp.lan".to_owned(), answer));
    check_clock(clock(), Good, "nothing speaks against it");
    check_clock(
        ClockFacts { now: 5, ..clock() },
        Fault,
        "it says 1970-01-01 00:00 UTC, and this program was built on",
    );
    check_clock(
        ClockFacts { newest: Some((NOW + 7_200, "data/answers.log".into())), ..clock() },
        Fault,
        "written 2 hours later",
    );
    check_clock(
        ClockFacts { newest: Some((NOW - 7_200, "data/answers.log".into())), ..clock() },
        Good,
        "says",
    );
    check_clock(ClockFacts { synchronised: Some(true), ..clock() }, Good, "keeps it right");
    check_clock(ClockFacts { synchronised: Some(false), ..clock() }, Warning, "nobody keeps it right");
    check_clock(ClockFacts { synchronised: Some(false), simulated: true, ..clock() }, Good, "says");
    check_clock(ClockFacts { server: server(Ok(90)), ..clock() }, Good, "90 ms behind by ntp.lan");
    check_clock(ClockFacts { server: server(Ok(-600_000)), ..clock() }, Fault, "10 minutes ahead by ntp.lan");
    check_clock(
        ClockFacts { server: server(Err("silent".into())), ..clock() },
        Warning,
        "does not say the time",
    );
    check_clock(ClockFacts { skew_ms: Some(9_000), ..clock() }, Warning, "9000 ms apart");
    check_clock(ClockFacts { skew_ms: Some(900), ..clock() }, Good, "says");
}

fn folder() -> FolderFacts {
    FolderFacts {
        path: "/var/lib/gridpact".into(),
        of: "site/s1".into(),
        ledger: false,
        simulated: false,
        there: true,
        unwritable: None,
        space: Some((8 << 30, 16 << 30)),
        inodes_free: Some(100_000),
        mount: Some(Mount { at: "/".into(), kind: "ext4".into(), options: vec!["rw".into()], upper: None }),
    }
}

fn check_folder(folder: FolderFacts, severity: Severity, part: &str) {
    check(Facts { folders: vec![folder], ..Facts::default() }, severity, part);
}

fn on(kind: &str, options: &[&str]) -> Option<Mount> {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Some(Mount { at: "/".into(), kind: kind.into(), options, upper: None })
}

#[test]
fn disks() {
    let f = folder;
    check_folder(f(), Good, "on ext4, 8192 MiB free");
    check_folder(FolderFacts { there: false, ..f() }, Good, "made at the start");
    check_folder(
        FolderFacts { unwritable: Some("denied".into()), ..f() },
        Fault,
        "can't be written to: denied",
    );
    check_folder(
        FolderFacts { unwritable: Some("denied".into()), there: false, ..f() },
        Fault,
        "can't be made: denied",
    );
    check_folder(FolderFacts { space: Some((1 << 20, 16 << 30)), ..f() }, Fault, "1 MiB free");
    check_folder(FolderFacts { space: Some((200 << 20, 16 << 30)), ..f() }, Warning, "200 MiB free");
    check_folder(
        FolderFacts { space: Some((1 << 30, 16 << 30)), ledger: true, ..f() },
        Warning,
        "1024 MiB free",
    );
    check_folder(FolderFacts { inodes_free: Some(3), ..f() }, Warning, "only 3 more files");
    check_folder(FolderFacts { inodes_free: None, mount: None, ..f() }, Good, "unknown file system");
    check_folder(FolderFacts { mount: on("tmpfs", &["rw"]), ..f() }, Warning, "lies in memory");
    check_folder(FolderFacts { mount: on("tmpfs", &["rw"]), ledger: true, ..f() }, Fault, "lies in memory");
    check_folder(FolderFacts { mount: on("tmpfs", &["rw"]), simulated: true, ..f() }, Note, "lies in memory");
    let over = Some(Mount { upper: Some("tmpfs".into()), ..on("overlay", &["rw"]).unwrap() });
    check_folder(FolderFacts { mount: over, ..f() }, Warning, "lies in memory (overlay)");
    check_folder(FolderFacts { mount: on("overlay", &["rw"]), ..f() }, Good, "on overlay");
    check_folder(FolderFacts { mount: on("vfat", &["rw"]), ..f() }, Warning, "no journal");
    check_folder(FolderFacts { mount: on("nfs4", &["rw"]), ..f() }, Warning, "over a network");
    check_folder(FolderFacts { mount: on("ext4", &["rw", "nobarrier"]), ..f() }, Warning, "nobarrier");
    check_folder(FolderFacts { mount: on("ext4", &["ro"]), ..f() }, Fault, "read-only");
}

fn check_ports(listening: Listening, severity: Severity, part: &str) {
    check(Facts { listeners: vec![port("listen", 1_883, listening)], ..Facts::default() }, severity, part);
}

fn port(key: &str, port: u16, listening: Listening) -> ListenerFacts {
    let address = ([127, 0, 0, 1], port).into();
    let shared = key == "process.metrics_listen";
    ListenerFacts {
        key: key.into(),
        file: "broker.toml".into(),
        address,
        shared,
        listening,
        unsafe_because: None,
    }
}

#[test]
fn ports() {
    let owner = |name: &str| Listening::Taken(Some(Owner { process: 42, name: name.into() }));
    check_ports(Listening::Free, Good, "is free for listen");
    check_ports(owner("gridpact"), Good, "listened on by gridpact (process 42)");
    check_ports(owner("mosquitto"), Fault, "mosquitto (process 42) listens there already");
    check_ports(Listening::Taken(None), Fault, "process of another user");
    check_ports(Listening::NotOurs, Fault, "no such address");
    check_ports(Listening::Forbidden, Fault, "below 1024");
    check_ports(Listening::Other("odd".into()), Fault, "odd");
    let both = |a, b| Facts {
        listeners: vec![port(a, 9_464, Listening::Free), port(b, 9_464, Listening::Free)],
        ..Facts::default()
    };
    check(both("process.metrics_listen", "process.metrics_listen"), Good, "is free");
    check(both("process.metrics_listen", "api.listen"), Fault, "name the same address");
    let open = ListenerFacts {
        unsafe_because: Some("open to all".into()),
        ..port("listen", 1_883, Listening::Free)
    };
    check(Facts { listeners: vec![open], ..Facts::default() }, Fault, "open to all");
}

fn broker(address: &str, reached: Reached) -> BrokerFacts {
    let list = "brokers".to_owned();
    BrokerFacts { party: party("site/s1"), address: address.into(), list, own: false, reached: Some(reached) }
}

fn check_broker(reached: Reached, severity: Severity, part: &str) {
    check(Facts { brokers: vec![broker("b:8883", reached)], ..Facts::default() }, severity, part);
}

#[test]
fn brokers() {
    let why = || "why".to_owned();
    check_broker(Reached::Stands, Good, "takes site/s1");
    check_broker(Reached::Answers, Good, "the running process shows");
    check_broker(Reached::NoAddress, Fault, "is no host:port");
    check_broker(Reached::NoCertificate, Fault, "wants TLS");
    check_broker(Reached::Unresolved(why()), Fault, "resolves to nothing");
    check_broker(Reached::Unreachable(why()), Fault, "can't be reached: why");
    check_broker(Reached::WrongName, Fault, "names another host");
    check_broker(Reached::ForeignAuthority, Fault, "another authority");
    check_broker(Reached::WrongTime(why()), Fault, "does not hold now");
    check_broker(Reached::RefusesUs(why()), Fault, "refuses site/s1's certificate");
    check_broker(Reached::NoTls(why()), Fault, "speaks no TLS");
    check_broker(Reached::NoMqtt(why()), Fault, "is no MQTT broker");
    check_broker(Reached::NoRights(why()), Fault, "does not let it hear");
    let two = vec![broker("a:1", Reached::Unreachable(why())), broker("b:1", Reached::Stands)];
    check(Facts { brokers: two, ..Facts::default() }, Warning, "another of site/s1's answers");
    let own = BrokerFacts { own: true, ..broker("a:1", Reached::Unreachable(why())) };
    check(Facts { brokers: vec![own], ..Facts::default() }, Good, "starts with these files");
    let untried = BrokerFacts { reached: None, ..broker("a:1", Reached::Stands) };
    check(Facts { brokers: vec![untried], ..Facts::default() }, Note, "not tried");
}

fn check_device(meter: bool, answered: Answered, severity: Severity, part: &str) {
    let device = DeviceFacts {
        name: "x".into(),
        site: "site/s1".into(),
        kind: "sunspec-meter".into(),
        meter,
        answered,
    };
    check(Facts { devices: vec![device], ..Facts::default() }, severity, part);
}

#[test]
fn devices() {
    let why = || "why".to_owned();
    check_device(true, Answered::Read("230 W".into()), Good, "230 W");
    check_device(true, Answered::Silent(why()), Fault, "without its meter a site does not bid");
    check_device(false, Answered::Silent(why()), Warning, "bids without it");
    check_device(false, Answered::Unfit("there is no template toaster".into()), Fault, "toaster");
    check_device(false, Answered::Bad(why()), Fault, "why");
    let other = Answered::Other { says: "Fronius Gen24".into(), fitting: vec!["fronius-gen24".into()] };
    check_device(false, other, Fault, "says that it is \"Fronius Gen24\"");
    check_device(false, Answered::NotAsked(why()), Note, "was not asked");
}

fn check_process(heard: Heard, severity: Severity, part: &str) {
    let address = ([127, 0, 0, 1], 9_464).into();
    let process = ProcessFacts { address, expected: vec!["site/s1".into()], heard };
    check(Facts { processes: vec![process], ..Facts::default() }, severity, part);
}

#[test]
fn processes() {
    let ours = |parties: &[&str], stopped: &[&str], unready: &[&str]| {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Heard::Ours { parties: words(parties), stopped: words(stopped), unready: words(unready) }
    };
    check_process(Heard::Nobody, Note, "does not run");
    check_process(Heard::Stranger("Apache".into()), Fault, "Apache");
    check_process(ours(&["site/s1"], &[], &[]), Good, "healthy and ready");
    check_process(ours(&["site/s1"], &["site/s1"], &[]), Fault, "heartbeat of site/s1");
    check_process(ours(&["site/s1"], &[], &["no broker"]), Warning, "no broker");
    check_process(ours(&["dso/d1"], &[], &[]), Warning, "without site/s1");
}

#[test]
fn files() {
    let file = |wrong| Facts {
        files: vec![FileFacts { file: "a.toml".into(), role: Some("site/s1".into()), wrong }],
        ..Facts::default()
    };
    check(file(Vec::new()), Good, "configures site/s1");
    check(file(vec![(None, "unknown field `colour`".into())]), Fault, "colour");
    let two =
        file(vec![(Some("party.id".into()), "none".into()), (Some("site".into()), "two meters".into())]);
    check(two.clone(), Fault, "two meters");
    check(two, Fault, "party.id: none");
}

#[test]
fn all_areas_are_judged_whatever_is_wrong_in_one() {
    let facts = Facts {
        files: vec![FileFacts { file: "a.toml".into(), role: None, wrong: vec![(None, "no TOML".into())] }],
        keys: vec![KeyFacts { secret: Secret::Missing, ..key() }],
        certificates: vec![CertificateFacts { chain: Chain::Foreign, ..certificate() }],
        clock: ClockFacts { now: 5, built: NOW, ..ClockFacts::default() },
        folders: vec![FolderFacts { unwritable: Some("denied".into()), ..folder() }],
        listeners: vec![port("listen", 1_883, Listening::NotOurs)],
        brokers: vec![broker("b:1", Reached::WrongName)],
        ..Facts::default()
    };
    let found = judge(&facts, &Limits::default());
    let areas: std::collections::BTreeSet<Area> =
        found.iter().filter(|it| it.severity == Fault).map(|it| it.area).collect();
    assert_eq!(areas.len(), 7, "{found:#?}");
}
