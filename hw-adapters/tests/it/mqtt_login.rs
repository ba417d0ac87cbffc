//! A broker that wants TLS, a user and a password: Mosquitto, with certificates made here. Says plainly where it isn't
//! installed.

use crate::mqtt_peer::{mosquitto_with, Broker};
use hw_adapters::by_template::TemplateDevice;
use hw_adapters::config::{open, DeviceConfig};
use hw_adapters::device::{Device, DeviceError, PlugState};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::mqtt::login::{BrokerLogin, BrokerTls};
use market::units::Milliwatt;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rumqttc::{AsyncClient, MqttOptions, QoS, TlsConfiguration, Transport};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{crypto::ring, ClientConfig, RootCertStore};

const STATUS: &str = "shellyplusplugs-1/status/switch:0";
const STATE: &str = r#"{"id":0,"output":true,"apower":500.0,"aenergy":{"total":1.0}}"#;

/// An authority's file, and those of a broker by it, in `folder`.
fn certificates(folder: &Path) -> PathBuf {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("broker.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("broker.key"), key.serialize_pem()).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    file
}

/// A broker that lets `house` in with `secret`, over TLS only; none where there is no Mosquitto.
fn broker(folder: &Path) -> Option<Broker> {
    let passwords = folder.join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&passwords)
        .args(["house", "secret"])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: mosquitto_passwd is not installed");
        return None;
    }
    let at = |name: &str| folder.join(name).display().to_string();
    mosquitto_with(&format!(
        "allow_anonymous false\npassword_file {}\ncafile {}\ncertfile {}\nkeyfile {}\n",
        at("passwords"),
        at("ca.pem"),
        at("broker.pem"),
        at("broker.key"),
    ))
}

/// Says a plug's state again and again, as the house's other client.
fn publish(port: u16, authority: &Path) {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut options = MqttOptions::new("plug", "localhost", port);
    options.set_credentials("house", "secret");
    options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config))));
    let (client, mut events) = AsyncClient::new(options, 8);
    tokio::spawn(async move { while events.poll().await.is_ok() {} });
    tokio::spawn(async move {
        while client.publish(STATUS, QoS::AtLeastOnce, false, STATE).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

/// What a plug reads as behind this broker with this login.
async fn read(port: u16, login: Option<BrokerLogin>) -> Result<PlugState, DeviceError> {
    let device = TemplateDevice {
        name: "plug".into(),
        template: "shelly-gen2-plug".into(),
        broker: Some(format!("localhost:{port}")),
        settings: [("id".to_owned(), "shellyplusplugs-1".to_owned())].into(),
        power_max_w: Some(2_000),
        answer_within_ms: Some(3_000),
        login,
        ..TemplateDevice::default()
    };
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let opened = open(&DeviceConfig::Template(Box::new(device)), &metrics).await.unwrap();
    let Device::Plug(mut plug) = opened else { panic!("a plug") };
    plug.read().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plug_behind_tls_and_a_password_is_read_and_without_either_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let ca = certificates(folder.path());
    let Some(broker) = broker(folder.path()) else { return };
    publish(broker.port, &ca);
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let tls =
        |authority: &Path| Some(BrokerTls { authority: authority.into(), certificate: None, key: None });
    let login = |word: &str, tls| BrokerLogin {
        user: Some("house".into()),
        password_file: Some(file(word.trim_end(), word)),
        tls,
    };
    let state = read(broker.port, Some(login("secret\n", tls(&ca)))).await.unwrap();
    assert_eq!((state.on, state.power), (true, Milliwatt(500_000)));
    let other = tempfile::tempdir().unwrap();
    let other_ca = certificates(other.path());
    for (name, login) in [
        ("a wrong password", Some(login("wrong", tls(&ca)))),
        ("another authority", Some(login("secret", tls(&other_ca)))),
        ("no TLS", Some(login("secret", None))),
        ("nobody", None),
    ] {
        let error = read(broker.port, login).await.unwrap_err();
        assert!(matches!(error, DeviceError::Silent { .. }), "{name}: {error}");
    }
}
