//! A worker's own sockets, of the network or of the file system.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use policy::Origin;
use tokio::net::{TcpStream, UnixStream};

/// Where a worker accepts connections, before its event loop runs.
pub(crate) enum Socket {
    /// Its own of several on one address.
    Tcp(TcpListener),
    /// Shared with the other workers: a path has one socket.
    Unix(UnixListener),
}

/// The same within the event loop.
pub(crate) enum Accepting {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

/// A connection before anything was said.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(crate) fn begin(self) -> io::Result<Accepting> {
        Ok(match self {
            Self::Tcp(socket) => Accepting::Tcp(tokio::net::TcpListener::from_std(socket)?),
            Self::Unix(socket) => Accepting::Unix(tokio::net::UnixListener::from_std(socket)?),
        })
    }
}

impl Accepting {
    /// The next connection and where it comes from.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Origin)> {
        Ok(match self {
            Self::Tcp(socket) => {
                let (stream, address) = socket.accept().await?;
                stream.set_nodelay(true)?;
                (Stream::Tcp(stream), Origin::Ip(address.ip()))
            }
            Self::Unix(socket) => (Stream::Unix(socket.accept().await?.0), Origin::Unix),
        })
    }
}
