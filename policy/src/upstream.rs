//! Servers elsewhere.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;

use crate::tls::ClientTls;
use crate::{Authorization, Caller, Unit, UpstreamId};

/// A group of servers that answer alike.
#[derive(Clone, Debug, PartialEq)]
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
    /// Which of its servers a request goes to.
    pub balance: Balance,
    /// How servers are asked whether they are well; none if nobody asks.
    pub health: Option<Health>,
    /// How servers that fail are set aside; none if they are not.
    pub eviction: Option<Eviction>,
    /// The part of its servers that must be well for the others to be left alone, from 0 to 1.
    pub panic_threshold: f64,
    /// How long a server that joins takes to get its whole part of the requests.
    pub slow_start: Duration,
}

/// Which server a request goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Balance {
    /// The better of two drawn at random, by recent latency times requests in flight.
    PeakEwma,
    /// The one with the fewest requests in flight.
    LeastRequests,
    /// One after the other.
    RoundRobin,
    /// The same for the same unit, as long as it is there.
    Hash(Unit),
}

impl Balance {
    /// What the choice depends on; none if on nothing in this request.
    #[must_use]
    pub fn key<'a>(&self, headers: &'a HeaderMap, caller: &'a Caller) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::Hash(unit) => unit.of(headers, caller, 0),
            Self::PeakEwma | Self::LeastRequests | Self::RoundRobin => None,
        }
    }
}

/// How servers are asked whether they are well.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How many good answers in a row bring a server back.
    pub healthy: u32,
    /// How many bad ones take it out.
    pub unhealthy: u32,
}

/// What a server is asked to know whether it is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// GET of this path; 2xx means well.
    Http(http::uri::PathAndQuery),
    /// `grpc.health.v1.Health/Check` of this service; SERVING means well.
    Grpc(Box<str>),
    /// A connection.
    Tcp,
}

/// How servers that fail are set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eviction {
    /// How many failures in a row it takes.
    pub consecutive_failures: u32,
    /// For how long the first time; doubled each time after.
    pub base: Duration,
    /// For how long at most.
    pub max: Duration,
}

impl Default for Eviction {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            base: Duration::from_secs(5),
            max: Duration::from_secs(300),
        }
    }
}

/// What servers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 (RFC 9112): one request at a time on a connection.
    Http1,
    /// HTTP/2 (RFC 9113): many; without TLS by prior knowledge (section 3.3).
    Http2,
}

/// One server, or all that a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Host and port, always both.
    pub authority: String,
    /// Whether it is spoken to over TLS.
    pub secure: bool,
    /// Its part of the requests beside the others'; never 0.
    pub weight: u32,
    /// Where it runs, if anybody says.
    pub zone: Option<Box<str>>,
    /// Whether it runs where this Wald does.
    pub is_near: bool,
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
    /// How long a request may wait for its turn.
    pub queue: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            response: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            queue: Duration::from_secs(1),
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
    /// Requests that wait for their turn.
    pub queued: u32,
}

impl Default for UpstreamLimits {
    fn default() -> Self {
        Self {
            connections: 256,
            in_flight: 1024,
            queued: 128,
        }
    }
}
