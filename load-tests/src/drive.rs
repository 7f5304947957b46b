//! Driving one peer with wrk, and reading what wrk saw.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use crate::{
    FOLDER,
    figure::{Quantity, Round},
    process::StartError,
};

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

impl Load {
    /// What a comparison runs: enough rounds for a median, half a minute for each peer.
    pub(crate) const FULL: Self = Self {
        connections: 32,
        seconds: 5,
        rounds: 7,
    };

    /// The same load for a second, before anything counts: caches, pools and branch predictors fill.
    pub(crate) fn warmed_up(self) -> Self {
        Self { seconds: 1, ..self }
    }

    /// How often and how long, for people.
    pub(crate) fn sentence(self) -> String {
        let Self {
            connections,
            seconds,
            rounds,
        } = self;
        format!("{rounds} interleaved rounds of {seconds} s, {connections} connections")
    }
}

/// What a driver saw in one round; the line that each script of `scenarios` prints.
#[derive(Deserialize)]
pub(crate) struct Seen {
    pub(crate) requests: f64,
    pub(crate) micros: f64,
    pub(crate) failures: u64,
    pub(crate) p50: Option<f64>,
    pub(crate) p99: Option<f64>,
    pub(crate) p999: Option<f64>,
}

impl Seen {
    /// The waits, where there are any.
    pub(crate) fn waits(&self) -> Round {
        let waits = [
            (Quantity::P50Us, self.p50),
            (Quantity::P99Us, self.p99),
            (Quantity::P999Us, self.p999),
        ];
        let known = waits.into_iter();
        known.filter_map(|(of, wait)| Some((of, wait?))).collect()
    }
}

/// What wrk sends.
pub(crate) enum Script {
    /// A small JSON POST.
    Post,
    /// The JSON in a file, to a path.
    Json { body: PathBuf, path: &'static str },
}

/// Drives `address` for one round. A single failed request spoils the round: a proxy that refuses is
/// quick, and its figure would be worth nothing.
pub(crate) fn wrk(address: SocketAddr, load: Load, script: &Script) -> Result<Seen, DriveError> {
    let (script, body, path) = match script {
        Script::Post => ("post.lua", Path::new(""), ""),
        Script::Json { body, path } => ("json.lua", body.as_path(), *path),
    };
    let output = Command::new("wrk")
        .env("BODY", body)
        .env("TARGET", path)
        .args(["--threads", "1", "--latency", "--timeout", "5s"])
        .args(["--connections", &load.connections.to_string()])
        .args(["--duration", &format!("{}s", load.seconds)])
        .arg("--script")
        .arg(Path::new(FOLDER).join("scenarios").join(script))
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

/// Streams that h2load has open on each connection.
const STREAMS: u16 = 25;

/// Drives `address` for one round with unary calls of gRPC.
pub(crate) fn h2load(address: SocketAddr, load: Load) -> Result<Seen, DriveError> {
    let message = Path::new(FOLDER).join("scenarios/message.grpc");
    let output = Command::new("h2load")
        .args(["--threads", "1"])
        .args(["--clients", &load.connections.to_string()])
        .args(["--max-concurrent-streams", &STREAMS.to_string()])
        .args(["--duration", &load.seconds.to_string()])
        .args(["--header", "content-type: application/grpc"])
        .args(["--header", "te: trailers"])
        .arg("--data")
        .arg(message)
        .arg(format!("http://{address}/bench.Echo/Say"))
        .stdin(Stdio::null())
        .output()
        .map_err(|source| StartError::new("h2load", source))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let counted = counts(&text).ok_or_else(|| DriveError::Unreadable {
        said: text.clone().into_owned(),
    })?;
    match counted {
        (succeeded, 0) if succeeded > 0 => Ok(Seen {
            requests: succeeded as f64,
            micros: 1e6 * f64::from(load.seconds),
            failures: 0,
            p50: None,
            p99: None,
            p999: None,
        }),
        (succeeded, failures) => Err(DriveError::Failures {
            failures,
            requests: succeeded as f64,
        }),
    }
}

/// Successes and failures that h2load counts.
fn counts(text: &str) -> Option<(u64, u64)> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("requests: "))?;
    let count = |name: &str| {
        let mut counts = line.split(", ");
        let count = counts.find_map(|count| count.strip_suffix(name))?;
        count.trim().parse::<u64>().ok()
    };
    let failures = count("failed")? + count("timeout")?;
    Some((count("succeeded")?, failures))
}

/// Why a round gave no figure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriveError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the driver printed no result but: {said}")]
    Unreadable { said: String },
    #[error("a connection broke")]
    Connection(#[source] std::io::Error),
    #[error("the server behind has seen {arrived} of {requests} requests")]
    NotArrived { arrived: f64, requests: f64 },
    #[error("{failures} of {requests} requests failed")]
    Failures { failures: u64, requests: f64 },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_h2load_counts_is_read() {
        let text = "finished in 5.00s, 10.00 req/s\nrequests: 60 total, 70 started, 60 done, 50 succeeded, 7 failed, 2 errored, 3 timeout\n";
        assert_eq!(counts(text), Some((50, 10)));
    }
}
