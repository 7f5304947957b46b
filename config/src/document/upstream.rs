//! Where traffic may go.

use super::{Certificate, Protocol};
use crate::decode::{choice, record};
use crate::value::Period;
use std::path::PathBuf;

record! {
    /// A service that answers requests, at one or more addresses.
    pub struct Upstream {
        /// What backends, logs and metrics call it, for example `fraud-v1`.
        pub name: String,
        /// Where it listens, for example `[http://127.0.0.1:8001]`. DNS names are looked up again as they expire.
        pub endpoints: Vec<String> = required,
        /// The HTTP version it speaks; gRPC needs `http2`. Default: `http1`.
        pub protocol: Option<Protocol>,
        /// Where its data is, for example `ae`.
        pub region: Option<String>,
        /// How an endpoint is chosen for a request.
        pub balance: Option<Balance>,
        /// Who it must be, and who Wald is to it; for `https://` endpoints.
        pub tls: Option<UpstreamTls>,
        /// How long Wald waits for it.
        pub timeouts: Option<Timeouts>,
        /// Asks its endpoints whether they are well.
        pub health: Option<Health>,
        /// Sets endpoints aside that keep failing.
        pub eviction: Option<Eviction>,
        /// What Wald asks of it at once.
        pub limits: Option<UpstreamLimits>,
        /// Takes any certificate: whoever answers is believed. For trials only.
        pub insecure: Option<bool>,
        /// What Wald presents in its own name, for example `{ env: OPENAI_API_KEY }`; clients hold no key of it.
        pub authorization: Option<Authorization>,
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
    }
}

record! {
    /// Asks endpoints whether they are well.
    pub struct Health {
        /// What is asked with GET, for example `/v2/health/ready`; 2xx means well.
        pub path: String,
        /// How often. Default: `5s`.
        pub interval: Option<Period>,
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
        /// Requests waiting for a connection. Default: `128`.
        pub queued: Option<u32>,
    }
}
