//! Servers elsewhere.

use std::time::Duration;

use crate::tls::ClientTls;
use crate::{Authorization, UpstreamId};

/// A group of servers that answer alike.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upstream {
    /// Its position.
    pub id: UpstreamId,
    /// What logs and metrics call it.
    pub name: Box<str>,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    /// What its servers speak.
    pub protocol: Protocol,
    /// Who its servers must be; none if they are spoken to in plain text.
    pub tls: Option<ClientTls>,
    /// What Wald presents to its servers; none if nothing of its own.
    pub authorization: Option<Authorization>,
    /// How long its servers may take.
    pub timeouts: Timeouts,
    /// What may be asked of it at once.
    pub limits: UpstreamLimits,
}

/// What servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112): one request at a time on a connection.
    Http1,
    /// HTTP/2 (RFC 9113): many; without TLS by prior knowledge (section 3.3).
    Http2,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Host and port, always both.
    pub authority: String,
    /// Whether it is spoken to over TLS.
    pub secure: bool,
}

/// How long the servers of an upstream may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To accept a connection.
    pub connect: Duration,
    /// To begin an answer.
    pub response: Duration,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            response: Duration::from_secs(30),
            idle: Duration::from_secs(60),
        }
    }
}

/// What may be asked of an upstream at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// Open connections of a worker.
    pub connections: u32,
    /// Requests without a whole answer.
    pub in_flight: u32,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            in_flight: 1024,
        }
    }
}
