//! What those who wait notice of shadows: at a fixed rate, every request copied to one that is slow, silent or dead.

use std::{net::SocketAddr, time::Duration};

use crate::{
    behind::slow,
    drive::Load,
    figure::Quantity,
    own,
    peer::{Drive, Peer, PeerError, compare},
    report::{Bar, Section, quotient},
    stage::{Cast, Program, Stage, free_address},
};

/// How long a slow shadow takes, and one that never answers before anybody has stopped waiting.
const SLOW: Duration = Duration::from_millis(200);
const NEVER: Duration = Duration::from_secs(3600);

/// How long each connection waits between requests, in the mean.
const PACE: Duration = Duration::from_millis(40);

/// What a client may notice of a shadow: a twentieth.
const NOTICED: f64 = 1.05;

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let peers = [
        start(stage, &backend, "none", None)?,
        start(stage, &backend, "slow", Some(slow::start(SLOW)?))?,
        start(stage, &backend, "silent", Some(slow::start(NEVER)?))?,
        start(stage, &backend, "dead", Some(free_address()?))?,
    ];
    let load = stage.load(Load::FULL);
    let paced: Drive<'_> = &|address, load| own::drive(address, load, None, Some(PACE));
    let peers = peers.iter().flatten();
    let driven: Vec<_> = peers.map(|peer| (peer, paced)).collect();
    let mut section = Section {
        name: "shadow",
        says: format!(
            "The POST of scenario 1 at 25 requests a second and connection at random times (exponential gaps), every request copied to a shadow that answers after 200 ms (slow), never (silent), or is not there (dead), beside Wald without a shadow: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    for peer in ["slow", "silent", "dead"] {
        for (name, wait) in [("p50", Quantity::P50Us), ("p99", Quantity::P99Us)] {
            let figure = quotient(section.least(wait, &[peer]), section.least(wait, &["none"]));
            let says = format!("waiting, {peer} ÷ none, {name}");
            section.bars.push(Bar::at_most(says, figure, NOTICED));
        }
    }
    Ok(section)
}

fn start(
    stage: &Stage,
    backend: &Peer,
    name: &'static str,
    shadow: Option<SocketAddr>,
) -> Result<Option<Peer>, PeerError> {
    let port = shadow.map_or(0, |shadow| shadow.port());
    stage.start(&Cast {
        name,
        program: Program::Wald,
        template: if shadow.is_some() {
            "shadowed.yaml"
        } else {
            "plain.yaml"
        },
        workers: 1,
        values: &[("BACKEND", backend.port()), ("SHADOW", port.to_string())],
    })
}
