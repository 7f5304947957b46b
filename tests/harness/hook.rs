//! A receiver of webhooks: keeps what it is sent, and answers what a journey wants.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, verify};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Mutex as Turn, mpsc};
use tokio_rustls::TlsAcceptor;

use crate::bind::bind;
use crate::{Identity, in_time};

/// A running receiver; it stops when it is dropped.
pub struct Hook {
    address: SocketAddr,
    scheme: &'static str,
    answers: Arc<Mutex<VecDeque<Response<()>>>>,
    came: Turn<mpsc::UnboundedReceiver<Delivery>>,
    task: tokio::task::JoinHandle<()>,
}

/// What was sent once.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The path it was sent to.
    pub path: String,
    /// The header.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub body: Bytes,
}

impl Hook {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        Self::behind(None).await
    }

    /// The same over TLS, as `identity`.
    pub async fn secure(identity: &Identity) -> Self {
        Self::behind(Some(server(identity))).await
    }

    async fn behind(tls: Option<TlsAcceptor>) -> Self {
        let (listener, address) = bind().await;
        let scheme = tls.as_ref().map_or("http", |_| "https");
        let answers = Arc::default();
        let (sender, came) = mpsc::unbounded_channel();
        Self {
            address,
            scheme,
            task: tokio::spawn(serve(listener, tls, Arc::clone(&answers), sender)),
            answers,
            came: Turn::new(came),
        }
    }

    /// Where events are sent, as a document writes it.
    pub fn url(&self) -> String {
        format!("{}://{}/events", self.scheme, self.name())
    }

    /// What logs and metrics call it.
    pub fn name(&self) -> String {
        match self.scheme {
            // Certificates are for names.
            "https" => format!("localhost:{}", self.address.port()),
            _ => self.address.to_string(),
        }
    }

    /// Answers with this status once, after what it was told before.
    pub fn answer(&self, status: u16, headers: &[(&str, &str)]) {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        let answer = answer.body(()).expect("an answer");
        let mut answers = self.answers.lock().expect("nobody panicked");
        answers.push_back(answer);
    }

    /// The next delivery, whether it was taken or not.
    pub async fn next(&self) -> Delivery {
        let mut came = self.came.lock().await;
        let delivery = in_time("a delivery", came.recv()).await;
        delivery.expect("the receiver runs")
    }

    /// Everything else that came so far.
    pub async fn rest(&self) -> Vec<Delivery> {
        let mut came = self.came.lock().await;
        std::iter::from_fn(|| came.try_recv().ok()).collect()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Delivery {
    /// A header's value, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// What happened, as the end of a CloudEvent's type says.
    pub fn kind(&self) -> String {
        let kind = self.json()["type"].as_str().expect("a type").to_owned();
        kind.rsplit('.').next().expect("a word").to_owned()
    }

    /// Whether whoever knows this secret (base64) has signed it, by the rules of Standard Webhooks.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = Key::new(HMAC_SHA256, &STANDARD.decode(secret).expect("base64"));
        let (id, time) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        let mut signed = format!("{id}.{time}.").into_bytes();
        signed.extend_from_slice(&self.body);
        let mut signatures = self.header("webhook-signature").split(' ');
        signatures.any(|signature| {
            let tag = signature
                .strip_prefix("v1,")
                .map(|tag| STANDARD.decode(tag));
            matches!(tag, Some(Ok(tag)) if verify(&key, &signed, &tag).is_ok())
        })
    }
}

/// TLS that asks no client who it is.
fn server(identity: &Identity) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a key fits its certificate");
    TlsAcceptor::from(Arc::new(config))
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    answers: Arc<Mutex<VecDeque<Response<()>>>>,
    came: mpsc::UnboundedSender<Delivery>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (answers, came, tls) = (Arc::clone(&answers), came.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, &answers, &came).await,
                // Who does not believe the certificate leaves.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, &answers, &came).await;
                    }
                }
            }
        });
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    answers: &Mutex<VecDeque<Response<()>>>,
    came: &mpsc::UnboundedSender<Delivery>,
) {
    let service = service_fn(|request| take(request, answers, came));
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    served.await.ok();
}

async fn take(
    request: Request<Incoming>,
    answers: &Mutex<VecDeque<Response<()>>>,
    came: &mpsc::UnboundedSender<Delivery>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let delivery = Delivery {
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body: body.collect().await.expect("a whole body").to_bytes(),
    };
    // The journey may have ended.
    came.send(delivery).ok();
    let answer = answers.lock().expect("nobody panicked").pop_front();
    let answer = answer.unwrap_or_else(|| {
        let mut taken = Response::new(());
        *taken.status_mut() = StatusCode::NO_CONTENT;
        taken
    });
    Ok(answer.map(|()| Full::default()))
}
