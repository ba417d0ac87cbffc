//! Mutual TLS: a party is who its certificate says, has its own topics, and ends when it is revoked. And a
//! site's own listener: a device is who its password says.

use super::raw::*;
use broker::embedded::{BrokerError, EmbeddedBroker, Listen, Options};
use broker::gate::{Device, Door, GateMetrics, Mutual, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber,
};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{crypto::ring, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use wire::hash::Hash32;

/// An authority, and the files of a broker it has certified.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    directory: TempDir,
}

/// A certificate with its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    serial: u64,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let der = own.der().clone();
        let directory = TempDir::new().unwrap();
        let authority = Authority { issuer: Issuer::new(params, key), der, directory };
        let (certificate, key) = authority.signed(1, |params| {
            params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
        });
        fs::write(authority.path("authority.pem"), own.pem()).unwrap();
        fs::write(authority.path("broker.pem"), certificate.pem()).unwrap();
        fs::write(authority.path("broker.key"), key.serialize_pem()).unwrap();
        authority.revoke(&[]);
        authority
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.directory.path()).join(name)
    }

    fn signed(&self, serial: u64, change: impl Fn(&mut CertificateParams)) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::default();
        params.serial_number = Some(SerialNumber::from(serial));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn identity(&self, serial: u64, change: impl Fn(&mut CertificateParams)) -> Identity {
        let (certificate, key) = self.signed(serial, change);
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Identity { chain: vec![certificate.der().clone()], key, serial }
    }

    /// A party's certificate, named as its subject.
    fn party(&self, serial: u64, name: &str) -> Identity {
        self.identity(serial, |params| {
            params.distinguished_name.push(DnType::CommonName, name);
        })
    }

    /// Writes the revocation list.
    fn revoke(&self, revoked: &[&Identity]) {
        let now = rcgen::date_time_ymd(2024, 1, 1);
        let certificate = |identity: &&Identity| RevokedCertParams {
            serial_number: SerialNumber::from(identity.serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: rcgen::date_time_ymd(2124, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(certificate).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        fs::write(self.path("revoked.pem"), list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
    }

    fn listen(&self) -> Listen {
        let files = TlsFiles {
            certificate: self.path("broker.pem"),
            key: self.path("broker.key"),
            authority: self.path("authority.pem"),
            revoked: Some(self.path("revoked.pem")),
        };
        let mutual = Arc::new(Mutual::load(crate::world::network(), files).unwrap());
        Listen { name: "market".to_owned(), address: ([127, 0, 0, 1], 0).into(), door: Door::Parties(mutual) }
    }

    fn start(&self) -> EmbeddedBroker {
        EmbeddedBroker::start_on(vec![self.listen()], Options::default()).unwrap()
    }

    /// A connection that speaks TLS with this certificate, or none.
    fn open(&self, address: SocketAddr, identity: Option<&Identity>) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            Some(one) => config.with_client_auth_cert(one.chain.clone(), one.key.clone_key()).unwrap(),
            None => config.with_no_client_auth(),
        };
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client(StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream))
    }
}

struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    fn hears(&mut self, expected: &[u8]) {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).unwrap();
        assert_eq!(bytes, expected);
    }

    fn asks(&mut self, said: &[u8], heard: &[u8]) {
        self.0.write_all(said).unwrap();
        self.hears(heard);
    }

    /// Whatever it says, it is told this and then nothing more.
    fn ends_with(mut self, said: &[u8], expected: &[u8]) {
        let _ = self.0.write_all(said);
        let mut heard = Vec::new();
        let _ = self.0.read_to_end(&mut heard);
        assert_eq!(heard, expected);
    }
}

const REFUSED: &[u8] = &[0x20, 2, 0, 5];

#[test]
fn a_party_is_who_its_certificate_says() {
    let authority = Authority::new();
    let address = authority.start().address();
    let site = authority.party(2, "site/s1");
    let by_uri = authority.identity(3, |params| {
        params.subject_alt_names = vec![SanType::URI("gridpact:site/s1".try_into().unwrap())];
    });
    for identity in [&site, &by_uri] {
        for id in ["site-s1", "site-s1-0123456789abcdef", ""] {
            authority.open(address, Some(identity)).asks(&connect(id), ACCEPTED);
        }
        // another's client id, or one that only begins alike
        for id in ["site-s2", "site-s12", "aggregator-a1", "x"] {
            authority.open(address, Some(identity)).ends_with(&connect(id), REFUSED);
        }
    }
    // none; of another authority; expired; one that names nobody, or two
    let foreign = Authority::new().party(2, "site/s1");
    let expired = authority.identity(4, |params| {
        params.distinguished_name.push(DnType::CommonName, "site/s1");
        params.not_after = rcgen::date_time_ymd(2024, 1, 1);
    });
    let nobody = authority.party(5, "s1");
    let two = authority.identity(6, |params| {
        params.distinguished_name.push(DnType::CommonName, "site/s1");
        params.subject_alt_names = vec![SanType::URI("gridpact:site/s2".try_into().unwrap())];
    });
    authority.open(address, None).ends_with(&connect("site-s1"), &[]);
    for identity in [foreign, expired, nobody, two] {
        authority.open(address, Some(&identity)).ends_with(&connect("site-s1"), &[]);
    }
}

