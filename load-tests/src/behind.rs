//! Servers of ours behind the proxies, for what nginx cannot be: slow, speaking gRPC, telling events. Each has a
//! thread of its own until this program ends.

pub(crate) mod calls;
pub(crate) mod events;
pub(crate) mod reader;
pub(crate) mod slow;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    thread,
};

use tokio::{net::TcpListener, runtime::Builder};

/// Binds a socket and serves it on a new thread.
fn start<S>(serve: impl FnOnce(TcpListener) -> S + Send + 'static) -> io::Result<SocketAddr>
where
    S: Future<Output = ()>,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let address = listener.local_addr()?;
    thread::spawn(move || runtime.block_on(serve(listener)));
    Ok(address)
}
