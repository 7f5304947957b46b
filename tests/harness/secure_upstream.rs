//! A backend over TLS that asks for Wald's certificate and counts handshakes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::bind::bind;
use crate::{Authority, Identity};

/// A running backend; it stops when it is dropped.
pub struct SecureUpstream {
    address: SocketAddr,
    shaken: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl SecureUpstream {
    /// Starts a backend that is `identity` and takes only clients that `clients` vouches for.
    pub async fn start(identity: &Identity, clients: &Authority) -> Self {
        Self::offering(identity, clients, &[]).await
    }

    /// The same, which offers these protocols when hands are shaken (RFC 7301).
    pub async fn offering(identity: &Identity, clients: &Authority, protocols: &[&str]) -> Self {
        let (socket, address) = bind().await;
        let acceptor = TlsAcceptor::from(Arc::new(config(identity, clients, protocols)));
        let shaken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&shaken);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                tokio::spawn(converse(stream, acceptor.clone(), Arc::clone(&counted)));
            }
        });
        Self {
            address,
            shaken,
            task,
        }
    }

    /// Where it listens, as a document writes it.
    pub fn endpoint(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// How many handshakes it finished.
    pub fn handshakes(&self) -> usize {
        self.shaken.load(Ordering::Relaxed)
    }
}

impl Drop for SecureUpstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(identity: &Identity, clients: &Authority, protocols: &[&str]) -> ServerConfig {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(clients.pem().as_bytes()).expect("PEM");
    roots.add(authority).expect("an authority can be used");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_client_cert_verifier(verifier.build().expect("an authority is there"))
        .with_single_cert(vec![certificate], key)
        .expect("a key fits its certificate");
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    config
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, shaken: Arc<AtomicUsize>) {
    // A proxy that does not believe this backend leaves; the journey sees what that caused.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    shaken.fetch_add(1, Ordering::Relaxed);
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(async |_| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"secure"))))
    });
    if is_http2 {
        http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await
            .ok();
        return;
    }
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}
