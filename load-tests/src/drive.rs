//! Driving one peer with wrk, and reading what wrk saw.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{FOLDER, process::StartError};

/// How hard and how long a peer is driven.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Load {
    /// Keep-alive connections, each with one request at a time.
    pub(crate) connections: u16,
    /// Length of one round.
    pub(crate) seconds: u16,
    /// Rounds for each peer.
    pub(crate) rounds: u16,
}

/// What wrk saw in one round; the line that each script of `scenarios` prints.
#[derive(Deserialize)]
pub(crate) struct Seen {
    pub(crate) requests: f64,
    pub(crate) micros: f64,
    pub(crate) failures: u64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// What wrk sends.
#[derive(Clone)]
pub(crate) enum Script {
    /// A small JSON POST.
    Post,
    /// The inference request in this file.
    Infer(PathBuf),
}

/// Drives `address` for one round. A single failed request spoils the round: a proxy that refuses is
/// quick, and its figure would be worth nothing.
pub(crate) fn drive(address: SocketAddr, load: Load, script: &Script) -> Result<Seen, DriveError> {
    let (script, body) = match script {
        Script::Post => ("scenarios/post.lua", Path::new("")),
        Script::Infer(body) => ("scenarios/infer.lua", body.as_path()),
    };
    let output = Command::new("wrk")
        .env("BODY", body)
        .args(["--threads", "1", "--latency", "--timeout", "5s"])
        .args(["--connections", &load.connections.to_string()])
        .args(["--duration", &format!("{}s", load.seconds)])
        .arg("--script")
        .arg(Path::new(FOLDER).join(script))
        .arg(format!("http://{address}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| StartError::new("wrk", source))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rev().find(|line| line.starts_with('{'));
    let seen: Seen = line
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| DriveError::Unreadable {
            said: text.into_owned(),
        })?;
    match seen.failures {
        0 if seen.requests > 0.0 => Ok(seen),
        failures => Err(DriveError::Failures {
            failures,
            requests: seen.requests,
        }),
    }
}

/// Why a round gave no figure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("wrk printed no result but: {said}")]
    Unreadable { said: String },
    #[error("a connection broke")]
    Connection(#[source] std::io::Error),
    #[error("{failures} of {requests} requests failed")]
    Failures { failures: u64, requests: f64 },
}
