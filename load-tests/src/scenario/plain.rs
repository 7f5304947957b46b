//! Scenario 1: HTTP/1.1 keep-alive, 32 connections, a JSON POST of 80 bytes, plain text on both sides.

use crate::{
    drive::{self, Load, Script},
    peer::{Drive, PeerError, compare},
    report::Section,
    stage::{Part, Program, Stage},
};

const CAST: [Part; 5] = [
    ("wald", Program::Wald, "plain.yaml"),
    ("nginx", Program::Nginx, "nginx.conf"),
    ("haproxy", Program::Haproxy, "haproxy.cfg"),
    ("envoy", Program::Envoy, "envoy.yaml"),
    ("floor", Program::Floor, ""),
];

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let peers = stage.cast(&CAST, &[("BACKEND", backend.port())])?;
    let load = stage.load(Load::FULL);
    let wrk: Drive<'_> = &|address, load| drive::wrk(address, load, &Script::Post);
    let driven: Vec<_> = peers.iter().map(|peer| (peer, wrk)).collect();
    let mut section = Section {
        name: "plain",
        says: format!(
            "Scenario 1: HTTP/1.1 keep-alive, a JSON POST of 80 bytes, plain. wrk as fast as one worker answers: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    section.cpu_bar("wald", &["nginx", "haproxy"], 1.0);
    section.cpu_bar("wald", &["floor"], 1.25);
    section.cpu_bar("wald", &["envoy"], 0.45);
    Ok(section)
}
