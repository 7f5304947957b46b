//! A server that takes its time, on a thread of its own until this program ends.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, runtime::Builder, time::sleep};

/// Starts one that answers each request after this time.
pub(crate) fn start(after: Duration) -> io::Result<SocketAddr> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    thread::spawn(move || runtime.block_on(serve(listener, after)));
    Ok(address)
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
