//! Whether the addresses of a document can be listened at, and its upstreams be reached.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use policy::{Address, Endpoint, Listener, Policy, Upstream};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::finding::Finding;
use crate::causes::causes;
use crate::cli::client::Connection;

/// Looks at every address, one after the other.
pub(super) async fn look(policy: &Policy) -> Vec<Finding> {
    let admin = policy.admin();
    let running = is_served(admin).await;
    let mut findings = vec![listen("admin", admin.address, running).await];
    for listener in policy.listeners() {
        let who = format!("listener {}", listener.name);
        findings.push(match &listener.address {
            Address::Tcp(address) => listen(&who, *address, running).await,
            Address::Unix(path) => socket(&who, path, running).await,
        });
    }
    for upstream in policy.upstreams() {
        findings.extend(reach(upstream, policy.listeners()).await);
    }
    findings
}

/// Whether a Wald answers at the document's admin address: then it holds the ports.
async fn is_served(admin: &policy::Admin) -> bool {
    let address = admin.address.to_string();
    if !admin.is_open() || admin.tls.is_some() {
        // It does not tell strangers who it is.
        return TcpStream::connect(admin.address).await.is_ok();
    }
    match Connection::open(&address).await {
        Ok(mut connection) => connection
            .get::<serde_json::Value>("/api/v1/experiments")
            .await
            .is_ok(),
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
        Err(taken) if taken.kind() == io::ErrorKind::AddrInUse => Finding::failed(
            subject,
            "taken by another process",
            "stop it, or choose another address",
        ),
        Err(error) => Finding::failed(
            subject,
            error.to_string(),
            "choose an address of this machine",
        ),
    }
}

/// Whether a socket can be made at this path.
async fn socket(who: &str, path: &Path, running: bool) -> Finding {
    let subject = format!("{who} unix://{}", path.display());
    let folder = path.parent().is_some_and(Path::is_dir);
    match UnixStream::connect(path).await {
        Ok(_) if running => Finding::fine(subject, "served by a running wald"),
        Ok(_) => Finding::failed(
            subject,
            "taken by another process",
            "stop it, or choose another path",
        ),
        Err(_) if !folder => Finding::failed(subject, "its folder is not there", "make the folder"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::fine(subject, "free"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Finding::fine(subject, "left behind, and will be replaced")
        }
        Err(error) => Finding::failed(subject, error.to_string(), "choose another path"),
    }
}

/// An upstream without a server that answers will not serve; one that lacks some of them will.
async fn reach(upstream: &Upstream, listeners: &[Listener]) -> Vec<Finding> {
    let mut answers = Vec::with_capacity(upstream.endpoints.len());
    for Endpoint { authority, .. } in &upstream.endpoints {
        let ours = listeners
            .iter()
            .find(|listener| listener.address.to_string() == *authority);
        let answer = match ours {
            Some(listener) => Ok(format!("listener {} of this document", listener.name)),
            None => connect(authority, upstream.timeouts.connect).await,
        };
        answers.push((format!("upstream {} {authority}", upstream.name), answer));
    }
    let alive = answers.iter().any(|(_, answer)| answer.is_ok());
    let judge = |(subject, answer): (String, io::Result<String>)| match answer {
        Ok(detail) => Finding::fine(subject, detail),
        Err(error) if alive => Finding::doubtful(subject, causes(&error), REMEDY),
        Err(error) => Finding::failed(subject, causes(&error), REMEDY),
    };
    answers.into_iter().map(judge).collect()
}

/// What to do about an endpoint that does not answer.
const REMEDY: &str = "start it, or mend its endpoint";

async fn connect(authority: &str, within: Duration) -> io::Result<String> {
    match tokio::time::timeout(within, TcpStream::connect(authority)).await {
        Ok(connected) => connected.map(|_| "accepts connections".to_owned()),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("no connection within {within:?}"),
        )),
    }
}
