//! Sockets of servers that a journey starts.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

/// A socket of the loopback on a port that the system chose.
pub(crate) async fn bind() -> (TcpListener, SocketAddr) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let socket = socket.expect("a port is free");
    let address = socket.local_addr().expect("a bound socket has an address");
    (socket, address)
}
