//! Takes connections from a worker's own socket and speaks HTTP/1.1 or HTTP/2 on them.
//!
//! First step of a request. A connection stays on the worker that accepted it.

mod activity;
mod connections;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use policy::ListenerId;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) use activity::Busy;
pub(crate) use connections::Connections;

use crate::gateway;
use crate::server::{Phase, Worker};
use watched::Watched;

/// The most streams that a client may have open on one HTTP/2 connection: hyper's own advice.
const STREAMS_MAX: u32 = 200;
/// What a client may send on one stream, and on the whole connection, before we have taken it.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// The most of a stream's answer that waits for its client.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// An HTTP/2 client that does not answer a ping in time is gone.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);
/// How long accepting pauses when the process has run out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Who is at the other end of a connection.
pub(crate) struct Peer {
    listener: ListenerId,
    address: HeaderValue,
}

impl Peer {
    fn new(listener: ListenerId, address: SocketAddr) -> Self {
        let text = Bytes::from(address.ip().to_canonical().to_string());
        let address = HeaderValue::from_maybe_shared(text)
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { listener, address }
    }

    /// The listener that accepted the connection.
    pub(crate) fn listener(&self) -> ListenerId {
        self.listener
    }

    /// The peer's IP address, as `X-Forwarded-For` says it.
    pub(crate) fn address(&self) -> &HeaderValue {
        &self.address
    }
}

/// One listener on one worker.
pub(crate) struct Door {
    worker: Rc<Worker>,
    listener: policy::Listener,
    connections: Rc<Connections>,
    http: auto::Builder<Local>,
}

impl Door {
    /// A door through which nobody has come yet.
    pub(crate) fn new(worker: Rc<Worker>, listener: policy::Listener) -> Self {
        let connections = Rc::new(Connections::new(listener.limits));
        Self {
            http: protocols(&listener),
            worker,
            listener,
            connections,
        }
    }

    /// The connections that are open, for the sweep.
    pub(crate) fn connections(&self) -> Rc<Connections> {
        Rc::clone(&self.connections)
    }

    /// Serves whoever comes until the phase changes, and then until they have been served.
    pub(crate) async fn serve(
        self: Rc<Self>,
        socket: TcpListener,
        mut phase: watch::Receiver<Phase>,
    ) {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase != Phase::Serving) => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.admit(stream, address, &graceful),
                Err(error) => pause(&error).await,
            }
        }
        drop(socket);
        graceful.shutdown().await;
    }

    /// Begins to serve a connection, unless there are too many.
    fn admit(self: &Rc<Self>, stream: TcpStream, address: SocketAddr, graceful: &GracefulShutdown) {
        let Some(activity) = self.connections.enter() else {
            self.worker.count_limit("listener_connections");
            return;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection lost before it was served");
            return;
        }
        let (worker, peer) = (
            Rc::clone(&self.worker),
            Rc::new(Peer::new(self.listener.id, address)),
        );
        let io = Watched::new(TokioIo::new(stream), Rc::clone(&activity));
        let watched = Rc::downgrade(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let served = gateway::serve(
                Rc::clone(&worker),
                Rc::clone(&peer),
                Busy::begin(&activity, &request),
                request,
            );
            async { Ok::<_, std::convert::Infallible>(served.await) }
        });
        let connection = graceful.watch(self.http.serve_connection(io, service).into_owned());
        let task = tokio::task::spawn_local(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "connection ended");
            }
        });
        self.connections.watch(watched, task.abort_handle());
    }
}

/// Running out of descriptors passes; the peer's own failures concern only the peer.
async fn pause(error: &io::Error) {
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {}
        _ => {
            tracing::warn!(%error, "accept");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn protocols(listener: &policy::Listener) -> auto::Builder<Local> {
    let head_bytes = usize::try_from(listener.limits.header_bytes).unwrap_or(usize::MAX);
    let mut http = auto::Builder::new(Local);
    // Heads that take too long are ended by the sweep, which costs a request no timer.
    http.http1()
        .max_buf_size(head_bytes.max(MIN_BUFFER_BYTES))
        .header_read_timeout(None);
    http.http2()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(u32::try_from(listener.limits.header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_PATIENCE)
        .timer(TokioTimer::new());
    match (listener.http1, listener.http2) {
        (true, false) => http.http1_only(),
        (false, true) => http.http2_only(),
        _ => http,
    }
}

/// Hyper's own lower bound of a connection's buffer.
const MIN_BUFFER_BYTES: usize = 8192;

/// Runs what hyper spawns on the worker's own thread.
#[derive(Clone, Copy)]
struct Local;

impl<F> Executor<F> for Local
where
    F: Future + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}
