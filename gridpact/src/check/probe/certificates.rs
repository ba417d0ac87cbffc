//! Certificates: read, taken apart, and verified against their authority by the code that verifies them in a handshake.

use super::configuration::Loaded;
use super::{is_here, owned};
use crate::check::facts::{CertificateFacts, Chain, ListFacts, Use};
use crate::configuration::listeners::BrokerCertificateKeys;
use crate::configuration::RoleFile;
use broker::gate::Peer;
use hw_adapters::config::DeviceConfig;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime,
};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{crypto::ring, sign::CertifiedKey, CertificateError, Error, RootCertStore};
use wire::party::PartyId;
use x509_cert::crl::CertificateList;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::Certificate;

/// What is said of a file without one.
const NONE: &str = "it holds no certificate in PEM";

/// One certificate to be looked at.
struct Wanted {
    of: Use,
    certificate: PathBuf,
    key: PathBuf,
    authority: Option<PathBuf>,
}

/// All certificates and revocation lists that the files name; `revoked` is a list besides.
pub fn of(loaded: &[Loaded], revoked: Option<&Path>) -> (Vec<CertificateFacts>, Vec<ListFacts>) {
    let (mut wanted, mut lists) = (Vec::new(), BTreeSet::new());
    lists.extend(revoked.map(Path::to_owned));
    let addresses = addresses(loaded);
    for one in loaded {
        if let Some((role, keys)) = one.party() {
            if let (Some(tls), Ok(id)) = (&keys.tls, keys.id.parse()) {
                wanted.push(Wanted {
                    of: Use::Party(PartyId::new(role, id)),
                    certificate: tls.certificate.clone(),
                    key: tls.key.clone(),
                    authority: Some(tls.authority.clone()),
                });
            }
        }
        let mut broker = |tls: &BrokerCertificateKeys, listen: SocketAddr| {
            lists.extend(tls.revoked.clone());
            wanted.push(Wanted {
                of: Use::Broker(hosts(&addresses, listen)),
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                authority: Some(tls.authority.clone()),
            });
        };
        match one.role() {
            Some(RoleFile::Broker(file)) => {
                file.parties.iter().for_each(|parties| broker(&parties.tls, parties.listen));
            }
            Some(RoleFile::Validator(file)) => {
                let mesh = file.mesh.iter().filter_map(|mesh| mesh.tls.as_ref().zip(mesh.listen));
                mesh.for_each(|(tls, listen)| broker(tls, listen));
            }
            Some(RoleFile::Site(file)) => {
                for device in &file.site.devices {
                    let tls = match &device.config {
                        DeviceConfig::OcppCharger(charger) => charger.tls.as_ref(),
                        DeviceConfig::Template(device) => device.tls.as_ref(),
                        _ => None,
                    };
                    wanted.extend(tls.map(|tls| Wanted {
                        of: Use::Chargers,
                        certificate: tls.certificate.clone(),
                        key: tls.key.clone(),
                        authority: None,
                    }));
                }
            }
            _ => {}
        }
    }
    let read: Vec<Vec<CertificateRevocationListDer<'static>>> =
        lists.iter().map(|path| revocations(path).unwrap_or_default()).collect();
    let crls: Vec<CertificateRevocationListDer<'static>> = read.into_iter().flatten().collect();
    let facts = wanted.into_iter().map(|wanted| look(wanted, &crls)).collect();
    let lists = lists.into_iter().map(|path| ListFacts { until: until(&path), path }).collect();
    (facts, lists)
}

/// Addresses by TLS that parties of these files go to.
fn addresses(loaded: &[Loaded]) -> Vec<(String, u16)> {
    let parties = loaded.iter().filter_map(|one| one.party());
    let named = parties.flat_map(|(_, keys)| keys.brokers.iter().chain(&keys.validator_brokers));
    let taken = named.filter_map(|address| {
        let (host, port) = address.strip_prefix("mqtts://")?.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
    });
    taken.collect()
}

