//! One server of an upstream and the connections to it that wait for work.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use policy::{Eviction, Protocol};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::MutexGuard;
use tokio::time::timeout;

use super::channel::Channel;
use super::count::Counted;
use super::load::Load;
use super::shared::Shared;
use super::standing::Standing;
use super::tls::alpn;
use super::{Tls, Upload};
use crate::refusal::Refusal;

/// The most that hyper keeps of one connection's unread input: heads larger than this are refused,
/// bodies wait.
const BUFFER_BYTES: usize = 64 << 10;

/// A server, and what waits for it. The connection used last is used first: the others fall idle and are
/// closed when the load goes down.
pub(super) struct Server {
    at: Place,
    host: HeaderValue,
    secure: Option<Secure>,
    ways: Ways,
    load: Load,
    standing: Standing,
    answers: Answers,
}

/// Where a server is, and what that means beside the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The position of its endpoint in the upstream.
    pub(super) endpoint: usize,
    /// What the document calls it.
    pub(super) authority: Box<str>,
    /// Where it is reached.
    pub(super) address: SocketAddr,
    /// Its part of the requests beside the others'.
    pub(super) weight: u32,
    /// Whether it is where this Wald is.
    pub(super) is_near: bool,
}

/// How often it answered and did not.
#[derive(Default)]
struct Answers {
    given: Cell<u64>,
    failed: Cell<u64>,
}

/// How requests get to the server.
enum Ways {
    /// HTTP/1.1: each has a connection for itself.
    Alone(RefCell<Vec<Waiting>>),
    /// HTTP/2: together.
    Shared(Shared),
}

/// How the server proves who it is. Fixed for as long as the connections are: others get another `Server`.
struct Secure {
    tls: Arc<Tls>,
    name: ServerName<'static>,
}

struct Waiting {
    sender: SendRequest<Upload>,
    since: Instant,
    /// How long the server keeps it, if it has said so.
    kept_for: Option<Duration>,
}

impl Waiting {
    /// Whether the server may be about to close it. A request that is on its way just then is lost, so the last
    /// second is not used.
    fn is_risky(&self) -> bool {
        self.kept_for.is_some_and(|kept_for| {
            let margin = RISK.min(kept_for / 2);
            self.since.elapsed() + margin >= kept_for
        })
    }
}

/// How long a request may be on its way.
const RISK: Duration = Duration::from_secs(1);

impl Server {
    /// A server that nothing is connected to.
    pub(super) fn new(
        at: Place,
        standing: Standing,
        protocol: Protocol,
        tls: Option<&Arc<Tls>>,
    ) -> Self {
        let authority = &*at.authority;
        Self {
            secure: tls.and_then(|tls| {
                Some(Secure {
                    name: tls.name(authority)?,
                    tls: Arc::clone(tls),
                })
            }),
            // A compiled authority is host and port, which any header may hold.
            host: HeaderValue::from_str(authority).unwrap_or_else(|_| HeaderValue::from_static("")),
            ways: match protocol {
                Protocol::Http1 => Ways::Alone(RefCell::default()),
                Protocol::Http2 => Ways::Shared(Shared::default()),
            },
            load: Load::default(),
            standing,
            answers: Answers::default(),
            at,
        }
    }

    /// Where it is.
    pub(super) fn at(&self) -> &Place {
        &self.at
    }

    /// How fast and how busy it is.
    pub(super) fn load(&self) -> &Load {
        &self.load
    }

    /// Whether it gets requests.
    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// How often it answered, and how often it failed.
    pub(super) fn answers(&self) -> (u64, u64) {
        (self.answers.given.get(), self.answers.failed.get())
    }

    /// An answer began after this time.
    pub(super) fn answered(&self, latency: Duration, now: Instant) {
        self.answers.given.set(self.answers.given.get() + 1);
        self.load.observe(latency, now);
        self.standing.succeeded();
    }

