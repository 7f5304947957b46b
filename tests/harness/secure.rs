//! A TLS client that believes one authority and says what it saw: an answer, or the alert it got.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, Error, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Answer, Identity, in_time};

/// A client; all its connections remember sessions together, so that they could be resumed.
#[derive(Clone)]
pub struct Secure {
    config: Arc<ClientConfig>,
}

/// One connection over TLS.
pub struct Channel(TlsStream<TcpStream>);

impl Secure {
    /// A client that believes `authority` (PEM) and shows `identity`, if there is one.
    pub fn new(authority: &str, identity: Option<&Identity>, protocol: &str) -> Self {
        Self::speaking(&[&TLS13, &TLS12], authority, identity, protocol)
    }

    /// A client that speaks TLS 1.2 and nothing newer.
    pub fn old(authority: &str, identity: Option<&Identity>) -> Self {
        Self::speaking(&[&TLS12], authority, identity, "http/1.1")
    }

    fn speaking(
        versions: &[&'static SupportedProtocolVersion],
        authority: &str,
        identity: Option<&Identity>,
        protocol: &str,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority.as_bytes()) {
            let certificate = certificate.expect("authorities are PEM");
            roots.add(certificate).expect("authorities can be used");
        }
        let provider = CryptoProvider {
            kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519],
            ..aws_lc_rs::default_provider()
        };
        let config = ClientConfig::builder_with_provider(provider.into())
            .with_protocol_versions(versions)
            .expect("the versions are known")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
                let chain = chain.collect::<Result<_, _>>().expect("a chain is PEM");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key is PEM");
                config
                    .with_client_auth_cert(chain, key)
                    .expect("a key fits its certificate")
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self {
            config: Arc::new(config),
        }
    }

    /// Shakes hands, asking for the name `name`.
    pub async fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Channel> {
        let stream = in_time("a connection opens", TcpStream::connect(address)).await?;
        let name = ServerName::try_from(name.to_owned()).expect("a journey asks for valid names");
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let shaken = in_time("hands are shaken", connector.connect(name, stream)).await?;
        Ok(Channel(shaken))
    }

    /// What a GET of `path` over a new connection comes to.
    pub async fn get(&self, address: SocketAddr, path: &str) -> Result<Answer, String> {
        let channel = self.connect(address, "localhost").await;
        let channel = channel.map_err(|error| told(&error))?;
        Box::pin(channel.get(path)).await
    }

    /// The alert with which a handshake is refused. In TLS 1.3 the client is done before the server has looked
    /// at its certificate, so the refusal arrives where an answer would.
    pub async fn refusal(&self, address: SocketAddr) -> String {
        match self.connect(address, "localhost").await {
            Ok(channel) => channel.end().await,
            Err(error) => told(&error),
        }
    }
}

impl Channel {
    /// The certificate of the other side.
    pub fn certificate(&self) -> Vec<u8> {
        let chain = self.0.get_ref().1.peer_certificates();
        chain.expect("the other side showed a certificate")[0].to_vec()
    }

    /// Whether the handshake was a whole one, with certificates.
    pub fn is_full(&self) -> bool {
        let kind = self.0.get_ref().1.handshake_kind();
        !matches!(kind, Some(rustls::HandshakeKind::Resumed) | None)
    }

    /// The version and the key exchange that were agreed on.
    pub fn agreed(&self) -> String {
        let connection = self.0.get_ref().1;
        let group = connection.negotiated_key_exchange_group();
        format!(
            "{:?} {:?}",
            connection.protocol_version().expect("hands were shaken"),
            group.expect("keys were exchanged").name()
        )
    }

    /// Sends a GET and reads the whole answer, or says what came instead.
    pub async fn get(self, path: &str) -> Result<Answer, String> {
        let h2 = self.0.get_ref().1.alpn_protocol() == Some(b"h2");
        let request = Request::get(if h2 {
            format!("https://localhost{path}")
        } else {
            path.to_owned()
        });
        let request = request
            .header(header::HOST, "localhost")
            .body(Empty::<Bytes>::new());
        let request = request.expect("a journey writes valid requests");
        let io = TokioIo::new(self.0);
        let answered = async {
            let response = if h2 {
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(async move { connection.await.ok() });
                sender.send_request(request).await?
            } else {
                let (mut sender, connection) = http1::handshake(io).await?;
                tokio::spawn(async move { connection.await.ok() });
                sender.send_request(request).await?
            };
            let (head, body) = response.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Answer {
                status: head.status,
                headers: head.headers,
                body,
            })
        };
        Box::pin(in_time(path, answered))
            .await
            .map_err(|error| told(&error))
    }

    /// The bytes within the channel, for whoever speaks for itself.
    pub fn into_stream(self) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static {
        self.0
    }

    /// Keeps the channel for several requests.
    pub async fn keep(self) -> Kept {
        let h2 = self.0.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(self.0);
        if h2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
                .await
                .expect("HTTP/2 begins");
            tokio::spawn(async move { connection.await.ok() });
            Kept::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.expect("HTTP/1.1 begins");
            tokio::spawn(async move { connection.await.ok() });
            Kept::Http1(sender)
        }
    }

    /// Reads until the other side closes or refuses, and says which alert came.
    pub async fn end(mut self) -> String {
        let mut rest = Vec::new();
        match in_time("the connection ends", self.0.read_to_end(&mut rest)).await {
            Ok(_) => "closed".to_owned(),
            Err(error) => told(&error),
        }
    }
}

/// A connection that stays open between requests.
pub enum Kept {
    /// Over HTTP/1.1.
    Http1(http1::SendRequest<Empty<Bytes>>),
    /// Over HTTP/2.
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Kept {
    /// Whether the other side has ended it.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends a GET and reads the whole answer.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    /// Sends a request without a body and reads the whole answer.
    pub async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let uri = match self {
            Self::Http1(_) => path.to_owned(),
            Self::Http2(_) => format!("https://localhost{path}"),
        };
        let request = Request::builder().method(method).uri(uri);
        let request = request.header(header::HOST, "localhost");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let request = request.body(Empty::new());
        let request = request.expect("a journey writes valid requests");
        let response = match self {
            Self::Http1(sender) => in_time(path, sender.send_request(request)).await,
            Self::Http2(sender) => in_time(path, sender.send_request(request)).await,
        };
        let (head, body) = response.expect("an answer").into_parts();
        let body = in_time(path, body.collect()).await.expect("a whole answer");
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        }
    }
}

/// The alert behind an error, or else the error itself.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(Error::AlertReceived(alert)) = inner.and_then(|inner| inner.downcast_ref()) {
            return format!("{alert:?}");
        }
        cause = error.source();
    }
    format!("{error:?}")
}
