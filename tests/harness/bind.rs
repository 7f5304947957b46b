//! Sockets of servers that a journey starts.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

/// A socket of the loopback on a port that the system chose.
pub(crate) async fn bind() -> (TcpListener, SocketAddr) {
    bind_at((Ipv4Addr::LOCALHOST, 0).into()).await
}

/// A socket at this address.
pub(crate) async fn bind_at(address: SocketAddr) -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind(address).await;
    let socket = socket.expect("the address is free");
    let address = socket.local_addr().expect("a bound socket has an address");
    (socket, address)
}