    /// It failed after this time. Whether it is set aside for that.
    pub(super) fn failed(
        &self,
        latency: Duration,
        eviction: Option<&Eviction>,
        now: Instant,
    ) -> bool {
        self.answers.failed.set(self.answers.failed.get() + 1);
        self.load.observe(latency, now);
        eviction.is_some_and(|eviction| self.standing.failed(eviction, now))
    }

    /// What `Host` says if the client said nothing.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// A connection that waits for work, or one that has room for more.
    pub(super) fn waiting(&self) -> Option<Channel> {
        let waiting = match &self.ways {
            Ways::Alone(waiting) => waiting,
            Ways::Shared(shared) => return shared.stream().map(Channel::Stream),
        };
        let mut waiting = waiting.borrow_mut();
        while let Some(next) = waiting.pop() {
            if next.sender.is_ready() && !next.is_risky() {
                return Some(Channel::Connection(next.sender));
            }
        }
        None
    }

    /// Lets a connection wait for work, unless its server does not.
    pub(super) fn put(&self, sender: SendRequest<Upload>, kept_for: Option<Duration>) {
        if kept_for.is_some_and(|time| time.is_zero()) {
            return;
        }
        if let Ways::Alone(waiting) = &self.ways {
            waiting.borrow_mut().push(Waiting {
                sender,
                since: Instant::now(),
                kept_for,
            });
        }
    }

    /// Where a connection is shared, one is opened at a time: whoever comes meanwhile may find room in it.
    pub(super) async fn turn(
        &self,
        patience: Duration,
    ) -> Result<Option<MutexGuard<'_, ()>>, Refusal> {
        let Ways::Shared(shared) = &self.ways else {
            return Ok(None);
        };
        let turn = timeout(patience, shared.turn()).await;
        turn.map(Some).map_err(|_elapsed| Refusal::ConnectTimeout)
    }

    /// A new connection, counted for as long as it is open.
    pub(super) async fn connect(
        &self,
        patience: Duration,
        counted: Counted,
    ) -> Result<Channel, Refusal> {
        timeout(patience, self.open(counted))
            .await
            .map_err(|_elapsed| Refusal::ConnectTimeout)?
    }

    async fn open(&self, counted: Counted) -> Result<Channel, Refusal> {
        let stream = self.stream().await.map_err(Refusal::Unreachable)?;
        let Some(Secure { tls, name }) = &self.secure else {
            return self.speak(stream, counted).await;
        };
        let shaken = tls.connector().connect(name.clone(), stream).await;
        let shaken = shaken.map_err(Refusal::Untrusted)?;
        if matches!(self.ways, Ways::Shared(_))
            && shaken.get_ref().1.alpn_protocol() != Some(alpn(Protocol::Http2))
        {
            let silent = io::Error::other("the server does not offer HTTP/2");
            return Err(Refusal::Unreachable(silent));
        }
        self.speak(shaken, counted).await
    }

    async fn speak<T>(&self, stream: T, counted: Counted) -> Result<Channel, Refusal>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match &self.ways {
            Ways::Alone(_) => speak(stream, counted).await.map(Channel::Connection),
            Ways::Shared(shared) => {
                let stream = shared.speak(stream, counted).await;
                stream.map(Channel::Stream)
            }
        }
    }

    async fn stream(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.at.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Closes what has been waiting for longer than `idle`.
    pub(super) fn sweep(&self, now: Instant, idle: Duration) {
        let keeps = |waiting: &Waiting| {
            now.saturating_duration_since(waiting.since) < idle && !waiting.sender.is_closed()
        };
        match &self.ways {
            Ways::Alone(waiting) => waiting.borrow_mut().retain(keeps),
            Ways::Shared(shared) => shared.sweep(now, idle),
        }
    }
}

/// Begins to speak HTTP/1.1.
async fn speak<T>(stream: T, counted: Counted) -> Result<SendRequest<Upload>, Refusal>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = Builder::new();
    let handshake = http
        .max_buf_size(BUFFER_BYTES)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(Refusal::Broken)?;
    tokio::task::spawn_local(async move {
        let _counted = counted;
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    Ok(sender)
}
