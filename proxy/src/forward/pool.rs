//! A worker's own connections to the servers of one upstream.
//!
//! Connections never leave their worker, so there is nothing to lock. The one used last is used first:
//! the others fall idle and are closed when the load goes down.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Upload;
use crate::refusal::Refusal;

/// The most that hyper keeps of one connection's unread input: heads larger than this are refused,
/// bodies wait.
const BUFFER_BYTES: usize = 64 << 10;

/// An upstream as one worker uses it.
pub(crate) struct Pool {
    upstream: policy::Upstream,
    servers: Box<[Server]>,
    turn: Cell<usize>,
    open: Rc<Cell<u32>>,
}

/// One server and the connections to it that wait for work.
pub(crate) struct Server {
    authority: Box<str>,
    host: HeaderValue,
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    sender: http1::SendRequest<Upload>,
    since: Instant,
}

/// The right to send one request to one server; put back by whoever has read the whole response.
pub(crate) struct Lease {
    pool: Rc<Pool>,
    server: usize,
    sender: http1::SendRequest<Upload>,
    fresh: bool,
}

/// Counts an open connection for as long as it lives.
struct Open(Rc<Cell<u32>>);

impl Pool {
    /// A pool without connections; they are made when they are needed.
    pub(crate) fn new(upstream: &policy::Upstream) -> Self {
        Self {
            servers: upstream
                .endpoints
                .iter()
                .map(|endpoint| Server::new(&endpoint.authority))
                .collect(),
            turn: Cell::new(0),
            upstream: upstream.clone(),
            open: Rc::new(Cell::new(0)),
        }
    }

    /// Whether the pool was made for an upstream just like this one.
    pub(crate) fn serves(&self, upstream: &policy::Upstream) -> bool {
        self.upstream.name == upstream.name
            && self.upstream.endpoints == upstream.endpoints
            && self.upstream.timeouts == upstream.timeouts
            && self.upstream.limits == upstream.limits
    }

    /// How long a response may take to begin.
    pub(crate) fn patience(&self) -> Duration {
        self.upstream.timeouts.response
    }

    /// Picks the next server in turn.
    pub(crate) fn next(&self) -> Option<(usize, &Server)> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let index = turn.checked_rem(self.servers.len())?;
        self.servers.get(index).map(|server| (index, server))
    }

    /// A connection to this server that waits for work, the one used last.
    pub(crate) fn waiting(self: &Rc<Self>, server: usize) -> Option<Lease> {
        let mut idle = self.servers.get(server)?.idle.borrow_mut();
        while let Some(Idle { sender, .. }) = idle.pop() {
            if sender.is_ready() {
                return Some(Lease {
                    pool: Rc::clone(self),
                    server,
                    sender,
                    fresh: false,
                });
            }
        }
        None
    }

    /// A new connection to this server.
    pub(crate) async fn connect(self: &Rc<Self>, index: usize) -> Result<Lease, Refusal> {
        let server = self
            .servers
            .get(index)
            .ok_or(Refusal::Incomplete("server"))?;
        let open = self.reserve().ok_or(Refusal::UpstreamBusy)?;
        let connected =
            tokio::time::timeout(self.upstream.timeouts.connect, server.connect()).await;
        let stream = connected
            .map_err(|_elapsed| Refusal::ConnectTimeout)?
            .map_err(Refusal::Unreachable)?;
        let mut http = http1::Builder::new();
        http.max_buf_size(BUFFER_BYTES);
        let (sender, connection) = http
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Refusal::Broken)?;
        tokio::task::spawn_local(async move {
            let _open = open;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        Ok(Lease {
            pool: Rc::clone(self),
            server: index,
            sender,
            fresh: true,
        })
    }

    /// Closes what has been waiting for longer than the upstream's idle time.
    pub(crate) fn sweep(&self, now: Instant) {
        for server in &self.servers {
            let fresh = |idle: &Idle| {
                now.duration_since(idle.since) < self.upstream.timeouts.idle
                    && !idle.sender.is_closed()
            };
            server.idle.borrow_mut().retain(fresh);
        }
    }

    fn reserve(&self) -> Option<Open> {
        let open = self.open.get();
        (open < self.upstream.limits.connections).then(|| {
            self.open.set(open + 1);
            Open(Rc::clone(&self.open))
        })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Server {
    fn new(authority: &str) -> Self {
        let host =
            HeaderValue::from_str(authority).unwrap_or_else(|_| HeaderValue::from_static(""));
        Self {
            authority: authority.into(),
            host,
            idle: RefCell::default(),
        }
    }

    /// What `Host` says if the client said nothing.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Names are looked up anew for each connection, so that a changed record is followed.
    async fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = match self.authority.parse::<SocketAddr>() {
            Ok(address) => TcpStream::connect(address).await?,
            Err(_) => TcpStream::connect(&*self.authority).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Lease {
    /// Whether the connection was made for this request, so that its server cannot have been about to close it.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Where to send the request.
    pub(crate) fn sender(&mut self) -> &mut http1::SendRequest<Upload> {
        &mut self.sender
    }

    /// Gives the connection to the next request, at once or when the rest of this one has been sent.
    pub(crate) fn give_back(self) {
        if self.sender.is_ready() {
            self.put();
        } else {
            tokio::task::spawn_local(self.put_when_ready());
        }
    }

    async fn put_when_ready(mut self) {
        if self.sender.ready().await.is_ok() {
            self.put();
        }
    }

    fn put(self) {
        if let Some(server) = self.pool.servers.get(self.server) {
            server.idle.borrow_mut().push(Idle {
                sender: self.sender,
                since: Instant::now(),
            });
        }
    }
}
