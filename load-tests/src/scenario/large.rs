//! Scenario 6: JSON bodies of 1 MiB, sent where the `model` in them says.

use std::{
    fmt::Write as _,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::{
    behind::reader,
    drive::{self, Load, Script},
    figure::{Quantity, Round, Row},
    peer::{Drive, Peer, PeerError, compare},
    report::{Bar, Section},
    stage::{Part, Program, Stage},
};

const CAST: [Part; 4] = [
    ("wald", Program::Wald, "large.yaml"),
    ("nginx", Program::Nginx, "nginx-large.conf"),
    ("haproxy", Program::Haproxy, "haproxy.cfg"),
    ("envoy", Program::Envoy, "envoy.yaml"),
];

/// Bytes of a body.
const BODY: usize = 1 << 20;

/// How often memory is looked at.
const LOOKS: Duration = Duration::from_millis(100);

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let source = reader::start()?;
    let values = [("BACKEND", source.port().to_string())];
    let peers = stage.cast(&CAST, &values)?;
    let load = stage.load(Load {
        connections: 16,
        ..Load::FULL
    });
    let body = stage.folder.join("body.json");
    fs::write(&body, text()?)?;
    let path = "/v1/chat/completions";
    let script = Script::Json { body, path };
    let grown = peers
        .iter()
        .map(|peer| growth(peer, load, &script))
        .collect::<Result<Vec<_>, _>>()?;
    let wrk: Drive<'_> = &|address, load| drive::wrk(address, load, &script);
    let driven: Vec<_> = peers.iter().map(|peer| (peer, wrk)).collect();
    let mut rows = compare(&driven, load)?;
    for (row, grown) in rows.iter_mut().zip(grown) {
        row.figures.extend(grown.figures);
    }
    let mut section = Section {
        name: "large",
        says: format!(
            "Scenario 6: POST of 1 MiB of JSON to a server of this program that reads it all. wald routes by the `model` in the body, the others look at the path; what memory grows by under load is for each connection. wrk: {}.",
            load.sentence()
        ),
        rows,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    section.rate_bar("wald", &["nginx"], 0.95);
    let grown = section.least(Quantity::EachKib, &["wald"]);
    let says = "KiB for a request, wald";
    section.bars.push(Bar::at_most(says, grown, 128.0));
    Ok(section)
}

/// What a chat with an image has: the model's name first, then much of something else.
fn text() -> Result<String, PeerError> {
    let mut text =
        r#"{"model":"digits","inputs":[{"name":"x","datatype":"FP32","data":["#.to_owned();
    let mut number = 0_u32;
    while text.len() + 16 < BODY {
        write!(text, "0.{number:06},").map_err(std::io::Error::other)?;
        number += 1;
    }
    text.push_str("0]}]}");
    Ok(text)
}

/// The most that a peer's memory grows by in its first round, for each connection.
fn growth(peer: &Peer, load: Load, script: &Script) -> Result<Row, PeerError> {
    let before = peer.process.resident_kib()?;
    let is_over = AtomicBool::new(false);
    let (seen, most) = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut most: f64 = 0.0;
            while !is_over.load(Ordering::Relaxed) {
                // A look that fails finds nothing; the next one does.
                most = most.max(peer.process.resident_kib().unwrap_or_default());
                thread::sleep(LOOKS);
            }
            most
        });
        let seen = drive::wrk(peer.address, load, script);
        is_over.store(true, Ordering::Relaxed);
        (seen, looking.join())
    });
    seen?;
    let most = most.map_err(|_| std::io::Error::other("memory could not be looked at"))?;
    let each = (most - before) / f64::from(load.connections);
    Ok(Row::of(
        peer.name,
        &[Round::from([(Quantity::EachKib, each)])],
    ))
}
