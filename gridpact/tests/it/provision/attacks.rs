//! Who comes with what certificate, and what they may do: the same checks against the gate and against Mosquitto, with the
//! files that were made.

use super::peer::{Papers, Peer};
use super::scene::{Kind, Mosquitto, Scene};
use gridpact::cluster::process::Node;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
};
use std::time::{Duration, Instant};

/// Longest wait until a revocation is noticed.
const NOTICED: Duration = Duration::from_secs(30);
const MARKET: &str = "gridpact/v1/test/street";

/// A broker with the files made for it, and who comes.
struct Field {
    scene: Scene,
    mosquitto: Option<Mosquitto>,
    _gate: Option<Node>,
}

impl Field {
    fn new(mosquitto: bool) -> Field {
        let scene = Scene::new(Kind { mosquitto, simulated: false }, &[]);
        scene.provision("").unwrap();
        let gate = (!mosquitto).then(|| scene.start("grid"));
        let mosquitto = mosquitto.then(|| scene.start_mosquitto());
        let deadline = Instant::now() + super::scene::PATIENCE;
        while std::net::TcpStream::connect(scene.broker).is_err() {
            assert!(
                Instant::now() < deadline,
                "no broker: {}",
                gate.as_ref().map(Node::last_words).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Field { scene, mosquitto, _gate: gate }
    }

    fn papers(&self, machine: &str, name: &str) -> Papers {
        Papers::read(&self.scene.at(&format!("machines/{machine}/tls")), name)
    }

    fn open(&self, papers: Option<&Papers>) -> Peer {
        Peer::open(self.scene.broker, &self.scene.at("authority/authority.pem"), papers)
    }

    /// A client that was let in.
    fn client(&self, papers: &Papers, id: &str) -> Peer {
        let mut peer = self.open(Some(papers));
        assert!(peer.enters(id, None), "{id}");
        peer
    }

    /// A certificate of the deployment's own authority, but different.
    fn forged(&self, name: &str, change: impl Fn(&mut CertificateParams)) -> Papers {
        let key = std::fs::read_to_string(self.scene.at("authority/authority.key")).unwrap();
        let mut authority = CertificateParams::default();
        authority.distinguished_name = DistinguishedName::new();
        authority.distinguished_name.push(DnType::CommonName, "gridpact test street");
        let issuer = Issuer::new(authority, KeyPair::from_pem(&key).unwrap());
        signed(&issuer, name, change)
    }
}

fn signed(issuer: &Issuer<'_, KeyPair>, name: &str, change: impl Fn(&mut CertificateParams)) -> Papers {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::URI(format!("gridpact:{name}").try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap().pem();
    Papers { certificate, key: key.serialize_pem() }
}

fn both(check: impl Fn(&Field)) {
    for mosquitto in [false, true] {
        check(&Field::new(mosquitto));
    }
}

#[test]
fn who_has_no_certificate_of_the_authority_or_one_that_ended_is_not_let_in() {
    both(|field| {
        let own = field.papers("home", "site-s1");
        assert!(field.open(Some(&own)).enters("site-s1", None), "its own");
        assert!(!field.open(None).enters("site-s1", None), "none");
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.distinguished_name = DistinguishedName::new();
        authority.distinguished_name.push(DnType::CommonName, "gridpact test street");
        let foreign = signed(&Issuer::new(authority, key), "site/s1", |_| {});
        assert!(!field.open(Some(&foreign)).enters("site-s1", None), "a foreign authority's");
        let expired = field.forged("site/s1", |params| {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2024, 1, 1);
        });
        assert!(!field.open(Some(&expired)).enters("site-s1", None), "an expired one");
        let early = field.forged("site/s1", |params| params.not_before = rcgen::date_time_ymd(2090, 1, 1));
        assert!(!field.open(Some(&early)).enters("site-s1", None), "one of the future");
        let broker = field.papers("grid", "validator-v1-broker");
        assert!(!field.open(Some(&broker)).enters("site-s1", None), "a broker's");
    });
}

#[test]
fn nobody_speaks_as_another_in_messages_or_wills() {
    both(|field| {
        let (s1, a1) = (field.papers("home", "site-s1"), field.papers("grid", "aggregator-a1"));
        let mut hears = field.client(&a1, "aggregator-a1-test");
        assert!(hears.subscribes(&format!("{MARKET}/+/+/+/aggregator-a1")));
        let own = format!("{MARKET}/site/s1/bid/aggregator-a1");
        for wrong in [
            "site/s2/bid/aggregator-a1",
            "dso/d1/price-question/aggregator-a1",
            "site/s1/award/aggregator-a1",
        ] {
            let wrong = format!("{MARKET}/{wrong}");
            // One that is refused may be let go for it.
            field.client(&s1, "site-s1").publishes(&wrong, "forged");
            // Mosquitto looks at a will's topic when it is due.
            let entered = field.open(Some(&s1)).enters("site-s1", Some(&wrong));
            assert!(!entered || field.mosquitto.is_some(), "a will on {wrong}");
        }
        let mut right = field.client(&s1, "site-s1");
        right.publishes(&own, "mine");
        assert_eq!(hears.message(), Some((own.clone(), "mine".to_owned())), "nothing forged came before it");
        drop(right);
        let mut willing = field.open(Some(&s1));
        assert!(willing.enters("site-s1", Some(&own)));
        drop(willing);
        assert_eq!(hears.message(), Some((own, "will".to_owned())));
    });
}

#[test]
fn nobody_hears_what_is_not_for_them() {
    both(|field| {
        let [s1, s2, a1] = ["site-s1", "site-s2", "aggregator-a1"];
        let mut curious = field.client(&field.papers("home", s2), s2);
        // Mosquitto grants a filter and keeps back what it would bring; the gate refuses it.
        let (other, sites) = (format!("{MARKET}/+/+/+/site-s1"), format!("{MARKET}/site/#"));
        for filter in ["#", "gridpact/#", "+/+/+/+/+/+/+/+", &other, "$SYS/#", &sites] {
            let granted = curious.subscribes(filter);
            assert!(!granted || field.mosquitto.is_some(), "{filter}");
        }
        let mut speaks = field.client(&field.papers("grid", a1), a1);
        let mut bids = field.client(&field.papers("home", s1), s1);
        speaks.publishes(&format!("{MARKET}/aggregator/a1/firm/site-s1"), "secret");
        bids.publishes(&format!("{MARKET}/site/s1/bid/aggregator-a1"), "secret");
        assert!(speaks.lives() && bids.lives());
        assert!(curious.hears_nothing());
        let own = format!("{MARKET}/aggregator/a1/firm/site-s2");
        assert!(curious.subscribes(&format!("{MARKET}/+/+/+/site-s2")));
        speaks.publishes(&own, "for s2");
        assert_eq!(curious.message(), Some((own, "for s2".to_owned())));
    });
}

#[test]
fn a_stolen_client_id_takes_nothing_from_its_owner() {
    both(|field| {
        let (s1, s2) = (field.papers("home", "site-s1"), field.papers("home", "site-s2"));
        let mut owner = field.client(&s1, "site-s1-0123");
        let own = format!("{MARKET}/aggregator/a1/firm/site-s1");
        assert!(owner.subscribes(&format!("{MARKET}/+/+/+/site-s1")));
        let mut thief = field.open(Some(&s2));
        // The gate refuses it; at Mosquitto it is known by its certificate's name, whatever it says.
        assert_eq!(thief.enters("site-s1-0123", None), field.mosquitto.is_some());
        let mut speaks = field.client(&field.papers("grid", "aggregator-a1"), "aggregator-a1");
        speaks.publishes(&own, "for s1");
        assert_eq!(owner.message(), Some((own, "for s1".to_owned())));
        assert!(owner.lives());
        assert!(thief.hears_nothing());
    });
}

#[test]
fn who_is_revoked_is_not_let_in_again_and_others_are() {
    both(|field| {
        let (s1, s2) = (field.papers("home", "site-s1"), field.papers("home", "site-s2"));
        let mut living = field.client(&s1, "site-s1");
        field.scene.provision("revoke --party site/s1").unwrap();
        let mut other = field.client(&s2, "site-s2");
        // The gate looks at the list by itself, and ends the session. Mosquitto is told to look (SIGHUP): the session lives, and
        // has no rights.
        if let Some(mosquitto) = &field.mosquitto {
            mosquitto.reload();
            let mut hears = field.client(&field.papers("grid", "aggregator-a1"), "aggregator-a1");
            assert!(hears.subscribes(&format!("{MARKET}/+/+/+/aggregator-a1")));
            living.publishes(&format!("{MARKET}/site/s1/bid/aggregator-a1"), "from the revoked");
            assert!(hears.hears_nothing());
        } else {
            let deadline = Instant::now() + NOTICED;
            while living.lives() {
                assert!(Instant::now() < deadline, "a revoked session lives");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        assert!(other.lives());
        assert!(!field.open(Some(&s1)).enters("site-s1", None));
    });
}

#[test]
fn mosquitto_started_with_the_new_list_knows_the_new_certificate_alone() {
    let scene = Scene::new(Kind { mosquitto: true, simulated: false }, &[]);
    scene.provision("").unwrap();
    let tls = scene.at("machines/home/tls");
    let papers = Papers::read(&tls, "site-s1");
    scene.provision("rotate --certificate-only --party site/s1").unwrap();
    let _mosquitto = scene.start_mosquitto();
    let open = |papers: &Papers| Peer::open(scene.broker, &scene.at("authority/authority.pem"), Some(papers));
    assert!(!open(&papers).enters("site-s1", None), "the one before");
    assert!(open(&Papers::read(&tls, "site-s1")).enters("site-s1", None), "the new one");
    assert!(open(&Papers::read(&tls, "site-s2")).enters("site-s2", None), "another's");
}

/// QoS 2 is nobody's: what asks for it is refused, and the broker goes on.
#[test]
fn there_is_no_qos_2() {
    both(|field| {
        let s1 = field.papers("home", "site-s1");
        let mut peer = field.client(&s1, "site-s1");
        peer.publishes_twice_sure(&format!("{MARKET}/site/s1/bid/aggregator-a1"));
        assert!(!peer.lives());
        assert!(field.client(&s1, "site-s1").lives());
    });
}
