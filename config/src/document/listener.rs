//! Where traffic comes in.

use super::Bundle;
use crate::decode::{choice, record, shapes};
use crate::value::{ByteCount, Period, Rate};
use std::path::PathBuf;

record! {
    /// An address that clients connect to.
    pub struct Listener {
        /// What routes, logs and metrics call it, for example `edge`.
        pub name: String,
        /// Host and port, for example `0.0.0.0:8443`, or a Unix socket, for example `unix:///run/wald.sock`.
        pub address: String,
        /// Serves TLS. Default: plain text.
        pub tls: Option<Tls>,
        /// The HTTP versions spoken. Default: `[http1, http2]`.
        pub protocols: Vec<Protocol>,
        /// Takes the client's address from a PROXY header of version 2, which every connection must begin with.
        pub proxy_protocol: Option<ProxyProtocol>,
        /// Who is believed about `x-forwarded-*`, `x-request-id` and `x-wald-*`: networks, SPIFFE ids or `unix`, for example `[10.0.0.0/8]`.
        pub trust_forwarded: Vec<String>,
        /// What one client or all clients of this address may take.
        pub limits: Option<ListenerLimits>,
    }
}

record! {
    /// What one client or all clients of an address may take.
    pub struct ListenerLimits {
        /// Connections open at once, for each worker. Default: `10000`.
        pub connections: Option<u32>,
        /// Bytes of a request's headers. Default: `64KiB`.
        pub header_bytes: Option<ByteCount>,
        /// Time in which a request's headers must have come. Default: `10s`.
        pub header_time: Option<Period>,
        /// Bytes of a request's body. Default: `64MiB`.
        pub body_bytes: Option<ByteCount>,
        /// Bytes of a body that must come in a second while a client is waited for, on average. Default: `128B`.
        pub body_rate: Option<ByteCount>,
        /// Time for which a connection may stay open without a request. Default: `75s`.
        pub idle: Option<Period>,
        /// TLS handshakes going on at once, for each worker. Default: `256`.
        pub handshakes: Option<u32>,
        /// TLS handshakes begun in a time, for each worker. Default: `500/s`.
        pub handshake_rate: Option<Rate>,
        /// Time in which a TLS handshake must be done. Default: `10s`.
        pub handshake_time: Option<Period>,
    }
}

record! {
    /// Who may say on whose behalf a connection comes.
    pub struct ProxyProtocol {
        /// Networks of balancers, for example `[10.0.0.0/8]`, or `unix` for whoever opens the Unix socket; all others are refused.
        pub trusted: Vec<String>,
    }
}

choice! {
    /// A version of HTTP.
    pub enum Protocol {
        /// HTTP/1.1.
        Http1 = "http1",
        /// HTTP/2; without TLS by prior knowledge.
        Http2 = "http2",
    }
}

record! {
    /// TLS as a server: who Wald is, and which clients it takes.
    pub struct Tls {
        /// Who Wald is to its clients.
        pub certificate: Option<Certificate>,
        /// Several certificates, chosen by the name that the client asks for; the first is also for all others.
        pub certificates: Vec<Certificate>,
        /// Whether clients must show a certificate. Default: `none`.
        pub clients: Option<ClientCertificates>,
        /// Authorities whose client certificates are believed, for example `[clients-ca.pem]`.
        pub trust: Vec<Bundle>,
        /// Files of certificates that are revoked, for example `[clients.crl]`.
        pub crl: Vec<PathBuf>,
        /// The lowest version of TLS: `"1.3"` or `"1.2"`. Default: `"1.3"`.
        pub minimum: Option<String>,
    }
}

choice! {
    /// Whether clients must show a certificate.
    pub enum ClientCertificates {
        /// No connection without one.
        Required = "required",
        /// It is checked if there is one.
        Optional = "optional",
        /// None is asked for.
        None = "none",
    }
}

shapes! {
    /// A certificate and its key.
    pub enum Certificate {
        /// From files, read again when they change.
        Files {
            /// The certificate and its intermediates, as PEM.
            chain: PathBuf,
            /// The private key, as PEM.
            key: PathBuf,
        },
        /// From a SPIFFE Workload API.
        Spiffe {
            /// Its socket, for example `unix:///run/spire/agent.sock`.
            spiffe: String,
        },
    }
}
