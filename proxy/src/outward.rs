//! One request that Wald sends in its own name, over a connection of its own: for keys of issuers, and to whoever
//! is told what happens.
//!
//! Control side only. Nothing is pooled, and no redirect is followed: what is asked is what the document says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The server cannot be reached, or not over TLS.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The server speaks no HTTP, or broke off.
    #[error("no valid response")]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("no valid address")]
    Address(#[from] http::header::InvalidHeaderValue),
    /// The authorities that vouch for servers cannot be read.
    #[error("no authorities{}", from(path.as_deref()))]
    Trust {
        /// The document's file; none for the machine's own.
        path: Option<PathBuf>,
        /// Why.
        source: BoxError,
    },
    /// Reading them was interrupted.
    #[error("interrupted")]
    Interrupted,
}

fn from(path: Option<&Path>) -> String {
    path.map(|path| format!(" in {}", path.display()))
        .unwrap_or_default()
}

/// What the server says. Its connection ends with it.
pub(crate) struct Answer {
    /// How it went.
    pub(crate) status: StatusCode,
    /// Its header.
    pub(crate) headers: HeaderMap,
    body: Incoming,
    _connection: JoinSet<()>,
}

impl Answer {
    /// The whole body.
    ///
    /// # Errors
    /// When it is longer than this, or broke off.
    pub(crate) async fn body(self, bytes_max: usize) -> Result<Bytes, BoxError> {
        let body = Limited::new(self.body, bytes_max).collect().await?;
        Ok(body.to_bytes())
    }
}

/// Sends a request, whose target and `Host` follow from `url`; a server behind `https` must be vouched for by the
/// authorities in `trust`, or else by the machine's. Whoever calls sets the time that it may take.
pub(crate) async fn call(
    url: &Uri,
    trust: Option<&Path>,
    mut request: Request<Full<Bytes>>,
) -> Result<Answer, CallError> {
    let authority = url.authority().map(|it| it.as_str()).unwrap_or_default();
    *request.uri_mut() = url
        .path_and_query()
        .cloned()
        .map(Uri::from)
        .unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(authority)?);
    headers.insert(USER_AGENT, HeaderValue::from_static("wald"));
    match connect(url, trust).await? {
        Stream::Plain(stream) => ask(stream, request).await,
        Stream::Secure(stream) => ask(*stream, request).await,
    }
}

/// Whether a request could be sent there: connects as [`call`] does, and says nothing.
pub(crate) async fn reach(url: &Uri, trust: Option<&Path>) -> Result<(), CallError> {
    connect(url, trust).await.map(drop)
}

enum Stream {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

async fn connect(url: &Uri, trust: Option<&Path>) -> Result<Stream, CallError> {
    let host = url.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_tls = url.scheme_str() == Some("https");
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((bare, port))
        .await
        .map_err(CallError::Connect)?;
    if !is_tls {
        return Ok(Stream::Plain(stream));
    }
    let name = ServerName::try_from(bare.to_owned())
        .map_err(|bad| CallError::Connect(std::io::Error::other(bad)))?;
    let config = config(trust.map(Path::to_owned)).await?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(CallError::Connect)?;
    Ok(Stream::Secure(Box::new(stream)))
}

async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    // What goes wrong with it, whoever waits for the answer hears.
    driver.spawn(async { connection.await.unwrap_or_default() });
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body,
        _connection: driver,
    })
}

/// TLS that believes the document's authorities, or else the machine's. The server's name is always checked.
async fn config(trust: Option<PathBuf>) -> Result<Arc<ClientConfig>, CallError> {
    let read = tokio::task::spawn_blocking(move || match trust {
        Some(path) => document(&path),
        None => machine(),
    });
    let roots = read.await.map_err(|_| CallError::Interrupted)??;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|bad| CallError::Connect(std::io::Error::other(bad)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn document(path: &Path) -> Result<RootCertStore, CallError> {
    let refused = |source: BoxError| CallError::Trust {
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
fn machine() -> Result<RootCertStore, CallError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let source = "this machine has none: name a file in `trust`".into();
        return Err(CallError::Trust { path: None, source });
    }
    Ok(roots)
}
