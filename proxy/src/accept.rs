//! Takes connections from a worker's own socket and speaks HTTP/1.1 or HTTP/2 on them.
//!
//! First step of a request. A connection stays on the worker that accepted it.

mod activity;
mod connections;
mod farewell;
mod handshakes;
mod peer;
pub(crate) mod proxy_header;
mod socket;
mod tls;
mod watched;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use policy::Origin;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

pub(crate) use activity::Busy;
pub(crate) use connections::Connections;
pub(crate) use peer::{Distrusted, Peer};
pub(crate) use socket::Socket;
pub(crate) use tls::{Failure, Proved, Tls};

use crate::gateway::{self, Reply};
use crate::server::{Phase, Worker};
use activity::Activity;
use farewell::Farewell;
use handshakes::{Handshake, Handshakes};
use proxy_header::{Malformed, Said};
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
        socket: socket::Accepting,
        mut phase: watch::Receiver<Phase>,
    ) {
        let farewell = Farewell::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = phase.wait_for(|phase| *phase >= Phase::Retiring) => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, origin)) => self.admit(stream, origin, farewell.guest()),
                Err(error) => pause(&error).await,
            }
        }
        drop(socket);
        // A phase that can no longer change has ended as well.
        drop(phase.wait_for(|phase| *phase >= Phase::Draining).await);
        farewell.say().await;
    }

    /// Begins to serve a connection, unless there are too many.
    fn admit(self: &Rc<Self>, stream: socket::Stream, origin: Origin, farewell: farewell::Guest) {
        let Some(activity) = self.connections.enter() else {
            self.worker.count_limit("listener_connections");
            return;
        };
        let tls = self.worker.tls(self.listener.id);
        let turn = match &tls {
            None => None,
            Some(_) => match self.handshakes.begin(Instant::now()) {
                Ok(turn) => Some(turn),
                Err(limit) => return self.worker.count_limit(limit),
            },
        };
        let watched = Rc::downgrade(&activity);
        let guest = Guest {
            origin,
            activity,
            farewell,
        };
        let task = match stream {
            socket::Stream::Tcp(stream) => {
                tokio::task::spawn_local(Rc::clone(self).receive(stream, tls.zip(turn), guest))
            }
            socket::Stream::Unix(stream) => {
                tokio::task::spawn_local(Rc::clone(self).receive(stream, tls.zip(turn), guest))
            }
        };
        self.connections.watch(watched, task.abort_handle());
    }

    /// Hears on whose behalf the connection comes, shakes hands, and serves whoever comes through; all of it
    /// within the time that a handshake has.
    async fn receive<T>(
        self: Rc<Self>,
        mut stream: T,
        tls: Option<(Arc<Tls>, Handshake)>,
        mut guest: Guest,
    ) where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let until = tokio::time::Instant::now() + self.listener.limits.handshake_time;
        if let Some(networks) = &self.listener.proxy_protocol {
            let heard = if networks.contain(guest.origin) {
                tokio::time::timeout_at(until, proxy_header::read(&mut stream)).await
            } else {
                return self.unheard(&guest, "untrusted", &"the source is not trusted");
            };
            match heard {
                Ok(Ok(said)) => self.hear(said, &mut guest),
                Ok(Err(malformed)) => return self.unheard(&guest, outcome(&malformed), &malformed),
                Err(late) => return self.unheard(&guest, "late", &late),
            }
        }
        let Some((tls, turn)) = tls else {
            let peer = Peer::new(self.listener.id, guest.origin, None);
            // In a box of its own size: a plain connection, which may be idle, would carry a TLS one's.
            return Box::pin(self.converse(stream, peer, guest)).await;
        };
        let shaken = tokio::time::timeout_at(until, tls.accept(stream)).await;
        let shaken = shaken.unwrap_or(Err(Failure::Late));
        drop(turn);
        match shaken {
            Ok((stream, proved)) => {
                self.count_handshake("completed");
                let peer = Peer::new(self.listener.id, guest.origin, Some((proved, tls)));
                Box::pin(self.converse(stream, peer, guest)).await;
            }
            Err(failure) => {
                self.count_handshake(failure.outcome());
                tracing::debug!(listener = %self.listener.name, origin = ?guest.origin, error = %failure, "no handshake");
            }
        }
    }

    fn hear(&self, said: Said, guest: &mut Guest) {
        let (origin, outcome) = match said {
            Said::Client(address) => (Origin::Ip(address), "client"),
            Said::Itself => (guest.origin, "local"),
            Said::Nobody => (Origin::Unknown, "unknown"),
        };
        guest.origin = origin;
        self.worker.count_proxy_header(&self.listener.name, outcome);
    }

    fn unheard(&self, guest: &Guest, outcome: &'static str, why: &dyn std::fmt::Display) {
        self.worker.count_proxy_header(&self.listener.name, outcome);
        tracing::debug!(listener = %self.listener.name, origin = ?guest.origin, error = %why, "no PROXY header");
    }

    /// Speaks HTTP until the connection ends.
    async fn converse<T>(self: Rc<Self>, stream: T, peer: Peer, guest: Guest)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Guest {
            origin: _,
            activity,
            farewell,
        } = guest;
        let (worker, peer) = (Rc::clone(&self.worker), Rc::new(peer));
        let io = Watched::new(TokioIo::new(stream), Rc::clone(&activity));
        let watched = Rc::clone(&activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let busy = Busy::begin(&activity, &request);
            // In a box, because whoever holds a future moves all of it, and this one is large.
            Box::pin(answer(Rc::clone(&worker), Rc::clone(&peer), busy, request))
        });
        let connection = self
            .http
            .serve_connection_with_upgrades(io, service)
            .into_owned();
        if let Err(error) = farewell.stay(connection, watched).await {
            tracing::debug!(error, "connection ended");
        }
    }

    fn count_handshake(&self, outcome: &'static str) {
        self.worker.count_handshake(&self.listener.name, outcome);
    }
}

async fn answer(
    worker: Rc<Worker>,
    peer: Rc<Peer>,
    busy: Busy,
    request: Request<Incoming>,
) -> Result<Response<Reply>, std::convert::Infallible> {
    let has_goodbye = request.version() == Version::HTTP_2;
    let mut response = gateway::serve(&worker, &peer, busy, request).await;
    if !has_goodbye && worker.is_leaving() {
        say_goodbye(&mut response);
    }
    Ok(response)
}

/// A connection before it says anything.
struct Guest {
    origin: Origin,
    activity: Rc<Activity>,
    farewell: farewell::Guest,
}

/// The metric's label of a connection without a header that can be used.
fn outcome(malformed: &Malformed) -> &'static str {
    match malformed {
        Malformed::Broken(_) => "broken",
        _ => "malformed",
    }
}

/// Tells the client to connect anew for its next request (RFC 9112 §9.6), before it meets a closed connection.
fn say_goodbye<B>(response: &mut Response<B>) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
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
pub(crate) struct Local;

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
