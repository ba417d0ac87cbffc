//! Brokers, as far as a party gets with them: name, port, TLS, MQTT, and hearing what is for it.

use super::configuration::Loaded;
use super::is_here;
use super::mqtt::{self, Trouble};
use super::values::Cache;
use crate::check::facts::{BrokerFacts, Reached};
use crate::configuration::listeners::CertificateKeys;
use crate::configuration::RoleFile;
use futures::future::join_all;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{lookup_host, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{crypto::ring, CertificateError, ClientConfig, Error, RootCertStore};
use tokio_rustls::TlsConnector;
use wire::party::PartyId;

const PATIENCE: Duration = Duration::from_secs(5);

/// A party's address to be tried.
struct Wanted {
    party: PartyId,
    address: String,
    list: &'static str,
    /// What is for the party, as a filter; nothing where that is not known.
    filter: Option<String>,
    /// Whether a process of it runs, whose place at the broker must not be taken: some know one client of a party alone.
    runs: bool,
    identity: Option<Arc<ClientConfig>>,
}

/// All brokers that the files name. Of a party that `runs`, nobody takes the place at a broker.
pub async fn of(loaded: &[Loaded], cache: &mut Cache, runs: impl Fn(&Loaded) -> bool) -> Vec<BrokerFacts> {
    let own: BTreeSet<u16> = loaded.iter().filter_map(Loaded::role).flat_map(listens).collect();
    let mut wanted = Vec::new();
    for one in loaded {
        let Some((role, keys)) = one.party() else { continue };
        let Ok(id) = keys.id.parse() else { continue };
        let party = PartyId::new(role, id);
        let identity = keys.tls.as_ref().and_then(identity).map(Arc::new);
        let network = cache.get(&keys.genesis).ok().map(|genesis| genesis.network.clone());
        let filter = network.map(|network| network.filter_addressed(&party));
        let runs = runs(one);
        let mut add = |list: &'static str, addresses: &[String]| {
            let each = addresses.iter().map(|address| Wanted {
                party: party.clone(),
                address: address.clone(),
                list,
                filter: filter.clone(),
                runs,
                identity: identity.clone(),
            });
            wanted.extend(each);
        };
        add("brokers", &keys.brokers);
        if let Some(RoleFile::Validator(file)) = one.role() {
            if let Some(mesh) = &file.mesh {
                add("own", &mesh.broker);
                mesh.peers.values().for_each(|addresses| add("peers", addresses));
            }
        } else {
            add("validators", &keys.validator_brokers);
        }
    }
    join_all(wanted.into_iter().map(|wanted| facts(wanted, &own))).await
}

async fn facts(wanted: Wanted, own: &BTreeSet<u16>) -> BrokerFacts {
    let taken = Address::of(&wanted.address);
    let own = taken.as_ref().is_some_and(|address| own.contains(&address.port) && is_here(address.host));
    let reached = match &taken {
        None => Reached::NoAddress,
        Some(address) => reach(address, &wanted).await,
    };
    BrokerFacts {
        party: wanted.party,
        address: wanted.address,
        list: wanted.list.to_owned(),
        own,
        reached: Some(reached),
    }
}

/// Ports on which a role takes MQTT clients of the market.
fn listens(role: &RoleFile) -> Vec<u16> {
    let ports = match role {
        RoleFile::Broker(file) => vec![file.listen, file.parties.as_ref().map(|parties| parties.listen)],
        RoleFile::Validator(file) => vec![file.mesh.as_ref().and_then(|mesh| mesh.listen)],
        _ => Vec::new(),
    };
    ports.into_iter().flatten().map(|address| address.port()).collect()
}

/// An address taken apart.
struct Address<'a> {
    host: &'a str,
    port: u16,
    tls: bool,
}

impl<'a> Address<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (rest, tls) = text.strip_prefix("mqtts://").map_or((text, false), |rest| (rest, true));
        let (host, port) = rest.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (!host.is_empty()).then_some(Self { host, port, tls })
    }
}

async fn reach(address: &Address<'_>, wanted: &Wanted) -> Reached {
    if address.tls && wanted.identity.is_none() {
        return Reached::NoCertificate;
    }
    let late = || "no answer within 5 s".to_owned();
    let places: Vec<_> = match tokio::time::timeout(PATIENCE, lookup_host((address.host, address.port))).await
    {
        Ok(Ok(places)) => places.collect(),
        Ok(Err(error)) => return Reached::Unresolved(error.to_string()),
        Err(_) => return Reached::Unresolved(late()),
    };
    let stream = match tokio::time::timeout(PATIENCE, TcpStream::connect(&places[..])).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Reached::Unreachable(error.to_string()),
        Err(_) => return Reached::Unreachable(late()),
    };
    let greeted = async {
        let Some(identity) = wanted.identity.as_ref().filter(|_| address.tls) else {
            return greet(stream, wanted).await;
        };
        let Ok(name) = ServerName::try_from(address.host.to_owned()) else { return Reached::NoAddress };
        match TlsConnector::from(identity.clone()).connect(name, stream).await {
            Ok(stream) => greet(stream, wanted).await,
            Err(error) => of_tls(&error).unwrap_or_else(|| Reached::NoTls(error.to_string())),
        }
    };
    tokio::time::timeout(PATIENCE, greeted).await.unwrap_or_else(|_| Reached::NoMqtt(late()))
}

async fn greet<S: AsyncRead + AsyncWrite + Unpin>(stream: S, wanted: &Wanted) -> Reached {
    if wanted.runs {
        return Reached::Answers;
    }
    let client = format!("{}-{}-check-{}", wanted.party.role.word(), wanted.party.id, std::process::id());
    match mqtt::greet(stream, &client, wanted.filter.as_deref()).await {
        Ok(()) => Reached::Stands,
        Err(Trouble::Connection(error)) => {
            of_tls(&error).unwrap_or_else(|| Reached::NoMqtt(error.to_string()))
        }
        Err(Trouble::Refused(reason)) => Reached::NoMqtt(reason),
        Err(Trouble::Filter) => Reached::NoRights("it refuses the subscription".to_owned()),
    }
}

/// What TLS has to say of an error; nothing where it is not TLS's. A server's refusal of our certificate comes with the
/// first bytes read.
fn of_tls(error: &io::Error) -> Option<Reached> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(reason) => match reason {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Reached::WrongName
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Reached::ForeignAuthority,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Reached::WrongTime(reason.to_string()),
            other => Reached::NoTls(other.to_string()),
        },
        Error::AlertReceived(alert) => Reached::RefusesUs(format!("it says {alert:?}")),
        other => Reached::NoTls(other.to_string()),
    })
}

/// How a party meets brokers; nothing where its files make none, which is said where certificates are.
fn identity(keys: &CertificateKeys) -> Option<ClientConfig> {
    let chain = |path| CertificateDer::pem_file_iter(path).ok()?.collect::<Result<Vec<_>, _>>().ok();
    let mut roots = RootCertStore::empty();
    for root in chain(&keys.authority)? {
        roots.add(root).ok()?;
    }
    let secret = PrivateKeyDer::from_pem_file(&keys.key).ok()?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().ok()?.with_root_certificates(roots);
    builder.with_client_auth_cert(chain(&keys.certificate)?, secret).ok()
}
