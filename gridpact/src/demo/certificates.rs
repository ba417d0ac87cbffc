//! Certificates of a demo's parties and of its market's broker, as a deployment has them: made anew for each demo, by an
//! authority whose key nobody keeps.

use crate::configuration::listeners::{BrokerCertificateKeys, CertificateKeys, PartiesKeys};
use crate::provision::authority::{Authority, Made};
use crate::provision::ProvisionError;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use wire::party::PartyId;
use wire::topic::Network;

/// How long they hold: a demo goes on for a year at most.
const DAYS: u32 = 400;
/// Where they lie, as the roles' files see it.
const FOLDER: &str = "../tls";
const AUTHORITY: &str = "authority";
const BROKER: &str = "broker";

/// Files to be written to `tls/`, by name, with their text.
pub type Texts = Vec<(String, String)>;

/// Makes the authority, the broker's certificate and each party's (by its name in files).
///
/// # Errors
/// Where one can't be made.
pub fn make<'a>(
    network: &Network,
    host: &str,
    parties: impl Iterator<Item = (String, &'a PartyId)>,
) -> Result<Texts, ProvisionError> {
    let (authority, Made { certificate, .. }) = Authority::new(network, OffsetDateTime::now_utc(), DAYS)?;
    let mut texts = vec![(format!("{AUTHORITY}.pem"), certificate)];
    let mut add = |name: &str, made: Made| {
        texts.push((format!("{name}.pem"), made.certificate));
        texts.push((format!("{name}.key"), made.key));
    };
    add(BROKER, authority.broker(BROKER, host, DAYS)?);
    for (name, party) in parties {
        add(&name, authority.party(party, DAYS)?);
    }
    Ok(texts)
}

/// What a party's file says of its certificate.
pub fn of_party(name: &str) -> CertificateKeys {
    CertificateKeys { certificate: at(name, "pem"), key: at(name, "key"), authority: at(AUTHORITY, "pem") }
}

/// What the broker's file says of its listener for parties.
pub fn of_broker(listen: SocketAddr) -> PartiesKeys {
    let tls = BrokerCertificateKeys {
        certificate: at(BROKER, "pem"),
        key: at(BROKER, "key"),
        authority: at(AUTHORITY, "pem"),
        revoked: None,
    };
    PartiesKeys { listen, genesis: "../genesis.json".into(), tls }
}

/// Writes them to the directory's folder.
///
/// # Errors
/// The file that can't be written, and why.
pub fn write(directory: &Path, texts: &Texts) -> Result<(), (PathBuf, io::Error)> {
    for (name, text) in texts {
        let path = directory.join("tls").join(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut options,
            if name.ends_with(".key") { 0o600 } else { 0o644 },
        );
        let written = options.open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|source| (path, source))?;
    }
    Ok(())
}

fn at(name: &str, ending: &str) -> PathBuf {
    Path::new(FOLDER).join(format!("{name}.{ending}"))
}
