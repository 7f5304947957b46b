//! One key set from one server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use policy::KeyServer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::identify::jwt::{KEY_SET_BYTES_MAX, KeySet, KeySetError};

/// The longest that a fetch takes, from the name to the last byte.
const FETCH_TIME_MAX: Duration = Duration::from_secs(5);

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The server cannot be reached, or not over TLS.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The server speaks no HTTP, or broke off.
    #[error("no valid response")]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("no valid address")]
    Address(#[from] http::Error),
    /// The server answers something else. A redirect is not followed: keys come from where the document says.
    #[error("status {0}, want 200")]
    Status(StatusCode),
    /// The body is too long, or broke off.
    #[error("no whole key set")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What came is no key set.
    #[error(transparent)]
    KeySet(#[from] KeySetError),
    /// It took too long.
    #[error("no key set within {FETCH_TIME_MAX:?}")]
    Late,
    /// The authorities that vouch for servers cannot be read.
    #[error("no authorities{}", from(path.as_deref()))]
    Trust {
        /// The document's file; none for the machine's own.
        path: Option<PathBuf>,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Reading them was interrupted.
    #[error("interrupted")]
    Interrupted,
}

fn from(path: Option<&Path>) -> String {
    path.map(|path| format!(" in {}", path.display()))
        .unwrap_or_default()
}

/// Fetches the keys that a server has now.
pub(crate) async fn fetch(server: &KeyServer) -> Result<KeySet, FetchError> {
    match tokio::time::timeout(FETCH_TIME_MAX, connect(server)).await {
        Ok(fetched) => Ok(KeySet::parse(&fetched?)?),
        Err(_late) => Err(FetchError::Late),
    }
}

async fn connect(server: &KeyServer) -> Result<Bytes, FetchError> {
    let host = server.url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_tls = server.url.scheme_str() == Some("https");
    let port = server
        .url
        .port_u16()
        .unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((bare, port))
        .await
        .map_err(FetchError::Connect)?;
    if !is_tls {
        return ask(stream, &server.url).await;
    }
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|bad| FetchError::Connect(std::io::Error::other(bad)))?;
    let config = config(server.trust.clone()).await?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(FetchError::Connect)?;
    ask(stream, &server.url).await
}

async fn ask<S>(stream: S, url: &Uri) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let target = url.path_and_query().map_or("/", |target| target.as_str());
    let authority = url.authority().map(|it| it.as_str()).unwrap_or_default();
    let request = Request::get(target)
        .header(HOST, authority)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .header(USER_AGENT, "wald");
    let response = sender
        .send_request(request.body(Empty::<Bytes>::new())?)
        .await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    // One more than is allowed, so that the key set itself says that it is too large.
    let body = Limited::new(response.into_body(), KEY_SET_BYTES_MAX + 1);
    let body = body.collect().await.map_err(FetchError::Body)?.to_bytes();
    driver.abort();
    Ok(body)
}

/// TLS that believes the document's authorities, or else the machine's. The server's name is always checked.
async fn config(trust: Option<PathBuf>) -> Result<Arc<ClientConfig>, FetchError> {
    let read = tokio::task::spawn_blocking(move || match trust {
        Some(path) => document(&path),
        None => machine(),
    });
    let roots = read.await.map_err(|_| FetchError::Interrupted)??;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|bad| FetchError::Connect(std::io::Error::other(bad)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn document(path: &Path) -> Result<RootCertStore, FetchError> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| FetchError::Trust {
        path: Some(path.to_owned()),
        source,
    };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|bad| refused(bad.into()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|bad| refused(bad.into()))?;
        roots.add(certificate).map_err(|bad| refused(bad.into()))?;
    }
    if roots.is_empty() {
        return Err(refused("no certificate in the file".into()));
    }
    Ok(roots)
}

/// Some certificates of a machine may be broken; they vouch for nobody.
fn machine() -> Result<RootCertStore, FetchError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let source = "this machine has none: name a file in `trust`".into();
        return Err(FetchError::Trust { path: None, source });
    }
    Ok(roots)
}
