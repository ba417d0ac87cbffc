//! Until when a certificate file holds, for whoever warns in time.

use crate::pem;
use std::path::Path;
use std::time::UNIX_EPOCH;
use x509_cert::der::Decode;
use x509_cert::Certificate;

/// Seconds since 1970 until which all certificates in a PEM file hold: the first of them to end.
///
/// # Errors
/// Says why there is none.
pub fn of_file(path: &Path) -> Result<u64, String> {
    let end = |der: &[u8]| {
        let certificate = Certificate::from_der(der).map_err(|error| error.to_string())?;
        let until = certificate.tbs_certificate.validity.not_after.to_system_time();
        Ok::<u64, String>(until.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    };
    let ends = pem::certificates(path)?.iter().map(|der| end(der)).collect::<Result<Vec<_>, _>>()?;
    ends.into_iter().min().ok_or_else(|| "it holds no certificate".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_files_certificates_to_end_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.pem");
        let certificate = |year| {
            let mut params = rcgen::CertificateParams::default();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
        };
        let check = |text: String, expected: Option<u64>| {
            std::fs::write(&path, text).unwrap();
            assert_eq!(of_file(&path).ok(), expected);
        };
        check(certificate(2030), Some(1_893_456_000));
        check(certificate(2040) + &certificate(2030), Some(1_893_456_000));
        check(String::new(), None);
        check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), None);
        assert!(of_file(&folder.path().join("none.pem")).is_err());
    }
}
