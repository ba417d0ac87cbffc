//! A simulated charge point under each security profile, at our central system.

use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{CentralSystem, Password, StationConfig, TlsFiles};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sim_devices::ocpp::{ChargePoint, ChargePointConfig, ChargePointError, Version};
use sim_devices::physics::car::{ChargerConfig, ChargerSim};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);
const PASSWORD: &str = "correct-horse-battery";

/// An authority in `directory`, and files of what it certifies: certificate and key by name.
fn certify(directory: &Path, names: &[&str]) -> PathBuf {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = directory.join("authority.pem");
    std::fs::write(&authority, params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for name in names {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, *name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(directory.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    authority
}

fn sim() -> Arc<Mutex<ChargerSim>> {
    let config = ChargerConfig {
        phases: 1,
        power_max: Milliwatt(3_680_000),
        battery_capacity: Millijoule(1),
        stays: vec![],
    };
    Arc::new(Mutex::new(ChargerSim::new(config, UnixSeconds(0)).unwrap()))
}

/// A charge point whose configuration `change` has made fit gets in.
async fn check(tls: Option<TlsFiles>, scheme: &str, change: impl Fn(&mut ChargePointConfig)) {
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let mutual = tls.as_ref().is_some_and(|files| files.clients.is_some());
    let system = CentralSystem::listen_with("127.0.0.1:0".parse().unwrap(), tls, metrics).await.unwrap();
    let config = StationConfig::new("charger", "CP|1", 1, Milliwatt(3_680_000));
    let password = (!mutual).then(|| Password::of(PASSWORD));
    let charger = system.charger(StationConfig { password, ..config }).unwrap();
    let url = format!("{scheme}://localhost:{}/ocpp", charger.address().port());
    let mut config = ChargePointConfig { version: Version::V201, ..ChargePointConfig::new(&url, "CP|1") };
    change(&mut config);
    let _point = ChargePoint::start(config, sim()).unwrap();
    let connected = async {
        while charger.station().status.is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, connected).await.expect("it gets in and says how its connector is");
}

#[tokio::test]
async fn each_security_profile_is_spoken() {
    let directory = tempfile::tempdir().unwrap();
    let authority = certify(directory.path(), &["central", "CP|1"]);
    let file = |name: &str| directory.path().join(name);
    let files = |clients| TlsFiles {
        certificate: file("central.pem"),
        key: file("central.key"),
        clients,
        revoked: None,
    };
    check(None, "ws", |config| config.password = Some(PASSWORD.to_owned())).await;
    check(Some(files(None)), "wss", |config| {
        config.password = Some(PASSWORD.to_owned());
        config.authority = Some(authority.clone());
    })
    .await;
    check(Some(files(Some(authority.clone()))), "wss", |config| {
        config.authority = Some(authority.clone());
        config.certificate = Some((file("CP|1.pem"), file("CP|1.key")));
    })
    .await;
}

#[tokio::test]
async fn an_address_that_cannot_be_is_named() {
    let check = |url: &str| ChargePoint::start(ChargePointConfig::new(url, "CP-1"), sim()).err();
    assert!(matches!(check("http://localhost"), Some(ChargePointError::Scheme(_))));
    assert!(matches!(check("wss://localhost"), Some(ChargePointError::NoAuthority(_))));
    assert!(matches!(
        check("nonsense"),
        Some(ChargePointError::Scheme(_) | ChargePointError::Address { .. })
    ));
}
