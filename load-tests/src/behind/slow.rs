//! A server that takes its time.

use std::{convert::Infallible, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, time::sleep};

/// Starts one that answers each request after this time.
pub(crate) fn start(after: Duration) -> io::Result<SocketAddr> {
    super::start(move |listener| serve(listener, after))
}

async fn serve(listener: TcpListener, after: Duration) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = service_fn(move |_| async move {
            sleep(after).await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // Whoever leaves early is no fault of this server.
        tokio::spawn(async move { connection.await.ok() });
    }
}
