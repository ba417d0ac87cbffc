//! Security profiles 1 to 3 over real sockets: passwords in the open, under TLS, and certificates on both
//! sides.

use futures::{SinkExt, StreamExt};
use hw_adapters::metrics::DeviceMetrics;
use hw_adapters::ocpp::{CentralSystem, OcppCharger, OcppError, Password, StationConfig, TlsFiles};
use market::units::Milliwatt;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod,
    KeyPair, RevokedCertParams,
};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::Message;

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Authority { issuer: Issuer::new(params, key), certificate }
}

/// A certificate and its key.
fn certificate(authority: &Authority, name: &str) -> (rcgen::Certificate, KeyPair) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, &authority.issuer).unwrap(), key)
}

/// What a charge point brings.
#[derive(Default)]
struct Bring<'a> {
    password: Option<&'a str>,
    /// The authority it trusts, where it speaks TLS.
    trusts: Option<&'a Authority>,
    certificate: Option<&'a (rcgen::Certificate, KeyPair)>,
}

/// Whether a charge point that brings this gets in and is answered.
async fn gets_in(address: SocketAddr, bring: Bring<'_>) -> bool {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut request = format!("ws://{address}/ocpp/CP-1").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "ocpp2.0.1".parse().unwrap());
    if let Some(password) = bring.password {
        use base64::Engine;
        let login = base64::engine::general_purpose::STANDARD.encode(format!("CP-1:{password}"));
        request.headers_mut().insert("Authorization", format!("Basic {login}").parse().unwrap());
    }
    let Some(authority) = bring.trusts else {
        return match client_async(request, stream).await {
            Ok((socket, _)) => is_answered(socket).await,
            Err(_) => false,
        };
    };
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match bring.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let Ok(stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else { return false };
    match client_async(request, stream).await {
        Ok((socket, _)) => is_answered(socket).await,
        Err(_) => false,
    }
}

async fn is_answered<S>(mut socket: tokio_tungstenite::WebSocketStream<S>) -> bool
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let beat = json!([2, "b", "Heartbeat", {}]).to_string();
    let sent = socket.send(Message::text(beat)).await.is_ok();
    let answer = socket.next().await;
    sent && matches!(answer, Some(Ok(Message::Text(text))) if text.contains("currentTime"))
}

async fn system(tls: Option<TlsFiles>, password: Option<&str>) -> OcppCharger {
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let system = CentralSystem::listen_with("127.0.0.1:0".parse().unwrap(), tls, metrics).await.unwrap();
    let config = StationConfig::new("charger", "CP-1", 3, Milliwatt(11_040_000));
    system.charger(StationConfig { password: password.map(Password::of), ..config }).unwrap()
}

fn files(directory: &Path, ours: &Authority, clients: Option<&Authority>) -> TlsFiles {
    let (certificate, key) = certificate(ours, "central");
    let write = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsFiles {
        certificate: write("certificate.pem", certificate.pem()),
        key: write("key.pem", key.serialize_pem()),
        clients: clients.map(|authority| write("clients.pem", authority.certificate.pem())),
        revoked: None,
    }
}

#[tokio::test]
async fn profile_1_wants_the_password() {
    let charger = system(None, Some("correct-horse-battery")).await;
    let address = charger.address();
    let with = |password| Bring { password, ..Bring::default() };
    assert!(gets_in(address, with(Some("correct-horse-battery"))).await);
    assert!(!gets_in(address, with(Some("correct-horse-batterx"))).await);
    assert!(!gets_in(address, with(None)).await);
}

#[tokio::test]
async fn profile_2_wants_tls_and_the_password() {
    let (directory, ours, another) = (tempfile::tempdir().unwrap(), authority(), authority());
    let charger = system(Some(files(directory.path(), &ours, None)), Some("correct-horse-battery")).await;
    let address = charger.address();
    let with = |password, trusts| Bring { password, trusts, certificate: None };
    assert!(gets_in(address, with(Some("correct-horse-battery"), Some(&ours))).await);
    assert!(!gets_in(address, with(Some("wrong"), Some(&ours))).await);
    assert!(!gets_in(address, with(None, Some(&ours))).await);
    assert!(!gets_in(address, with(Some("correct-horse-battery"), Some(&another))).await);
    assert!(!gets_in(address, with(Some("correct-horse-battery"), None)).await);
}

