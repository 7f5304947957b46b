//! The HTTP/2 connections of one server, each shared by as many requests as the server lets.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::client::conn::http2::{self, Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, MutexGuard, Notify};
use tokio_util::io::InspectReader;

use super::Upload;
use super::channel::Stream;
use super::count::{Count, Counted};
use crate::accept::Local;
use crate::refusal::Refusal;

/// What the server may send on one stream, and on the whole connection, before it was taken.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// The most of one request's body that waits for the server.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// The largest head of an answer.
const HEAD_BYTES: u32 = 64 << 10;
/// How many streams a server takes that has not said so yet; no server means just this number.
const UNKNOWN: usize = (1 << 30) + 1;
/// A server that does not answer a ping in time is gone, and whoever waits for it should know.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// The connections, the one used first that was opened first: the others fall idle and are closed when the
/// load goes down.
#[derive(Default)]
pub(super) struct Shared {
    connections: RefCell<Vec<Connection>>,
    opening: Mutex<()>,
}

struct Connection {
    sender: SendRequest<Upload>,
    streams: Count,
    /// How many streams the server lets be open at once, as it last said (RFC 9113 §5.1.2).
    streams_max: Box<dyn Fn() -> Option<usize>>,
    used: Cell<Instant>,
}

impl Shared {
    /// A stream of a connection that has room for one.
    pub(super) fn stream(&self) -> Option<Stream> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| !connection.sender.is_closed());
        connections.iter().find_map(Connection::stream)
    }

    /// Waits until nobody else opens a connection: it may have room.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().await
    }

    /// Begins to speak HTTP/2 over `stream`, and waits until the server says how many streams it takes: that is
    /// the first that it says (RFC 9113 §3.4). The first stream of the connection.
    pub(super) async fn speak<T>(&self, stream: T, counted: Counted) -> Result<Stream, Refusal>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let mut http = Builder::new(Local);
        http.initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .max_header_list_size(HEAD_BYTES)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_PATIENCE)
            .initial_max_send_streams(UNKNOWN)
            .timer(TokioTimer::new());
        let heard = Rc::<Notify>::default();
        let tell = Rc::clone(&heard);
        let stream = InspectReader::new(stream, move |_read: &[u8]| tell.notify_one());
        let shaken = http.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(Refusal::Broken)?;
        let speaking = Rc::new(RefCell::new(Some(connection)));
        tokio::task::spawn_local(run(Rc::clone(&speaking), Rc::clone(&heard), counted));
        let streams_max = move || {
            let speaking = speaking.borrow();
            Some(speaking.as_ref()?.current_max_send_streams())
        };
        loop {
            match streams_max() {
                Some(UNKNOWN) => heard.notified().await,
                Some(_) => break,
                None => {
                    let silent = io::Error::other("the server does not greet as HTTP/2 asks");
                    return Err(Refusal::Unreachable(silent));
                }
            }
        }
        let connection = Connection {
            sender,
            streams: Count::default(),
            streams_max: Box::new(streams_max),
            used: Cell::new(Instant::now()),
        };
        let stream = connection
            .stream()
            .ok_or(Refusal::UpstreamBusy("upstream_streams"))?;
        self.connections.borrow_mut().push(connection);
        Ok(stream)
    }

    /// Closes what has had no stream for longer than `idle`.
    pub(super) fn sweep(&self, now: Instant, idle: Duration) {
        let keeps = |connection: &Connection| {
            !connection.sender.is_closed()
                && (connection.streams.any()
                    || now.saturating_duration_since(connection.used.get()) < idle)
        };
        self.connections.borrow_mut().retain(keeps);
    }
}

impl Connection {
    fn stream(&self) -> Option<Stream> {
        let most = u32::try_from((self.streams_max)()?).unwrap_or(u32::MAX);
        let counted = self.streams.one_more(most)?;
        self.used.set(Instant::now());
        Some(Stream::new(self.sender.clone(), counted))
    }
}

/// A connection while it runs. At its end it is dropped at once, and what waits in it is tried elsewhere.
type Speaking<T> = RefCell<Option<http2::Connection<TokioIo<T>, Upload, Local>>>;

/// Runs a connection to its end, of which whoever waits for a greeting must hear as well.
async fn run<T>(speaking: Rc<Speaking<T>>, heard: Rc<Notify>, _counted: Counted)
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let ended = poll_fn(|cx| match &mut *speaking.borrow_mut() {
        Some(connection) => Pin::new(connection).poll(cx),
        None => Poll::Ready(Ok(())),
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "upstream connection ended");
    }
    speaking.take();
    heard.notify_one();
}
