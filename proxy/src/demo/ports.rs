//! The three addresses of the demo: admin, and the two data listeners after it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use super::chance::Chance;

/// The ports that the embedded document names.
const DOCUMENT_PORTS: Ports = Ports { admin: 9901 };

/// Why the demo cannot have its ports.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortError {
    #[error("port {port} is taken (the demo needs {first} to {}; choose others with --port)", first + 2)]
    Taken {
        port: u16,
        first: u16,
        source: io::Error,
    },
    #[error(
        "--port {0} leaves no room for the two data listeners after it; the last that does is 65533"
    )]
    TooHigh(u16),
    #[error("no three free ports in a row; name one with --port")]
    NoneFree,
}

/// Three ports in a row on the loopback address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    admin: u16,
}

impl Ports {
    /// The three ports from `first`, if nobody has them; from 0, any three that are free.
    pub(super) fn free_from(first: u16) -> Result<Self, PortError> {
        if first == 0 {
            return Self::chosen();
        }
        first.checked_add(2).ok_or(PortError::TooHigh(first))?;
        for port in first..=first + 2 {
            bind(port).map_err(|source| PortError::Taken {
                port,
                first,
                source,
            })?;
        }
        Ok(Self { admin: first })
    }

    /// Three free ports below those that systems hand out to outgoing connections (32768 and up on
    /// Linux): one of those could take a port between this look and the server's start.
    fn chosen() -> Result<Self, PortError> {
        const ATTEMPTS: usize = 64;
        let mut chance = Chance::new(u64::from(process::id()), nanoseconds());
        let mut starts =
            (0..ATTEMPTS).filter_map(|_| u16::try_from(20_000 + 3 * chance.below(4_000)).ok());
        starts
            .find_map(|first| Self::free_from(first).ok())
            .ok_or(PortError::NoneFree)
    }

    pub(super) fn admin(self) -> SocketAddr {
        address(self.admin)
    }

    /// Where clients send their traffic.
    pub(super) fn edge(self) -> SocketAddr {
        address(self.admin + 1)
    }

    /// Where the model server is that the third route goes to.
    pub(super) fn models(self) -> SocketAddr {
        address(self.admin + 2)
    }

    /// `document`, with these ports in place of its own.
    pub(super) fn written_into(self, document: &str) -> String {
        // Highest first: a range that overlaps the document's own is then replaced once, not twice.
        let pairs = [
            (DOCUMENT_PORTS.models(), self.models(), "\u{0}models"),
            (DOCUMENT_PORTS.edge(), self.edge(), "\u{0}edge"),
            (DOCUMENT_PORTS.admin(), self.admin(), "\u{0}admin"),
        ];
        let mut text = document.to_owned();
        for (theirs, _, mark) in pairs {
            text = text.replace(&theirs.to_string(), mark);
        }
        for (_, ours, mark) in pairs {
            text = text.replace(mark, &ours.to_string());
        }
        text
    }
}

/// Sets two demos apart that the same process starts one after the other.
fn nanoseconds() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    now.subsec_nanos().into()
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(address(port))
}
