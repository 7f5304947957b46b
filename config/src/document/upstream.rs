//! Where traffic may go.

use super::{Certificate, Protocol};
use crate::decode::{Decode, Decoder, Wanted, choice, record};
use crate::tree::{Node, Value};
use crate::value::{Period, Share};
use std::path::PathBuf;

record! {
    /// A service that answers requests, at one or more addresses.
    pub struct Upstream {
        /// What backends, logs and metrics call it, for example `fraud-v1`.
        pub name: String,
        /// Where it listens, for example `[http://127.0.0.1:8001]`. DNS names are looked up again as they expire;
        /// each of their addresses is a server of its own.
        pub endpoints: Vec<Endpoint> = required,
        /// The HTTP version it speaks; gRPC needs `http2`. Default: `http1`.
        pub protocol: Option<Protocol>,
        /// Where its data is, for example `ae`.
        pub region: Option<String>,
        /// How an endpoint is chosen for a request. Default: `peak_ewma`.
        pub balance: Option<Balance>,
        /// Who it must be, and who Wald is to it; for `https://` endpoints.
        pub tls: Option<UpstreamTls>,
        /// How long Wald waits for it.
        pub timeouts: Option<Timeouts>,
        /// Asks its endpoints whether they are well.
        pub health: Option<Health>,
        /// Sets endpoints aside that keep failing.
        pub eviction: Option<Eviction>,
        /// When less than this part of the endpoints is well, all are used, as the trouble is elsewhere then.
        /// Default: `50%`.
        pub panic_threshold: Option<Share>,
        /// How long an endpoint that joins or comes back takes to get its whole part of the requests. Default: no
        /// time at all.
        pub slow_start: Option<Period>,
        /// What Wald asks of it at once.
        pub limits: Option<UpstreamLimits>,
        /// Takes any certificate: whoever answers is believed. For trials only.
        pub insecure: Option<bool>,
        /// What Wald presents in its own name, for example `{ env: OPENAI_API_KEY }`; clients hold no key of it.
        pub authorization: Option<Authorization>,
    }
}

/// One server, or all that a DNS name stands for. Written as an address, or as a map.
#[derive(Clone, Debug, PartialEq, serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum Endpoint {
    /// Its address, for example `http://127.0.0.1:8001`.
    Address(String),
    /// Its address and more, for example `{ url: http://127.0.0.1:8001, weight: 3 }`.
    Detailed(DetailedEndpoint),
}

impl Endpoint {
    /// Its address, however it is written.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Self::Address(url) => url,
            Self::Detailed(detailed) => &detailed.url,
        }
    }
}

impl Decode for Endpoint {
    fn wanted() -> Wanted {
        Wanted::new("an address, or a map with one", "http://127.0.0.1:8001")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(Self::Address(scalar.text.clone())),
            Value::Map(_) => DetailedEndpoint::decode(node, decoder).map(Self::Detailed),
            _ => {
                decoder.mismatch::<Self>(node);
                None
            }
        }
    }
}

record! {
    /// A server and how it stands beside the others.
    pub struct DetailedEndpoint {
        /// Where it listens, for example `http://127.0.0.1:8001`.
        pub url: String,
        /// Its part of the requests beside the others', for example `3`. Default: `1`.
        pub weight: Option<u32>,
        /// Where it runs, for example `eu-1a`. While enough are well in the document's own `zone`, no others are
        /// used.
        pub zone: Option<String>,
    }
}

record! {
    /// A secret that an upstream asks for, and the header that carries it.
    pub struct Authorization {
        /// The header. Default: `authorization`.
        pub header: Option<String>,
        /// What stands before the secret. Default: `Bearer` for `authorization`, nothing for others.
        pub scheme: Option<String>,
        /// The file that holds the secret, read again when it changes, for example `upstream.key`.
        pub file: Option<PathBuf>,
        /// The variable of the environment that holds it, for example `OPENAI_API_KEY`.
        pub env: Option<String>,
    }
}

choice! {
    /// How an endpoint is chosen for a request.
    pub enum Balance {
        /// The faster of two drawn at random, by recent latency and load.
        PeakEwma = "peak_ewma",
        /// The one with the fewest requests in flight.
        LeastRequests = "least_requests",
        /// One after the other.
        RoundRobin = "round_robin",
        /// The same for the same key, for example `{ hash: { header: x-user } }`.
        Hash(HashKey) = "hash",
    }
}

choice! {
    /// What requests are told apart by.
    pub enum HashKey {
        /// A header's value, for example `{ header: x-user }`.
        Header(String) = "header",
        /// A cookie's value, for example `{ cookie: session }`.
        Cookie(String) = "cookie",
        /// A claim of the caller's token, for example `{ claim: sub }`.
        Claim(String) = "claim",
    }
}

record! {
    /// TLS as a client: whom Wald believes an upstream to be.
    pub struct UpstreamTls {
        /// Files of authorities whose certificates are believed, for example `[ca.pem]`.
        pub trust: Vec<PathBuf>,
        /// Files of certificates that are revoked, for example `[servers.crl]`.
        pub crl: Vec<PathBuf>,
        /// Who Wald is to the upstream.
        pub certificate: Option<Certificate>,
        /// The SPIFFE id that its certificate must carry, for example `spiffe://bank.example/fraud`.
        pub spiffe_id: Option<String>,
        /// The DNS name that its certificate must carry. Default: the endpoint's host.
        pub dns_name: Option<String>,
    }
}

record! {
    /// How long Wald waits for an upstream.
    pub struct Timeouts {
        /// Until a connection is open. Default: `1s`.
        pub connect: Option<Period>,
        /// Until the response's headers are there. Default: `30s`.
        pub response: Option<Period>,
        /// Until an unused connection is closed. Default: `60s`.
        pub idle: Option<Period>,
        /// Until a request that waits for its turn gets it. Default: `1s`.
        pub queue: Option<Period>,
    }
}

record! {
    /// Asks endpoints whether they are well, in one of three ways.
    pub struct Health {
        /// What is asked with GET, for example `/v2/health/ready`; 2xx means well.
        pub path: Option<String>,
        /// The service that `grpc.health.v1.Health` is asked about, for example `fraud`, or `""` for all of the
        /// server; SERVING means well.
        pub grpc: Option<String>,
        /// `true`: whatever takes a connection is well.
        pub tcp: Option<bool>,
        /// How often. Default: `5s`.
        pub interval: Option<Period>,
        /// How long an answer may take. Default: `1s`.
        pub timeout: Option<Period>,
        /// How many good answers in a row bring an endpoint back. Default: `2`.
        pub healthy: Option<u32>,
        /// How many bad answers in a row take it out. Default: `3`.
        pub unhealthy: Option<u32>,
    }
}

record! {
    /// Sets endpoints aside that keep failing.
    pub struct Eviction {
        /// How many failures in a row it takes. Default: `5`.
        pub consecutive_failures: Option<u32>,
        /// For how long the first time; doubled each time after. Default: `5s`.
        pub base: Option<Period>,
        /// For how long at most. Default: `5m`.
        pub max: Option<Period>,
    }
}

record! {
    /// What Wald asks of an upstream at once, for each worker.
    pub struct UpstreamLimits {
        /// Open connections. Default: `256`.
        pub connections: Option<u32>,
        /// Requests without an answer yet. Default: `1024`.
        pub in_flight: Option<u32>,
        /// Requests that wait for their turn. Default: `128`.
        pub queued: Option<u32>,
    }
}
