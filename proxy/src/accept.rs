//! Takes connections from a worker's own socket and speaks HTTP/1.1 or HTTP/2 on them.
//!
//! First step of a request. A connection stays on the worker that accepted it.

mod activity;
mod connections;
mod handshakes;
mod tls;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use policy::{ListenerId, SpiffeId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) use activity::Busy;
pub(crate) use connections::Connections;
pub(crate) use tls::Tls;

use crate::gateway;
use crate::server::{Phase, Worker};
use activity::Activity;
use handshakes::{Handshake, Handshakes};
use tls::{Failure, Proved};
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
    /// What a handshake proved; none over plain text.
    proved: Option<Proved>,
}

impl Peer {
    fn new(listener: ListenerId, address: SocketAddr, proved: Option<Proved>) -> Self {
        let text = Bytes::from(address.ip().to_canonical().to_string());
        let address = HeaderValue::from_maybe_shared(text)
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self {
            listener,
            address,
            proved,
        }
    }

    /// The listener that accepted the connection.
    pub(crate) fn listener(&self) -> ListenerId {
        self.listener
    }

    /// The peer's IP address, as `X-Forwarded-For` says it.
    pub(crate) fn address(&self) -> &HeaderValue {
        &self.address
    }

    /// Whether nobody between the peer and Wald could read or change what is said.
    pub(crate) fn is_secure(&self) -> bool {
        self.proved.is_some()
    }

    /// The workload that the peer proved to be. A connection may outlive its certificate; the proof does not.
    pub(crate) fn workload(&self, now_ms: u64) -> Option<&SpiffeId> {
        let proved = self.proved.as_ref()?;
        proved
            .workload
            .as_ref()
            .filter(|_| now_ms < proved.until_ms)
    }
}

/// One listener on one worker.
pub(crate) struct Door {
    worker: Rc<Worker>,
    listener: policy::Listener,
    connections: Rc<Connections>,
    handshakes: Handshakes,
    http: auto::Builder<Local>,
}

impl Door {
    /// A door through which nobody has come yet.
    pub(crate) fn new(worker: Rc<Worker>, listener: policy::Listener) -> Self {
        let connections = Rc::new(Connections::new(listener.limits));
        Self {
            http: protocols(&listener),
            handshakes: Handshakes::new(listener.limits),
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
                Ok((stream, address)) => self.admit(stream, address, graceful.watcher()),
                Err(error) => pause(&error).await,
            }
        }
        drop(socket);
        graceful.shutdown().await;
    }

    /// Begins to serve a connection, unless there are too many.
    fn admit(self: &Rc<Self>, stream: TcpStream, address: SocketAddr, watcher: Watcher) {
        let Some(activity) = self.connections.enter() else {
            self.worker.count_limit("listener_connections");
            return;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection lost before it was served");
            return;
        }
        let guest = Guest {
            address,
            activity,
            watcher,
        };
        let watched = Rc::downgrade(&guest.activity);
        let task = match self.worker.tls(self.listener.id) {
            None => {
                let peer = Peer::new(self.listener.id, address, None);
                tokio::task::spawn_local(Rc::clone(self).converse(stream, peer, guest))
            }
            Some(tls) => match self.handshakes.begin(Instant::now()) {
                Ok(turn) => {
                    tokio::task::spawn_local(Rc::clone(self).greet(stream, tls, turn, guest))
                }
                Err(limit) => return self.worker.count_limit(limit),
            },
        };
        self.connections.watch(watched, task.abort_handle());
    }

    /// Shakes hands, and serves whoever comes through.
    async fn greet(
        self: Rc<Self>,
        stream: TcpStream,
        tls: Arc<Tls>,
        turn: Handshake,
        guest: Guest,
    ) {
        let shaken = tokio::time::timeout(self.listener.limits.handshake_time, tls.accept(stream));
        let shaken = shaken.await.unwrap_or(Err(Failure::Late));
        drop((turn, tls));
        match shaken {
            Ok((stream, proved)) => {
                self.count_handshake("completed");
                let peer = Peer::new(self.listener.id, guest.address, Some(proved));
                self.converse(stream, peer, guest).await;
            }
            Err(failure) => {
                self.count_handshake(failure.outcome());
                tracing::debug!(listener = %self.listener.name, address = %guest.address, error = %failure, "no handshake");
            }
        }
    }

    /// Speaks HTTP until the connection ends.
    async fn converse<T>(self: Rc<Self>, stream: T, peer: Peer, guest: Guest)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Guest {
            address: _,
            activity,
            watcher,
        } = guest;
        let (worker, peer) = (Rc::clone(&self.worker), Rc::new(peer));
        let io = Watched::new(TokioIo::new(stream), Rc::clone(&activity));
        let service = service_fn(move |request: Request<Incoming>| {
            let served = gateway::serve(
                Rc::clone(&worker),
                Rc::clone(&peer),
                Busy::begin(&activity, &request),
                request,
            );
            async { Ok::<_, std::convert::Infallible>(served.await) }
        });
        let connection = watcher.watch(self.http.serve_connection(io, service).into_owned());
        if let Err(error) = connection.await {
            tracing::debug!(error, "connection ended");
        }
    }

    fn count_handshake(&self, outcome: &'static str) {
        self.worker.count_handshake(&self.listener.name, outcome);
    }
}

/// A connection before it says anything.
struct Guest {
    address: SocketAddr,
    activity: Rc<Activity>,
    watcher: Watcher,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_believed_no_longer_than_its_certificate_is_good() {
        let workload: SpiffeId = "spiffe://bank.example/web".parse().unwrap();
        let proved = Proved {
            workload: Some(workload.clone()),
            until_ms: 5_000,
        };
        let listener = policy::compile(&document()).unwrap().listeners()[0].id;
        let address = "127.0.0.1:9".parse().unwrap();
        let peer = Peer::new(listener, address, Some(proved));
        assert_eq!(peer.workload(4_999), Some(&workload));
        assert_eq!(peer.workload(5_000), None);
        assert!(peer.is_secure());
        let plain = Peer::new(listener, address, None);
        assert!(plain.workload(0).is_none() && !plain.is_secure());
    }

    fn document() -> config::Document {
        let text = "\
version: wald/v1
listeners: [{ name: edge, address: 127.0.0.1:0 }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { respond: { status: 204 } } }]
";
        config::read(text, &|_| None, std::path::Path::new(".")).unwrap()
    }
}
