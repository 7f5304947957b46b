//! A server of key sets: plain or over TLS, counted, and holding back its answers if a journey wants.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::Folder;
use crate::bind::bind;

/// A running server of key sets; it stops when it is dropped.
pub struct KeyServer {
    address: SocketAddr,
    scheme: &'static str,
    shelf: Arc<Shelf>,
    task: tokio::task::JoinHandle<()>,
}

struct Shelf {
    keys: Mutex<Bytes>,
    asked: AtomicUsize,
    open: Semaphore,
}

/// Enough permits for every answer.
const OPEN: usize = 1 << 20;

impl KeyServer {
    /// Serves this key set on a port that the system chose.
    pub async fn start(keys: String) -> Self {
        Self::listen(keys, None).await
    }

    /// The same over TLS; also the file of the authority that vouches for it, in `folder`.
    pub async fn start_tls(keys: String, folder: &Folder) -> (Self, PathBuf) {
        let mut authority = CertificateParams::new([]).expect("an authority's name");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()])
            .and_then(|params| params.signed_by(&key, &authority))
            .expect("a certificate");
        let trust = folder.write("issuer-ca.pem", authority.pem());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(vec![certificate.der().clone()], key)
            })
            .expect("a server's TLS");
        let tls = TlsAcceptor::from(Arc::new(config));
        (Self::listen(keys, Some(tls)).await, trust)
    }

    async fn listen(keys: String, tls: Option<TlsAcceptor>) -> Self {
        let (listener, address) = bind().await;
        let shelf = Arc::new(Shelf {
            keys: Mutex::new(keys.into()),
            asked: AtomicUsize::new(0),
            open: Semaphore::new(OPEN),
        });
        Self {
            address,
            scheme: if tls.is_some() { "https" } else { "http" },
            task: tokio::spawn(serve(listener, tls, Arc::clone(&shelf))),
            shelf,
        }
    }

    /// Where its keys are, as a document writes it.
    pub fn url(&self) -> String {
        format!("{}://{}/keys", self.scheme, self.address)
    }

    /// Serves another key set from now on.
    pub fn replace(&self, keys: String) {
        *self.shelf.keys.lock().expect("nobody panicked") = keys.into();
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.shelf.asked.load(Ordering::SeqCst)
    }

    /// Answers nobody until [`KeyServer::open`].
    pub fn close(&self) {
        self.shelf.open.forget_permits(OPEN);
    }

    /// Answers again.
    pub fn open(&self) {
        self.shelf.open.add_permits(OPEN);
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shelf: Arc<Shelf>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shelf = Arc::clone(&shelf);
        match tls.clone() {
            None => drop(tokio::spawn(converse(stream, shelf))),
            Some(tls) => drop(tokio::spawn(async move {
                // A client that does not believe the certificate leaves: the journey sees it elsewhere.
                if let Ok(stream) = tls.accept(stream).await {
                    converse(stream, shelf).await;
                }
            })),
        }
    }
}

async fn converse<S>(stream: S, shelf: Arc<Shelf>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|_: Request<Incoming>| answer(&shelf));
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

async fn answer(shelf: &Shelf) -> Result<Response<Full<Bytes>>, Infallible> {
    shelf.asked.fetch_add(1, Ordering::SeqCst);
    let permit = shelf.open.acquire().await.expect("never closed");
    drop(permit);
    let keys = shelf.keys.lock().expect("nobody panicked").clone();
    Ok(Response::new(Full::new(keys)))
}
