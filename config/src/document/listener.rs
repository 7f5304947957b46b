//! Where traffic comes in.

use std::path::PathBuf;

pub struct Listener {
    pub name: String,
    pub address: String,
    pub tls: Option<Tls>,
    pub protocols: Vec<Protocol>, // empty: both
    pub proxy_protocol: Option<Anything>,
    pub trust_forwarded: Option<Vec<String>>,
    pub limits: Option<ListenerLimits>,
}

/// Ours to add: limits of a listener.
pub struct ListenerLimits {
    pub connections: Option<u32>,        // default 10 000 per worker
    pub header_bytes: Option<ByteCount>, // default 64KiB
    pub header_time: Option<Duration>,   // default 10s: slow clients
    pub body_bytes: Option<ByteCount>,   // default 64MiB
    pub idle: Option<Duration>,          // default 75s keep-alive
}

pub enum Protocol { Http1, Http2 }   // http1 | http2

pub struct Tls {
    pub certificate: Certificate,
    pub clients: Option<ClientCertificates>,
    pub trust: Vec<PathBuf>,
    pub crl: Vec<PathBuf>,
    pub minimum: Option<String>,
}
pub enum ClientCertificates { Required, Optional, None }
/// `{ chain, key }` or `{ spiffe }`
pub enum Certificate { Files { chain: PathBuf, key: PathBuf }, Spiffe(String) }
