//! Listening sockets: one for each worker on the same address, so that the kernel spreads connections and
//! no worker waits for another.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted. The kernel lowers it to its own `somaxconn`.
const BACKLOG: i32 = 4096;

/// `count` sockets on one address. Port 0 takes a free port, the same for all.
pub(crate) fn shared(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let address = prove_free(address)?;
    (0..count).map(|_| listen(address)).collect()
}

/// The one socket on an address.
pub(crate) fn alone(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Fails if anyone listens there. With `SO_REUSEPORT` alone a second process of the same user would silently
/// take half of the connections.
fn prove_free(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)?;
    TcpListener::from(socket).local_addr()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_share_one_free_port() {
        let sockets = shared("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let ports: Vec<u16> = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap().port())
            .collect();
        assert_eq!(ports.len(), 3);
        assert!(
            ports[0] != 0 && ports.iter().all(|port| *port == ports[0]),
            "{ports:?}"
        );
    }

    #[test]
    fn an_address_in_use_is_refused_even_if_its_owner_shares_it() {
        let first = shared("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let error = shared(first[0].local_addr().unwrap(), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
