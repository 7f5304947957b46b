//! Scenario 4: unary gRPC over HTTP/2 without TLS, 100 streams on 4 connections.

use std::net::SocketAddr;

use crate::{
    behind::calls::Calls,
    drive::{self, DriveError, Load, Seen},
    peer::{Drive, PeerError, compare},
    report::Section,
    stage::{Part, Program, Stage},
};

const CAST: [Part; 4] = [
    ("wald", Program::Wald, "grpc.yaml"),
    ("nginx", Program::Nginx, "nginx-grpc.conf"),
    ("haproxy", Program::Haproxy, "haproxy-grpc.cfg"),
    ("envoy", Program::Envoy, "envoy-grpc.yaml"),
];

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let calls = Calls::start()?;
    let values = [("BACKEND", calls.address.port().to_string())];
    let peers = stage.cast(&CAST, &values)?;
    let load = stage.load(Load {
        connections: 4,
        ..Load::FULL
    });
    let drive: Drive<'_> = &|address, load| call(&calls, address, load);
    let driven: Vec<_> = peers.iter().map(|peer| (peer, drive)).collect();
    let mut section = Section {
        name: "grpc",
        says: format!(
            "Scenario 4: unary gRPC over HTTP/2 without TLS, a message of two bytes each way, 25 streams on each connection, to a server of this program. h2load as fast as one worker answers: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    section.cpu_bar("wald", &["envoy"], 0.7);
    section.cpu_bar("wald", &["nginx"], 1.0);
    Ok(section)
}

/// Drives a proxy, and believes it only if the server has seen as many calls: what a proxy refuses by itself has
/// the status 200 in gRPC, too.
fn call(calls: &Calls, address: SocketAddr, load: Load) -> Result<Seen, DriveError> {
    let before = calls.answered();
    let seen = drive::h2load(address, load)?;
    let answered = (calls.answered() - before) as f64;
    if answered < seen.requests {
        return Err(DriveError::NotArrived {
            arrived: answered,
            requests: seen.requests,
        });
    }
    Ok(seen)
}