#[test]
fn a_party_has_its_own_topics() {
    let authority = Authority::new();
    let address = authority.start().address();
    let own = "gridpact/v1/test/f1/site/s1";
    let (site, aggregator) = (authority.party(2, "site/s1"), authority.party(3, "aggregator/a1"));
    let mut listener = authority.open(address, Some(&aggregator));
    listener.asks(&connect("aggregator-a1"), ACCEPTED);
    listener.asks(&subscribe("gridpact/v1/test/f1/+/+/+/aggregator-a1", 0), &[0x90, 3, 0, 1, 0]);
    // what is beyond its rights is refused, and it lives
    for filter in ["#", "gridpact/#", "gridpact/v1/test/f1/+/+/+/+", "gridpact/v1/test/f1/+/+/+/site-s1"] {
        listener.asks(&subscribe(filter, 0), &[0x90, 3, 0, 1, 0x80]);
    }
    let connected = |will: Option<&str>| {
        let mut client = authority.open(address, Some(&site));
        let said = will.map_or_else(|| connect("site-s1"), |will| connect_with(6, &["site-s1", will, "x"]));
        client.0.write_all(&said).unwrap();
        client
    };
    // as another, of another role, elsewhere
    for topic in ["gridpact/v1/test/f1/site/s2/bid/aggregator-a1", "gridpact/v1/test/f1/dso/s1/block", "x"] {
        connected(None).ends_with(&publish(topic, "x"), ACCEPTED);
        connected(Some(topic)).ends_with(PING, REFUSED);
    }
    let bid = publish(&format!("{own}/bid/aggregator-a1"), "x");
    let mut client = connected(Some(&format!("{own}/bid/aggregator-a1")));
    client.hears(ACCEPTED);
    client.0.write_all(&bid).unwrap();
    listener.hears(&bid);
    // its will, when it ends without a word
    drop(client);
    listener.hears(&bid);
}

#[test]
fn client_ids_are_each_partys_own() {
    let authority = Authority::new();
    let address = authority.start().address();
    // `site/s1` may call itself as `site/s1-x` does, and takes nothing from it.
    let (short, long) = (authority.party(2, "site/s1"), authority.party(3, "site/s1-x"));
    let mut victim = authority.open(address, Some(&long));
    victim.asks(&connect("site-s1-x"), ACCEPTED);
    let mut other = authority.open(address, Some(&short));
    other.asks(&connect("site-s1-x"), ACCEPTED);
    victim.asks(PING, PONG);
    other.asks(PING, PONG);
}

#[test]
fn who_is_revoked_is_dropped_and_stays_out() {
    let authority = Authority::new();
    let broker = authority.start();
    let address = broker.address();
    let (good, bad) = (authority.party(200, "site/s1"), authority.party(0x80, "site/s2"));
    let mut living = authority.open(address, Some(&good));
    living.asks(&connect("site-s1"), ACCEPTED);
    let mut revoked = authority.open(address, Some(&bad));
    revoked.asks(&connect("site-s2"), ACCEPTED);
    let also = authority.party(7, "site/s3");
    let mut unasked = authority.open(address, Some(&also));
    unasked.asks(&connect("site-s3"), ACCEPTED);
    authority.revoke(&[&bad]);
    broker.reload().unwrap();
    revoked.ends_with(&[], &[]);
    // The file is looked at by itself, too.
    authority.revoke(&[&bad, &also]);
    unasked.ends_with(&[], &[]);
    authority.open(address, Some(&bad)).ends_with(&connect("site-s2"), &[]);
    living.asks(PING, PONG);
    // What can't be read changes nothing.
    fs::write(authority.path("revoked.pem"), "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
        .unwrap();
    broker.reload().unwrap_err();
    authority.open(address, Some(&bad)).ends_with(&connect("site-s2"), &[]);
    authority.open(address, Some(&good)).asks(&connect("site-s1"), ACCEPTED);
}

#[test]
fn silent_and_half_open_handshakes_keep_nobody_out() {
    let authority = Authority::new();
    let mut options = Options::default();
    options.limits.newcomers = 10;
    options.limits.introduction = Duration::from_secs(3);
    let address = EmbeddedBroker::start_on(vec![authority.listen()], options).unwrap().address();
    let silent: Vec<Raw> = (0..50).map(|_| Raw::open(address)).collect();
    let mut half: Vec<Raw> = (0..50).map(|_| Raw::open(address)).collect();
    // The beginning of a ClientHello; and MQTT, where TLS is spoken.
    half.iter_mut().for_each(|raw| raw.say_into_the_void(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]));
    let mut plain = Raw::open(address);
    plain.say(&connect("site-s1"));
    authority.open(address, Some(&authority.party(2, "site/s1"))).asks(&connect("site-s1"), ACCEPTED);
    silent.into_iter().chain(half).for_each(|raw| raw.ends_with(&[]));
}

