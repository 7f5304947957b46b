//! Where traffic comes in.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::tls::ServerTls;
use crate::{Forwarders, ListenerId, Networks};

/// An address that Wald serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// Its position.
    pub id: ListenerId,
    /// What logs and metrics call it.
    pub name: Box<str>,
    /// Where it listens.
    pub address: Address,
    /// Whose PROXY headers are taken, without which no connection is; none if there are no such headers.
    pub proxy_protocol: Option<Networks>,
    /// Whose word about earlier steps of a request is taken; none if nobody is asked.
    pub trust_forwarded: Option<Forwarders>,
    /// Whether it speaks HTTP/1.1.
    pub http1: bool,
    /// Whether it speaks HTTP/2, by prior knowledge as long as it is plain.
    pub http2: bool,
    /// How it proves who it is, and asks clients to; none if it is plain.
    pub tls: Option<ServerTls>,
    /// What a client may use up.
    pub limits: ListenerLimits,
}

/// Where a listener is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// An address of the network; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A socket of this machine's file system.
    Unix(PathBuf),
}

/// As a document writes it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// What clients of one listener may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Open connections a worker.
    pub connections: u32,
    /// Bytes of a request's head.
    pub header_bytes: u64,
    /// How long a request's head may take to arrive.
    pub header_time: Duration,
    /// Bytes of a request's body.
    pub body_bytes: u64,
    /// Bytes of a body that must come in a second while its client is waited for.
    pub body_rate: u64,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// TLS handshakes a worker has going on.
    pub handshakes: u32,
    /// From one handshake of a worker to the next, on average over a second.
    pub handshake_pause: Duration,
    /// How long a TLS handshake may take.
    pub handshake_time: Duration,
}

impl Default for ListenerLimits {
    /// Room for the JSON tensors of common models, none for a client that sends a byte a second.
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_bytes: 64 << 10,
            header_time: Duration::from_secs(10),
            body_bytes: 64 << 20,
            // A modem of 1990 sends more; what sends less holds a connection for nothing.
            body_rate: 128,
            // Longer than the 60 s after which common clients drop a connection themselves, so
            // that it is mostly they who close and no request meets a closing connection.
            idle: Duration::from_secs(75),
            handshakes: 256,
            // A handshake with certificates on both sides takes about half a millisecond of a core, so
            // that a flood of them leaves a worker three quarters of its time.
            handshake_pause: Duration::from_millis(2),
            handshake_time: Duration::from_secs(10),
        }
    }
}
