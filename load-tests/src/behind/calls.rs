//! A gRPC server that answers each unary call with the same small message.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt as _, Full, combinators::WithTrailers};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// A message of two bytes behind its frame: not compressed, and its length.
pub(crate) const MESSAGE: &[u8] = b"\0\0\0\0\x02\x08\x01";

/// A running server.
pub(crate) struct Calls {
    pub(crate) address: SocketAddr,
    answered: Arc<AtomicU64>,
}

impl Calls {
    pub(crate) fn start() -> io::Result<Self> {
        let answered = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&answered);
        let address = super::start(move |listener| serve(listener, counted))?;
        Ok(Self { address, answered })
    }

    /// How many calls it has answered so far.
    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, answered: Arc<AtomicU64>) {
    while let Ok((stream, _)) = listener.accept().await {
        // A connection without it is slower, and the next one is as good.
        stream.set_nodelay(true).ok();
        let answered = Arc::clone(&answered);
        let service = service_fn(move |request| answer(request, Arc::clone(&answered)));
        let connection = http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(1000)
            .serve_connection(TokioIo::new(stream), service);
        // Whoever leaves early is no fault of this server.
        tokio::spawn(async move { connection.await.ok() });
    }
}

async fn answer(
    request: Request<Incoming>,
    answered: Arc<AtomicU64>,
) -> Result<Response<WithTrailers<Full<Bytes>, Trailers>>, hyper::Error> {
    request.into_body().collect().await?;
    answered.fetch_add(1, Ordering::Relaxed);
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let body = Full::new(Bytes::from_static(MESSAGE));
    let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

type Trailers = std::future::Ready<Option<Result<HeaderMap, Infallible>>>;
