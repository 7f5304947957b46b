//! Scenario 5: server-sent events, 200 streams with 50 events a second each.

use std::{net::SocketAddr, time::Instant};

use crate::{
    behind::events,
    drive::Load,
    figure::{Quantity, Row},
    listen::listen,
    peer::{Drive, PeerError, compare},
    report::{Bar, Section},
    stage::{Part, Program, Stage},
};

const CAST: [Part; 4] = [
    ("wald", Program::Wald, "stream.yaml"),
    ("nginx", Program::Nginx, "nginx-stream.conf"),
    ("haproxy", Program::Haproxy, "haproxy-stream.cfg"),
    ("envoy", Program::Envoy, "envoy-stream.yaml"),
];

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let origin = Instant::now();
    let source = events::start(origin)?;
    let values = [("BACKEND", source.port().to_string())];
    let peers = stage.cast(&CAST, &values)?;
    let load = Load {
        connections: if stage.is_short { 20 } else { 200 },
        ..stage.load(Load::FULL)
    };
    let drive: Drive<'_> = &|address, load| listen(address, load, origin);
    let driven: Vec<_> = peers.iter().map(|peer| (peer, drive)).collect();
    let mut rows = compare(&driven, load)?;
    rows.push(direct(source, load, origin)?);
    let mut section = Section {
        name: "stream",
        says: format!(
            "Scenario 5: server-sent events over HTTP/1.1, 50 a second and stream at times of their own, from a server of this program; how long after it was sent each event arrives, and CPU for each event. direct has no proxy between: {}.",
            load.sentence()
        ),
        rows,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    let direct = section.least(Quantity::P99Us, &["direct"]);
    let added = |name| {
        let all = section.least(Quantity::P99Us, &[name]);
        all.zip(direct).map(|(all, direct)| all - direct)
    };
    let (ours, theirs) = (added("wald"), added("nginx"));
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        section.notes.push(format!(
            "p99 beyond that of the direct way: wald {ours:.0} µs, nginx {theirs:.0} µs."
        ));
    }
    let slower = ours.zip(theirs).map(|(ours, theirs)| ours - theirs);
    let says = "added p99 in µs, wald − nginx";
    let waited = Bar::at_most(says, slower, 0.0);
    section.bars.push(waited);
    section.cpu_bar("wald", &["envoy"], 0.7);
    Ok(section)
}

/// The same without a proxy.
fn direct(source: SocketAddr, load: Load, origin: Instant) -> Result<Row, PeerError> {
    let mut rounds = Vec::new();
    for _ in 0..load.rounds {
        rounds.push(listen(source, load, origin)?.waits());
    }
    Ok(Row::of("direct", &rounds))
}
