//! How verbs reach the admin address of a running Wald, and who they say they are.

use std::path::PathBuf;

use http::HeaderValue;
use policy::SpiffeId;
use policy::tls::{Certificate, CertificateFiles, ClientTls, Name, Server};

use super::client::{ClientError, Connection};
use crate::forward;
use crate::identify::agents::Agents;

/// What the address is asked with; needed where it is served over TLS or asks who is calling.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Credentials {
    /// Authorities that vouch for an https:// admin address; the machine's own, if none
    #[arg(long = "admin-ca", env = "WALD_ADMIN_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The SPIFFE id that its certificate must carry, in place of its host's name
    #[arg(
        long = "admin-spiffe-id",
        env = "WALD_ADMIN_SPIFFE_ID",
        value_name = "ID",
        requires = "ca"
    )]
    spiffe_id: Option<String>,
    /// The certificate to show there
    #[arg(
        long = "admin-cert",
        env = "WALD_ADMIN_CERT",
        value_name = "FILE",
        requires = "key"
    )]
    cert: Option<PathBuf>,
    /// The key of that certificate
    #[arg(
        long = "admin-key",
        env = "WALD_ADMIN_KEY",
        value_name = "FILE",
        requires = "cert"
    )]
    key: Option<PathBuf>,
    /// A file with the token to present there; or the token itself in WALD_ADMIN_TOKEN
    #[arg(
        long = "admin-token",
        env = "WALD_ADMIN_TOKEN_FILE",
        value_name = "FILE"
    )]
    token: Option<PathBuf>,
}

/// Why nothing could be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("cannot read the token in {}", path.display())]
    Token {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the token is not one line of visible characters")]
    Malformed,
    #[error("--admin-spiffe-id {found:?} is no SPIFFE id")]
    SpiffeId {
        found: String,
        source: policy::NotSpiffe,
    },
    #[error("TLS cannot be used")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Credentials {
    /// Connects to an address, `https://` before it for TLS.
    pub(crate) async fn open(&self, admin: &str) -> Result<Connection, ClientError> {
        let connection = match admin.strip_prefix("https://") {
            None => Connection::open(admin.trim_start_matches("http://")).await?,
            Some(authority) => {
                let authority = authority.trim_end_matches('/');
                Connection::secure(authority, &self.connector()?).await?
            }
        };
        Ok(connection.presenting(self.token()?))
    }

    fn connector(&self) -> Result<tokio_rustls::TlsConnector, CredentialsError> {
        let certificate = self.cert.as_ref().zip(self.key.as_ref());
        let name = match &self.spiffe_id {
            None => Name::Host,
            Some(found) => {
                let id = found.parse::<SpiffeId>();
                Name::Spiffe(id.map_err(|source| CredentialsError::SpiffeId {
                    found: found.clone(),
                    source,
                })?)
            }
        };
        let tls = ClientTls {
            server: Server::Named {
                trust: self.ca.iter().cloned().collect(),
                agent: None,
                crls: Vec::new(),
                name,
            },
            certificate: certificate.map(|(chain, key)| {
                Certificate::Files(CertificateFiles {
                    chain: chain.clone(),
                    key: key.clone(),
                })
            }),
        };
        let connector = forward::connector(
            "the command line",
            &tls,
            policy::Protocol::Http1,
            &Agents::default(),
            &mut Vec::new(),
        );
        connector.map_err(|error| CredentialsError::Tls(Box::new(error)))
    }

    /// The header that presents the token, which prints itself as `Sensitive`.
    fn token(&self) -> Result<Option<HeaderValue>, CredentialsError> {
        let text = match &self.token {
            Some(path) => {
                let read = std::fs::read_to_string(path);
                let path = path.clone();
                Some(read.map_err(|source| CredentialsError::Token { path, source })?)
            }
            None => std::env::var("WALD_ADMIN_TOKEN").ok(),
        };
        let Some(text) = text else { return Ok(None) };
        let value = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
        let mut value = value.map_err(|_| CredentialsError::Malformed)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}
