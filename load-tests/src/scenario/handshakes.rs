//! Scenario 7: whole TLS 1.3 handshakes with a client certificate, each with one request that the proxy answers itself.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{runtime::Builder, task::JoinSet};

use crate::{
    ask::ask,
    credentials::Credentials,
    drive::{DriveError, Load, Seen},
    figure::Quantity,
    peer::{Drive, Peer, PeerError, compare},
    report::{Bar, Section, quotient},
    stage::{Part, Program, Stage},
    tls::Afresh,
};

const CAST: [Part; 4] = [
    ("wald", Program::Wald, "handshakes.yaml"),
    ("nginx", Program::Nginx, "nginx-tls.conf"),
    ("haproxy", Program::Haproxy, "haproxy-tls.cfg"),
    ("envoy", Program::Envoy, "envoy-tls.yaml"),
];

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    Credentials::make(&stage.folder)?;
    let client = Afresh::new(&stage.folder)?;
    let peers = start(stage)?;
    let load = stage.load(Load {
        connections: 16,
        ..Load::FULL
    });
    let drive: Drive<'_> = &|address, load| {
        let driven = shake(address, load, &client);
        driven.map_err(DriveError::Connection)
    };
    let driven: Vec<_> = peers.iter().map(|peer| (peer, drive)).collect();
    let mut section = Section {
        name: "handshakes",
        says: format!(
            "Scenario 7: whole TLS 1.3 handshakes (X25519, certificates of P-256 on both sides, nothing resumed), each with one request that the proxy answers itself. By one thread of this program: {} at a time.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: vec![
            "A client of this program pays about as much for a handshake as a server does, so that it is the limit, and handshakes a second say nothing; handshakes for a second of CPU are the rate of a worker that has a core.".to_owned(),
        ],
    };
    let cpu = |name| section.least(Quantity::CpuUs, &[name]);
    let figure = quotient(cpu("haproxy"), cpu("wald"));
    let says = "handshakes for a second of CPU, wald ÷ haproxy";
    section.bars.push(Bar::at_least(says, figure, 1.0));
    Ok(section)
}

/// Everybody who serves TLS, answering by itself.
pub(super) fn start(stage: &Stage) -> Result<Vec<Peer>, PeerError> {
    stage.cast(&CAST, &[])
}

fn shake(address: SocketAddr, load: Load, client: &Afresh) -> io::Result<Seen> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let begun = Instant::now();
        let until = begun + Duration::from_secs(load.seconds.into());
        let mut tasks = JoinSet::new();
        for _ in 0..load.connections {
            let client = client.clone();
            tasks.spawn(async move {
                let mut shaken = 0_u64;
                while Instant::now() < until {
                    let mut stream = client.connect(address).await?;
                    ask(&mut stream).await?;
                    shaken += 1;
                }
                io::Result::Ok(shaken)
            });
        }
        let mut shaken = 0;
        while let Some(task) = tasks.join_next().await {
            shaken += task.map_err(io::Error::other)??;
        }
        Ok(Seen {
            requests: shaken as f64,
            micros: 1e6 * begun.elapsed().as_secs_f64(),
            failures: 0,
            p50: None,
            p99: None,
            p999: None,
        })
    })
}
