//! How long answers take at a rate that everybody can serve, plain and secure.

use std::time::Duration;

use crate::{
    credentials::Credentials,
    drive::Load,
    figure::Quantity,
    own,
    peer::{Drive, PeerError, compare},
    report::{Section, quotient},
    stage::{Part, Program, Stage},
};

const PLAIN: [Part; 5] = [
    ("wald", Program::Wald, "plain.yaml"),
    ("nginx", Program::Nginx, "nginx.conf"),
    ("haproxy", Program::Haproxy, "haproxy.cfg"),
    ("envoy", Program::Envoy, "envoy.yaml"),
    ("floor", Program::Floor, ""),
];

const SECURE: [Part; 3] = [
    ("wald secure", Program::Wald, "secure.yaml"),
    ("haproxy secure", Program::Haproxy, "haproxy-secure.cfg"),
    ("envoy secure", Program::Envoy, "envoy-secure.yaml"),
];

/// Between two requests of one connection: 32 connections send 2 000 a second.
const PACE: Duration = Duration::from_millis(16);

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let credentials = Credentials::make(&stage.folder)?;
    let values = [("BACKEND", backend.port())];
    let plain = stage.cast(&PLAIN, &values)?;
    let secure = stage.cast(&SECURE, &values)?;
    let load = stage.load(Load::FULL);
    let anyone: Drive<'_> = &|address, load| own::drive(address, load, None, Some(PACE));
    let known: Drive<'_> =
        &|address, load| own::drive(address, load, Some(&credentials), Some(PACE));
    let driven: Vec<_> = plain
        .iter()
        .map(|peer| (peer, anyone))
        .chain(secure.iter().map(|peer| (peer, known)))
        .collect();
    let mut section = Section {
        name: "paced",
        says: format!(
            "Scenarios 1 and 2 at 2 000 requests a second at random times (exponential gaps on each connection), measured from the time at which each was meant to be sent, so that what waits behind a slow answer counts as slow: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    let p99 = |name| section.least(Quantity::P99Us, &[name]);
    let figure = quotient(p99("wald"), p99("nginx"));
    section
        .notes
        .extend(figure.map(|figure| format!("p99, wald ÷ nginx: {figure:.2}.")));
    Ok(section)
}