#[test]
fn who_connects_too_often_is_told_so() {
    let authority = Authority::new();
    let mut options = Options::default();
    options.limits.connects = broker::rate::Rate { per_second: 1, burst: 2 };
    let metrics = prometheus::Registry::new();
    options.metrics = Some(GateMetrics::register(&metrics).unwrap());
    let address = EmbeddedBroker::start_on(vec![authority.listen()], options).unwrap().address();
    let (often, once) = (authority.party(2, "site/s1"), authority.party(3, "site/s2"));
    let mut refused = false;
    for _ in 0..50 {
        let mut client = authority.open(address, Some(&often));
        client.0.write_all(&connect("site-s1")).unwrap();
        let mut answer = [0; 4];
        client.0.read_exact(&mut answer).unwrap();
        refused |= answer == [0x20, 2, 0, 3];
    }
    assert!(refused);
    authority.open(address, Some(&once)).asks(&connect("site-s2"), ACCEPTED);
    let families = metrics.gather();
    let family = families.iter().find(|family| family.name() == "gridpact_gate_refused_total").unwrap();
    let labels = |metric: &prometheus::proto::Metric| {
        metric.get_label().iter().map(|label| label.value().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(family.get_metric().iter().map(labels).collect::<Vec<_>>(), [["market", "too-often"]]);
}

#[test]
fn who_publishes_too_much_waits_and_the_others_do_not() {
    let device = Device { password: Hash32::plain(b"secret"), topics: vec!["d".to_owned()] };
    let devices = Arc::new([("d".to_owned(), device)].into_iter().collect());
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    let door = Door::Devices(devices);
    let listens = vec![Listen { name: "devices".to_owned(), address, door }, Listen::on_loopback(address)];
    let mut options = Options::default();
    options.limits.messages = broker::rate::Rate { per_second: 100, burst: 1 };
    let broker = EmbeddedBroker::start_on(listens, options).unwrap();
    let [of_devices, local] = broker.addresses().collect::<Vec<_>>()[..] else { panic!("two listeners") };
    let mut flooding = Raw::open(of_devices);
    flooding.say(&connect_with(0xc2, &["any", "d", "secret"]));
    flooding.hears(ACCEPTED);
    let mut other = Raw::subscribed(local, "other", "d/a", 0);
    let begun = std::time::Instant::now();
    flooding.say(&publish("d/a", "x").repeat(50));
    other.hears(&publish("d/a", "x"));
    flooding.lives();
    // The ping is read half a second after the flood: what was taken at once is paid for before.
    assert!(begun.elapsed() > Duration::from_millis(300));
    other.hears(&publish("d/a", "x").repeat(49));
    other.lives();
}

#[test]
fn a_device_is_who_its_password_says_and_has_its_own_topics() {
    let device = |password: &str, topic: &str| Device {
        password: Hash32::plain(password.as_bytes()),
        topics: vec![topic.to_owned()],
    };
    let devices = [("pump", device("secret", "site/pump")), ("car", device("other", "site/car"))];
    let devices = devices.map(|(user, device)| (user.to_owned(), device)).into_iter().collect();
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    let listens = vec![
        Listen { name: "devices".to_owned(), address, door: Door::Devices(Arc::new(devices)) },
        Listen::on_loopback(address),
    ];
    let broker = EmbeddedBroker::start_on(listens, Options::default()).unwrap();
    let [of_devices, local] = broker.addresses().collect::<Vec<_>>()[..] else { panic!("two listeners") };
    let mut controller = Raw::subscribed(local, "controller", "site/+/state", 0);
    let open = |user: &str, password: &str| {
        let mut raw = Raw::open(of_devices);
        raw.say(&connect_with(0xc2, &["any", user, password]));
        raw
    };
    let mut anonymous = Raw::open(of_devices);
    anonymous.say(&connect("any"));
    anonymous.ends_with(&[0x20, 2, 0, 4]);
    open("pump", "other").ends_with(&[0x20, 2, 0, 4]);
    open("heater", "secret").ends_with(&[0x20, 2, 0, 4]);
    let (mut pump, mut car) = (open("pump", "secret"), open("car", "other"));
    pump.hears(ACCEPTED);
    car.hears(ACCEPTED);
    pump.say(&[subscribe("site/pump/set", 0), subscribe("site/car/set", 0), subscribe("#", 0)].concat());
    pump.hears(&[0x90, 3, 0, 1, 0, 0x90, 3, 0, 1, 0x80, 0x90, 3, 0, 1, 0x80]);
    pump.say(&publish("site/pump/state", "on"));
    controller.hears(&publish("site/pump/state", "on"));
    controller.say(&publish("site/pump/set", "off"));
    pump.hears(&publish("site/pump/set", "off"));
    car.say(&publish("site/pump/state", "stolen"));
    car.ends_with(&[]);
    pump.lives();
}

#[test]
fn nobody_unknown_comes_from_outside() {
    let everywhere: SocketAddr = ([0, 0, 0, 0], 0).into();
    let listen = |door| vec![Listen { name: "any".to_owned(), address: everywhere, door }];
    let refused = |door| EmbeddedBroker::start_on(listen(door), Options::default()).unwrap_err();
    assert!(matches!(refused(Door::Open), BrokerError::NotLoopback { .. }));
    assert!(matches!(refused(Door::Devices(Arc::default())), BrokerError::NotPrivate { .. }));
    let authority = Authority::new();
    let door = authority.listen().door;
    EmbeddedBroker::start_on(listen(door), Options::default()).unwrap();
}

/// The whole way of a message between links, signed and answered, over TLS and by topics they have a right to.
#[tokio::test]
async fn links_speak_over_tls() {
    use crate::world::{aggregator, registry, signer, site, to_aggregator, Node};
    use broker::link::{ConnectionConfig, Identity, LinkConfig, LinkError, LinkEvent};
    use wire::message::Verdict;
    let authority = Authority::new();
    let address = format!("mqtts://localhost:{}", authority.start().address().port());
    let registry = registry(1);
    let config = |party: &wire::party::PartyId, serial| {
        let (certificate, key) = authority.signed(serial, |params| {
            params.distinguished_name.push(DnType::CommonName, party.to_string());
        });
        let name = format!("{}-{}", party.role.word(), party.id);
        let files = ["pem", "key"].map(|kind| authority.path(&format!("{name}.{kind}")));
        fs::write(&files[0], certificate.pem()).unwrap();
        fs::write(&files[1], key.serialize_pem()).unwrap();
        let identity = Identity::load(&files[0], &files[1], &authority.path("authority.pem")).unwrap();
        LinkConfig {
            connections: vec![ConnectionConfig::market(vec![address.clone()], Vec::new())],
            signer: signer(party, 1_000),
            registry: registry.clone(),
            queue: 16,
            rates: Vec::new(),
            screen: None,
            answers: None,
            identity: Some(identity),
        }
    };
    let mut receiver = Node::start(config(&aggregator(), 2));
    let mut sender = Node::start(config(&site(0), 3));
    receiver.expect(LinkEvent::Connected).await;
    sender.expect(LinkEvent::Connected).await;
    sender.link.send(to_aggregator(5)).unwrap();
    let LinkEvent::Message(opened) = receiver.next().await else { panic!("a message") };
    receiver.link.acknowledge(opened.id, Verdict::Accepted).unwrap();
    let answered = LinkEvent::Answered { tag: 5, by: aggregator(), verdict: Verdict::Accepted };
    sender.expect(answered).await;
    // Without a certificate there is no such link.
    let without = LinkConfig { identity: None, ..config(&site(0), 4) };
    let metrics = broker::metrics::LinkMetrics::register(&prometheus::Registry::new()).unwrap();
    let refused = broker::link::Link::connect(without, metrics);
    assert!(matches!(refused, Err(LinkError::Config { what: "address", .. })));
}
