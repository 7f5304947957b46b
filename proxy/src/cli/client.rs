//! A small HTTP/1.1 client: one keep-alive connection to a running Wald.
//!
//! Verbs ask the admin address with it, and the demo's clients send their traffic through it. It keeps
//! nothing and retries nothing: a connection that broke is opened again by whoever needs it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::admin::CredentialsError;

/// Longest wait for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Why a question got no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("cannot connect to {authority}")]
    Connect {
        authority: String,
        source: io::Error,
    },
    #[error("no answer within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("the connection broke")]
    Broken(#[from] hyper::Error),
    #[error("the answer has more than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("the body of the answer broke off")]
    BrokenOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("not a valid path or header")]
    Malformed(#[from] http::Error),
    #[error("answered {status}{}", detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Refused {
        status: StatusCode,
        detail: Option<String>,
    },
    #[error("the answer is not the JSON that was expected")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error("{0:?} is no name that a certificate can carry")]
    Name(String),
}

/// One keep-alive connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    /// What it says of itself with each request.
    authorization: Option<HeaderValue>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Connection {
    /// Connects to `authority`, a host and port.
    pub(crate) async fn open(authority: &str) -> Result<Self, ClientError> {
        let refused = |source| ClientError::Connect {
            authority: authority.to_owned(),
            source,
        };
        let stream = in_time(TcpStream::connect(authority))
            .await?
            .map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        Self::over(stream, authority).await
    }

    /// Connects to `authority` and shakes hands.
    pub(crate) async fn secure(
        authority: &str,
        connector: &TlsConnector,
    ) -> Result<Self, ClientError> {
        let refused = |source| ClientError::Connect {
            authority: authority.to_owned(),
            source,
        };
        let host = authority
            .rsplit_once(':')
            .map_or(authority, |(host, _)| host);
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| ClientError::Name(host))?;
        let stream = in_time(TcpStream::connect(authority))
            .await?
            .map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let stream = in_time(connector.connect(name, stream))
            .await?
            .map_err(refused)?;
        Self::over(stream, authority).await
    }

    async fn over<T>(stream: T, authority: &str) -> Result<Self, ClientError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends by itself when the sender is dropped; an error reaches whoever waits for the answer.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self {
            sender,
            authority: authority.to_owned(),
            authorization: None,
        })
    }

    /// The same, presenting this with each request.
    pub(crate) fn presenting(mut self, authorization: Option<HeaderValue>) -> Self {
        self.authorization = authorization;
        self
    }

    /// Gets `path` and reads the JSON in the answer.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ClientError> {
        self.send(Method::GET, path, &[], Bytes::new())
            .await?
            .json()
    }

    /// Gets `path` for its status alone.
    pub(crate) async fn status(&mut self, path: &str) -> Result<StatusCode, ClientError> {
        Ok(self
            .send(Method::GET, path, &[], Bytes::new())
            .await?
            .status)
    }

    /// Posts JSON to `path`.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        self.send(Method::POST, path, headers, body).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        in_time(self.exchange(request.body(Full::new(body))?)).await?
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|broken| {
                if broken.is::<LengthLimitError>() {
                    ClientError::TooLong
                } else {
                    ClientError::BrokenOff(broken)
                }
            })?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

impl Answer {
    /// The JSON of a successful answer.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        if !self.status.is_success() {
            return Err(ClientError::Refused {
                status: self.status,
                detail: self.detail(),
            });
        }
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// What a problem document says beyond its status.
    fn detail(&self) -> Option<String> {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let said = problem
            .get("detail")
            .or_else(|| problem.get("title"))?
            .as_str()?;
        Some(said.to_owned())
    }
}

async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, ClientError> {
    tokio::time::timeout(PATIENCE, answer)
        .await
        .map_err(|_| ClientError::TimedOut)
}
