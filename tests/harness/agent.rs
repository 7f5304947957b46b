//! A SPIFFE Workload API server, as an agent of SPIRE is one: gRPC over a Unix socket, one stream a client, on
//! which each change comes as a whole answer.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::UnixListener;
use tokio::sync::watch;

use crate::{Authority, Identity};

/// The method that streams certificates (SPIFFE Workload API, section 5.2).
const FETCH: &str = "/SpiffeWorkloadAPI/FetchX509SVID";

/// A running agent; it goes away when it is dropped, and its socket stays behind.
pub struct Agent {
    issued: watch::Sender<Bytes>,
    socket: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Agent {
    /// An agent at this path that issues this to whoever asks.
    pub async fn start(socket: &Path, id: &str, identity: &Identity, trust: &Authority) -> Self {
        if socket.exists() {
            std::fs::remove_file(socket).expect("a socket that was left behind goes");
        }
        let listener = UnixListener::bind(socket).expect("a socket");
        let (issued, current) = watch::channel(answer(id, identity, trust));
        let task = tokio::spawn(async move {
            // Connections end with the agent.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let current = current.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let answered = respond(&request, current.clone());
                    async move { Ok::<_, Infallible>(answered) }
                });
                let connection = http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move { connection.await.ok() });
            }
        });
        Self {
            issued,
            socket: socket.to_owned(),
            task,
        }
    }

    /// Issues something else from now on.
    pub fn issue(&self, id: &str, identity: &Identity, trust: &Authority) {
        self.issued.send_replace(answer(id, identity, trust));
    }

    /// Its address, as a document writes it.
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Body = BoxBody<Bytes, Infallible>;

fn respond(request: &Request<Incoming>, current: watch::Receiver<Bytes>) -> Response<Body> {
    let is_meant = request.uri().path() == FETCH;
    // So that nobody is talked into asking by a page that knows the socket (section 4.1).
    let is_marked = request.headers().get("workload.spiffe.io");
    if !is_meant || is_marked.is_none_or(|value| value != "true") {
        return grpc(Empty::new().boxed(), Some("3"));
    }
    let first = (current, true);
    let messages = stream::unfold(Box::new(first), async |mut state| {
        let (current, is_first) = &mut *state;
        if !std::mem::take(is_first) && current.changed().await.is_err() {
            return None;
        }
        let message = current.borrow_and_update().clone();
        Some((Ok::<_, Infallible>(Frame::data(message)), state))
    });
    let messages = StreamBody::new(Box::pin(messages));
    grpc(BoxBody::new(messages), None)
}

fn grpc(body: Body, status: Option<&str>) -> Response<Body> {
    let mut response = Response::builder()
        .status(StatusCode::OK)
        .header("content-type", "application/grpc");
    if let Some(status) = status {
        response = response.header("grpc-status", status);
    }
    response.body(body).expect("a response")
}

/// An `X509SVIDResponse` behind gRPC's prefix: not compressed, and its length.
fn answer(id: &str, identity: &Identity, trust: &Authority) -> Bytes {
    let chain = der(&identity.certificate);
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key is PEM");
    let svid = [
        field(1, id.as_bytes()),
        field(2, &chain),
        field(3, key.secret_der()),
        field(4, &der(&trust.pem())),
    ];
    let message = field(1, &svid.concat());
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("a short message"));
    framed.extend_from_slice(&message);
    framed.freeze()
}

fn der(pem: &str) -> Vec<u8> {
    let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
    let bytes = certificates.map(|found| found.expect("certificates are PEM").to_vec());
    bytes.collect::<Vec<_>>().concat()
}

/// A field of bytes, as protobuf encodes it.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        encoded.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    encoded.push(u8::try_from(length).expect("seven bits"));
    encoded.extend_from_slice(bytes);
    encoded
}
