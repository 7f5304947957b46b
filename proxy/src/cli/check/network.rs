//! Whether the addresses of a document can be listened at, and its upstreams be reached.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use policy::{Policy, Upstream};
use tokio::net::{TcpListener, TcpStream};

use super::finding::{Finding, chain};
use crate::cli::client::Connection;

/// Looks at every address, one after the other.
pub(super) async fn look(policy: &Policy) -> Vec<Finding> {
    let running = is_served(policy.admin()).await;
    let mut findings = vec![listen("admin", policy.admin(), running).await];
    for listener in policy.listeners() {
        findings.push(listen(&format!("listener {}", listener.name), listener.address, running).await);
    }
    for upstream in policy.upstreams() {
        findings.extend(reach(upstream).await);
    }
    findings
}

/// Whether a Wald answers at the document's admin address: then it holds the ports.
async fn is_served(admin: SocketAddr) -> bool {
    match Connection::open(&admin.to_string()).await {
        Ok(mut connection) => connection.get::<serde_json::Value>("/api/v1/experiments").await.is_ok(),
        Err(_) => false,
    }
}

async fn listen(who: &str, address: SocketAddr, running: bool) -> Finding {
    let subject = format!("{who} {address}");
    match TcpListener::bind(address).await {
        Ok(_) => Finding::fine(subject, "free"),
        Err(taken) if taken.kind() == io::ErrorKind::AddrInUse && running => {
            Finding::fine(subject, "served by a running wald")
        }
        Err(taken) if taken.kind() == io::ErrorKind::AddrInUse => {
            Finding::failed(subject, "taken by another process", "stop it, or choose another address")
        }
        Err(error) => Finding::failed(subject, error.to_string(), "choose an address of this machine"),
    }
}

async fn reach(upstream: &Upstream) -> Vec<Finding> {
    let mut findings = Vec::with_capacity(upstream.endpoints.len());
    for endpoint in &upstream.endpoints {
        let subject = format!("upstream {} {}", upstream.name, endpoint.authority);
        findings.push(match connect(&endpoint.authority, upstream.timeouts.connect).await {
            Ok(()) => Finding::fine(subject, "accepts connections"),
            // Not a failure: an upstream may come up later, and Wald starts without it.
            Err(error) => Finding::doubtful(subject, chain(&error), "start it, or mend its endpoint"),
        });
    }
    findings
}

async fn connect(authority: &str, within: Duration) -> io::Result<()> {
    match tokio::time::timeout(within, TcpStream::connect(authority)).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {within:?}"))),
    }
}
