//! The three addresses of the demo: admin, and the two data listeners after it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

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
    /// The three ports from `first`, if nobody has them; 0 lets the system choose.
    pub(super) fn free_from(first: u16) -> Result<Self, PortError> {
        if first == 0 {
            return Self::chosen_by_the_system();
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

    fn chosen_by_the_system() -> Result<Self, PortError> {
        const ATTEMPTS: usize = 64;
        for _ in 0..ATTEMPTS {
            let free = bind(0).and_then(|listener| listener.local_addr());
            if let Some(ports) = free
                .ok()
                .and_then(|address| Self::free_from(address.port()).ok())
            {
                return Ok(ports);
            }
        }
        Err(PortError::NoneFree)
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

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(address(port))
}