/// Hosts by which parties of these files reach a listener of this machine.
fn hosts(addresses: &[(String, u16)], listen: SocketAddr) -> Vec<String> {
    let mut hosts: Vec<String> = addresses
        .iter()
        .filter(|(host, port)| *port == listen.port() && is_here(host))
        .map(|(host, _)| host.clone())
        .collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

fn look(wanted: Wanted, crls: &[CertificateRevocationListDer<'static>]) -> CertificateFacts {
    let mut facts = CertificateFacts {
        key_owned: owned(&wanted.key),
        of: wanted.of,
        certificate: wanted.certificate,
        key: wanted.key,
        authority: wanted.authority,
        unusable: Vec::new(),
        not_before: 0,
        not_after: 0,
        authority_until: None,
        names: Err(NONE.to_owned()),
        hosts: Vec::new(),
        lacking: Vec::new(),
        chain: Chain::Unknown,
        key_fits: None,
    };
    let chain = pem(&facts.certificate, &mut facts.unusable);
    let roots = facts.authority.clone().map(|path| pem(&path, &mut facts.unusable)).unwrap_or_default();
    let key = PrivateKeyDer::from_pem_file(&facts.key).map_err(|error| error.to_string());
    if let Err(reason) = &key {
        let reason = format!("the certificate's private key can't be read: {reason}");
        facts.unusable.push((facts.key.clone(), reason));
    }
    facts.authority_until = roots.first().and_then(|root| dates(root)).map(|(_, until)| until);
    let Some((leaf, above)) = chain.split_first() else { return facts };
    let Some((from, until)) = dates(leaf) else {
        facts.unusable.push((facts.certificate.clone(), "it is no X.509 certificate".to_owned()));
        return facts;
    };
    (facts.not_before, facts.not_after) = (from, until);
    facts.names = Peer::of(leaf).map(|peer| peer.party).map_err(|error| error.to_string());
    facts.hosts = named_hosts(leaf);
    if !roots.is_empty() {
        // At a moment when it holds, so that the time hides nothing else.
        facts.chain = verified(&facts.of, (leaf, above), &roots, crls, from.saturating_add(1));
    }
    if let Use::Broker(hosts) = &facts.of {
        facts.lacking = hosts.iter().filter(|host| !facts.hosts.contains(host)).cloned().collect();
    }
    facts.key_fits = key.ok().and_then(|key| fits(chain.clone(), &key));
    facts
}

fn pem(path: &Path, unusable: &mut Vec<(PathBuf, String)>) -> Vec<CertificateDer<'static>> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if !all.is_empty() => all,
        Ok(_) => {
            unusable.push((path.to_owned(), NONE.to_owned()));
            Vec::new()
        }
        Err(error) => {
            unusable.push((path.to_owned(), format!("it can't be read: {error}")));
            Vec::new()
        }
    }
}

fn dates(certificate: &[u8]) -> Option<(i64, i64)> {
    let validity = Certificate::from_der(certificate).ok()?.tbs_certificate.validity;
    let seconds = |at: x509_cert::time::Time| i64::try_from(at.to_unix_duration().as_secs()).ok();
    Some((seconds(validity.not_before)?, seconds(validity.not_after)?))
}

/// Host names and addresses among a certificate's alternative names.
fn named_hosts(certificate: &[u8]) -> Vec<String> {
    let Ok(certificate) = Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some((_, names))) = certificate.tbs_certificate.get::<SubjectAltName>() else { return Vec::new() };
    let host = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d]).to_string()),
            bytes => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string()),
        },
        _ => None,
    };
    names.0.iter().filter_map(host).collect()
}

fn verified(
    of: &Use,
    (leaf, above): (&CertificateDer<'_>, &[CertificateDer<'_>]),
    roots: &[CertificateDer<'static>],
    crls: &[CertificateRevocationListDer<'static>],
    at: i64,
) -> Chain {
    let now = UnixTime::since_unix_epoch(Duration::from_secs(at.max(0).unsigned_abs()));
    let mut store = RootCertStore::empty();
    for root in roots {
        if let Err(error) = store.add(root.clone()) {
            return Chain::Other(format!("the authority is none: {error}"));
        }
    }
    let (store, provider) = (Arc::new(store), Arc::new(ring::default_provider()));
    let crls = crls.to_vec();
    let result = match of {
        Use::Party(_) => {
            let builder = WebPkiClientVerifier::builder_with_provider(store, provider).with_crls(crls);
            match builder.allow_unknown_revocation_status().build() {
                Ok(verifier) => verifier.verify_client_cert(leaf, above, now).map(drop),
                Err(error) => return Chain::Other(error.to_string()),
            }
        }
        Use::Broker(_) | Use::Chargers => {
            let builder = WebPkiServerVerifier::builder_with_provider(store, provider).with_crls(crls);
            // The name is looked at apart: any that it has will do here.
            let named = named_hosts(leaf).into_iter().next().and_then(|host| ServerName::try_from(host).ok());
            let Some(named) = named else { return Chain::Unknown };
            match builder.allow_unknown_revocation_status().build() {
                Ok(verifier) => verifier.verify_server_cert(leaf, above, &named, &[], now).map(drop),
                Err(error) => return Chain::Other(error.to_string()),
            }
        }
    };
    match result {
        Ok(()) => Chain::Good,
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            Chain::Foreign
        }
        Err(Error::InvalidCertificate(CertificateError::Revoked)) => Chain::Revoked,
        Err(error) => Chain::Other(error.to_string()),
    }
}

fn fits(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'static>) -> Option<bool> {
    let key = ring::sign::any_supported_type(key).ok()?;
    match CertifiedKey::new(chain, key).keys_match() {
        Ok(()) => Some(true),
        Err(Error::InconsistentKeys(tokio_rustls::rustls::InconsistentKeys::KeyMismatch)) => Some(false),
        Err(_) => None,
    }
}

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let all = CertificateRevocationListDer::pem_file_iter(path);
    all.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|error| error.to_string())
}

fn until(path: &Path) -> Result<Option<i64>, String> {
    let lists = revocations(path)?;
    let mut earliest = None;
    for list in &lists {
        let list = CertificateList::from_der(list).map_err(|error| error.to_string())?;
        let next = list.tbs_cert_list.next_update.map(|at| at.to_unix_duration().as_secs().cast_signed());
        earliest = [earliest, next].into_iter().flatten().min();
    }
    if lists.is_empty() {
        return Err("it holds no revocation list in PEM".to_owned());
    }
    Ok(earliest)
}
