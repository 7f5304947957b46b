//! One server of an upstream and the connections to it that wait for work.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::count::Counted;
use super::{Tls, Upload};
use crate::refusal::Refusal;

/// The most that hyper keeps of one connection's unread input: heads larger than this are refused,
/// bodies wait.
const BUFFER_BYTES: usize = 64 << 10;

/// A server, and what waits for it. The connection used last is used first: the others fall idle and are
/// closed when the load goes down.
pub(super) struct Server {
    authority: Box<str>,
    host: HeaderValue,
    secure: Option<Secure>,
    waiting: RefCell<Vec<Waiting>>,
}

/// How the server proves who it is. Fixed for as long as the connections are: others get another `Server`.
struct Secure {
    tls: Arc<Tls>,
    name: ServerName<'static>,
}

struct Waiting {
    sender: SendRequest<Upload>,
    since: Instant,
}

impl Server {
    /// A server that nothing is connected to.
    pub(super) fn new(authority: &str, tls: Option<&Arc<Tls>>) -> Self {
        Self {
            secure: tls.and_then(|tls| {
                Some(Secure {
                    name: tls.name(authority)?,
                    tls: Arc::clone(tls),
                })
            }),
            authority: authority.into(),
            // A compiled authority is host and port, which any header may hold.
            host: HeaderValue::from_str(authority).unwrap_or_else(|_| HeaderValue::from_static("")),
            waiting: RefCell::default(),
        }
    }

    /// What `Host` says if the client said nothing.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// A connection that waits for work.
    pub(super) fn waiting(&self) -> Option<SendRequest<Upload>> {
        let mut waiting = self.waiting.borrow_mut();
        while let Some(Waiting { sender, .. }) = waiting.pop() {
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    /// Lets a connection wait for work.
    pub(super) fn put(&self, sender: SendRequest<Upload>) {
        let since = Instant::now();
        self.waiting.borrow_mut().push(Waiting { sender, since });
    }

    /// A new connection, counted for as long as it is open.
    pub(super) async fn connect(
        &self,
        patience: Duration,
        counted: Counted,
    ) -> Result<SendRequest<Upload>, Refusal> {
        timeout(patience, self.open(counted))
            .await
            .map_err(|_elapsed| Refusal::ConnectTimeout)?
    }

    async fn open(&self, counted: Counted) -> Result<SendRequest<Upload>, Refusal> {
        let stream = self.stream().await.map_err(Refusal::Unreachable)?;
        let Some(Secure { tls, name }) = &self.secure else {
            return speak(stream, counted).await;
        };
        let shaken = tls.connector().connect(name.clone(), stream).await;
        speak(shaken.map_err(Refusal::Untrusted)?, counted).await
    }

    /// Names are looked up anew for each connection, so that a changed record is followed.
    async fn stream(&self) -> io::Result<TcpStream> {
        let stream = match self.authority.parse::<SocketAddr>() {
            Ok(address) => TcpStream::connect(address).await?,
            Err(_name) => TcpStream::connect(&*self.authority).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Closes what has been waiting for longer than `idle`.
    pub(super) fn sweep(&self, now: Instant, idle: Duration) {
        let keeps = |waiting: &Waiting| {
            now.saturating_duration_since(waiting.since) < idle && !waiting.sender.is_closed()
        };
        self.waiting.borrow_mut().retain(keeps);
    }
}

/// Begins to speak HTTP.
async fn speak<T>(stream: T, counted: Counted) -> Result<SendRequest<Upload>, Refusal>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut http = Builder::new();
    let handshake = http
        .max_buf_size(BUFFER_BYTES)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(Refusal::Broken)?;
    tokio::task::spawn_local(async move {
        let _counted = counted;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    Ok(sender)
}
