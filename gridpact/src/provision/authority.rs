//! The X.509 authority of a deployment: certificates that name parties as the gate and Mosquitto read them, brokers'
//! certificates, and the list of those revoked.

use super::error::ProvisionError;
use super::record::{Issued, Revoked};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType,
    SerialNumber,
};
use std::net::IpAddr;
use time::{Duration, OffsetDateTime};
use wire::party::PartyId;
use wire::topic::Network;

/// Certificates hold from a little before they are made: clocks differ.
const BEFORE: Duration = Duration::HOUR;
/// Bytes of a serial number (RFC 5280 section 4.1.2.2 allows 20).
const SERIAL_BYTES: usize = 16;

/// A certificate with its key, as files.
#[derive(Debug)]
pub struct Made {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PKCS#8 PEM.
    pub key: String,
    /// What is remembered of it.
    pub issued: Issued,
}

/// The authority, with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    now: OffsetDateTime,
}

impl Authority {
    /// A new authority for `days`.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn new(network: &Network, now: OffsetDateTime, days: u32) -> Result<(Self, Made), ProvisionError> {
        let key = KeyPair::generate()?;
        let mut params = params(network);
        let issued = dated(&mut params, now, days)?;
        let certificate = params.self_signed(&key)?.pem();
        let made = Made { certificate, key: key.serialize_pem(), issued };
        Ok((Self { issuer: Issuer::new(params, key), now }, made))
    }

    /// The authority of this key.
    ///
    /// # Errors
    /// Where it is none.
    pub fn of_key(network: &Network, now: OffsetDateTime, key: &str) -> Result<Self, ProvisionError> {
        Ok(Self { issuer: Issuer::new(params(network), KeyPair::from_pem(key)?), now })
    }

    /// A party's certificate: what it is called is its common name, as Mosquitto wants it, and a URI, as other brokers do.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn party(&self, party: &PartyId, days: u32) -> Result<Made, ProvisionError> {
        self.signed(days, |params| {
            params.distinguished_name.push(DnType::CommonName, party.to_string());
            params.subject_alt_names = vec![SanType::URI(format!("gridpact:{party}").try_into()?)];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            Ok(())
        })
    }

    /// The certificate of a broker reached by this host name or address.
    ///
    /// # Errors
    /// Where the host is none, or it can't be made.
    pub fn broker(&self, name: &str, host: &str, days: u32) -> Result<Made, ProvisionError> {
        self.signed(days, |params| {
            params.distinguished_name.push(DnType::CommonName, format!("broker {name}"));
            params.subject_alt_names = vec![match host.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.to_owned().try_into()?),
            }];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            Ok(())
        })
    }

    fn signed(
        &self,
        days: u32,
        name: impl FnOnce(&mut CertificateParams) -> Result<(), rcgen::Error>,
    ) -> Result<Made, ProvisionError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        name(&mut params)?;
        let issued = dated(&mut params, self.now, days)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Made { certificate, key: key.serialize_pem(), issued })
    }

    /// The list of those revoked. It holds as long as the authority: a broker that refuses an old list would otherwise
    /// refuse everybody.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn revocations(
        &self,
        revoked: &[Revoked],
        number: u64,
        until: i64,
    ) -> Result<String, ProvisionError> {
        let entry = |revoked: &Revoked| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from(hex::decode(&revoked.serial).unwrap_or_default()),
                revocation_time: time(revoked.at)?,
                reason_code: Some(match revoked.superseded {
                    true => RevocationReason::Superseded,
                    false => RevocationReason::PrivilegeWithdrawn,
                }),
                invalidity_date: None,
            })
        };
        let list = CertificateRevocationListParams {
            this_update: self.now - BEFORE,
            next_update: time(until)?,
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect::<Result<_, ProvisionError>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

/// What the authority's certificate says besides its dates.
fn params(network: &Network) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = format!("gridpact {} {}", network.network, network.feeder);
    // A common name has 64 characters at most (RFC 5280 appendix A.1).
    params.distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn dated(params: &mut CertificateParams, now: OffsetDateTime, days: u32) -> Result<Issued, ProvisionError> {
    let mut serial = [0; SERIAL_BYTES];
    getrandom::fill(&mut serial).map_err(ProvisionError::Randomness)?;
    // Positive, and of all its bytes.
    serial[0] = serial[0] & 0x7f | 0x40;
    let until = now + Duration::days(i64::from(days));
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = now - BEFORE;
    params.not_after = until;
    Ok(Issued { serial: hex::encode(serial), until: until.unix_timestamp() })
}

fn time(seconds: i64) -> Result<OffsetDateTime, ProvisionError> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| ProvisionError::Made {
        path: super::RECORD.into(),
        reason: format!("{seconds} is no time: {error}"),
    })
}