#[tokio::test]
async fn profile_3_wants_a_certificate_of_the_identity() {
    let (directory, ours, theirs) = (tempfile::tempdir().unwrap(), authority(), authority());
    let charger = system(Some(files(directory.path(), &ours, Some(&theirs))), None).await;
    let address = charger.address();
    for (authority, name, expected) in [
        (Some(&theirs), "CP-1", true),
        (Some(&theirs), "CP-2", false),
        (Some(&ours), "CP-1", false),
        (None, "", false),
        (Some(&theirs), "CP-1", true),
    ] {
        let shown = authority.map(|authority| certificate(authority, name));
        let bring = Bring { password: None, trusts: Some(&ours), certificate: shown.as_ref() };
        assert_eq!(gets_in(address, bring).await, expected, "{name}");
    }
}

/// The authority's list with these serial numbers on it.
fn revocations(authority: &Authority, serials: &[u64]) -> String {
    let now = time::OffsetDateTime::now_utc();
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: (*serial).into(),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: now,
        next_update: now + time::Duration::days(7),
        crl_number: 1_u64.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&authority.issuer).unwrap().pem().unwrap()
}

#[tokio::test]
async fn what_is_revoked_stays_out_and_files_are_read_anew_when_they_change() {
    let (directory, ours, theirs) = (tempfile::tempdir().unwrap(), authority(), authority());
    let list = directory.path().join("revoked.pem");
    std::fs::write(&list, revocations(&theirs, &[])).unwrap();
    let tls = TlsFiles { revoked: Some(list.clone()), ..files(directory.path(), &ours, Some(&theirs)) };
    let charger = system(Some(tls.clone()), None).await;
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "CP-1");
    params.serial_number = Some(4_711_u64.into());
    let key = KeyPair::generate().unwrap();
    let shown = (params.signed_by(&key, &theirs.issuer).unwrap(), key);
    let bring = |trusts| Bring { password: None, trusts: Some(trusts), certificate: Some(&shown) };
    assert!(gets_in(charger.address(), bring(&ours)).await);
    // Half-written files change nothing.
    std::fs::write(&list, "-----BEGIN X509 CRL-----").unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(gets_in(charger.address(), bring(&ours)).await);
    std::fs::write(&list, revocations(&theirs, &[4_711])).unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(!gets_in(charger.address(), bring(&ours)).await);
    // Our own certificate is renewed, by another authority, and the list is lifted.
    let renewed = authority();
    std::fs::write(&list, revocations(&theirs, &[1])).unwrap();
    files(directory.path(), &renewed, Some(&theirs));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(gets_in(charger.address(), bring(&renewed)).await);
    assert!(!gets_in(charger.address(), bring(&ours)).await);
}

#[tokio::test]
async fn files_that_do_not_fit_are_named() {
    let (directory, ours) = (tempfile::tempdir().unwrap(), authority());
    let good = files(directory.path(), &ours, None);
    let check = |tls: TlsFiles, part: &'static str| async move {
        let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
        let system = CentralSystem::listen_with("127.0.0.1:0".parse().unwrap(), Some(tls), metrics).await;
        let error = system.map(|_| ()).unwrap_err();
        assert!(matches!(&error, OcppError::Tls { .. }) && error.to_string().contains(part), "{error}");
    };
    check(TlsFiles { certificate: directory.path().join("none.pem"), ..good.clone() }, "none.pem").await;
    check(TlsFiles { key: good.certificate.clone(), ..good.clone() }, "certificate.pem").await;
    check(TlsFiles { clients: Some(good.key.clone()), ..good }, "key.pem").await;
}

#[tokio::test]
async fn charge_points_of_one_address_share_its_listener() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let metrics = DeviceMetrics::register(&prometheus::Registry::new()).unwrap();
    let first = CentralSystem::share(free, None, metrics.clone()).await.unwrap();
    let second = CentralSystem::share(free, None, metrics.clone()).await.unwrap();
    let config = |identity: &str| StationConfig::new(identity, identity, 3, Milliwatt(11_040_000));
    let one = first.charger(config("CP-1")).unwrap();
    let two = second.charger(config("CP-2")).unwrap();
    assert_eq!(one.address(), two.address());
    let files = TlsFiles { certificate: "a".into(), key: "b".into(), clients: None, revoked: None };
    assert!(matches!(
        CentralSystem::share(free, Some(files), metrics).await,
        Err(OcppError::OtherTls { .. })
    ));
    drop((first, one));
    assert!(!gets_in(two.address(), Bring::default()).await, "CP-1 is gone");
}
