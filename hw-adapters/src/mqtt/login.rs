//! How a device's broker is reached: where it is, who we are to it, and by which authority it is who it should be.

use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{crypto::ring, ClientConfig, RootCertStore};

/// Longest password, in bytes.
const PASSWORD_MAX: usize = 1_024;

/// Who we are to a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokerLogin {
    /// The user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File that holds the user's password and nothing else; keep it readable to this program alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// TLS to the broker; none for a plain connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BrokerTls>,
}

/// TLS to a broker. Files are PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokerTls {
    /// The authority that signed the broker's certificate, whose name must be the broker's host.
    pub authority: PathBuf,
    /// Our certificate, with those above it but the authority's, where the broker wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Our certificate's private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// A login that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// A file that can't be read, or holds not what it should.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// One of two that go together is missing.
    #[error("{0} is missing: {1} goes with it")]
    Missing(&'static str, &'static str),
}

impl BrokerLogin {
    /// Makes paths absolute against the configuration file's directory.
    pub(crate) fn resolve(&mut self, directory: &Path) {
        let tls = self.tls.iter_mut();
        let of_tls = tls.flat_map(|tls| {
            [Some(&mut tls.authority), tls.certificate.as_mut(), tls.key.as_mut()].into_iter().flatten()
        });
        of_tls.chain(self.password_file.as_mut()).for_each(|path| *path = directory.join(&*path));
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Which can't be used.
    pub(crate) fn access(&self) -> Result<Access, LoginError> {
        let credentials = match (&self.user, &self.password_file) {
            (None, None) => None,
            (None, Some(_)) => return Err(LoginError::Missing("user", "password_file")),
            (Some(user), None) => Some((user.clone(), String::new())),
            (Some(user), Some(file)) => Some((user.clone(), password(file)?)),
        };
        let tls = self.tls.as_ref().map(BrokerTls::config).transpose()?;
        Ok(Access { credentials, tls })
    }
}

/// A login as a connection needs it.
#[derive(Clone, Default)]
pub(crate) struct Access {
    credentials: Option<(String, String)>,
    tls: Option<Arc<ClientConfig>>,
}

impl Access {
    /// Puts it into a connection's options.
    pub fn apply(&self, options: &mut MqttOptions) {
        if let Some((user, password)) = &self.credentials {
            options.set_credentials(user, password);
        }
        if let Some(config) = &self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(config.clone())));
        }
    }
}

fn password(file: &Path) -> Result<String, LoginError> {
    let text = std::fs::read_to_string(file).map_err(|e| wrong(file, e))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.len() > PASSWORD_MAX || password.contains('\n') {
        return Err(wrong(file, "it must hold one line, the password"));
    }
    Ok(password.to_owned())
}

impl BrokerTls {
    fn config(&self) -> Result<Arc<ClientConfig>, LoginError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.authority)? {
            roots.add(certificate).map_err(|e| wrong(&self.authority, e))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| wrong(&self.authority, e))?
            .with_root_certificates(roots);
        let config = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let private = PrivateKeyDer::from_pem_file(key).map_err(|e| wrong(key, e))?;
                builder
                    .with_client_auth_cert(certificates(certificate)?, private)
                    .map_err(|e| wrong(key, e))?
            }
            (Some(_), None) => return Err(LoginError::Missing("tls.key", "tls.certificate")),
            (None, Some(_)) => return Err(LoginError::Missing("tls.certificate", "tls.key")),
        };
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoginError> {
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let all = all.map_err(|e| wrong(path, e))?;
    if all.is_empty() {
        return Err(wrong(path, "it holds no certificate"));
    }
    Ok(all)
}

fn wrong(path: &Path, reason: impl ToString) -> LoginError {
    LoginError::File { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(login: &BrokerLogin, expected: Result<Option<(&str, &str)>, &str>) {
        match (login.access(), expected) {
            (Ok(access), Ok(expected)) => {
                let found = access.credentials.as_ref().map(|(user, word)| (user.as_str(), word.as_str()));
                assert_eq!(found, expected);
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (access, expected) => panic!("{:?}, expected {expected:?}", access.is_ok()),
        }
    }

    #[test]
    fn a_login_is_read_from_its_files_or_names_the_one_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let login = |user: Option<&str>, password_file: Option<PathBuf>| BrokerLogin {
            user: user.map(str::to_owned),
            password_file,
            tls: None,
        };
        check(&login(None, None), Ok(None));
        check(&login(Some("house"), None), Ok(Some(("house", ""))));
        check(&login(Some("house"), Some(file("word", "s e cret\n"))), Ok(Some(("house", "s e cret"))));
        check(&login(Some("house"), Some(file("two", "a\nb\n"))), Err("one line"));
        check(&login(Some("house"), Some(folder.path().join("none"))), Err("none"));
        check(&login(None, Some(file("word", "secret"))), Err("user is missing"));
        let tls = |certificate: Option<PathBuf>, key: Option<PathBuf>| BrokerLogin {
            tls: Some(BrokerTls { authority: file("empty", ""), certificate, key }),
            ..BrokerLogin::default()
        };
        check(&tls(None, None), Err("holds no certificate"));
    }
}
