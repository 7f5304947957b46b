//! Scenario 12: what a second worker adds.

use crate::{
    drive::{self, Load, Script},
    figure::Quantity,
    peer::{Drive, Peer, PeerError, compare},
    report::{Bar, Section, quotient},
    stage::{Cast, Program, Stage},
};

const CAST: [(&str, Program, &str, u16); 6] = [
    ("wald 1", Program::Wald, "plain.yaml", 1),
    ("wald 2", Program::Wald, "plain.yaml", 2),
    ("nginx 1", Program::Nginx, "nginx.conf", 1),
    ("nginx 2", Program::Nginx, "nginx.conf", 2),
    ("envoy 1", Program::Envoy, "envoy.yaml", 1),
    ("envoy 2", Program::Envoy, "envoy.yaml", 2),
];

/// Cores that two workers, the backend and wrk need for themselves.
const CORES: usize = 4;

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let values = [("BACKEND", backend.port())];
    let peers = CAST.map(|(name, program, template, workers)| {
        stage.start(&Cast {
            name,
            program,
            template,
            workers,
            values: &values,
        })
    });
    let peers: Vec<Peer> = peers
        .into_iter()
        .filter_map(Result::transpose)
        .collect::<Result<_, _>>()?;
    let load = stage.load(Load {
        connections: 64,
        ..Load::FULL
    });
    let wrk: Drive<'_> = &|address, load| drive::wrk(address, load, &Script::Post);
    let driven: Vec<_> = peers.iter().map(|peer| (peer, wrk)).collect();
    let mut section = Section {
        name: "scaling",
        says: format!(
            "Scenario 12: scenario 1 with one worker and with two: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    let rate = |name| section.most(Quantity::PerSecond, &[name]);
    let cpu = |name| section.least(Quantity::CpuUs, &[name]);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (one, two) = (cpu("wald 1"), cpu("wald 2"));
    if cores < CORES {
        section.notes.push(format!(
            "This machine has {cores} cores, which wrk, the backend and the workers share: more workers cannot answer more here, and the bar cannot be judged. What can be seen is that a request costs with two workers what it costs with one: twice the rate of one worker for that quotient is what two could answer if each had a core."
        ));
        let could = quotient(one, two).map(|quotient| 2.0 * quotient);
        let says = "a second that two could answer ÷ one, wald, by CPU";
        section.bars.push(Bar::at_least(says, could, 1.8));
    } else {
        let figure = quotient(rate("wald 2"), rate("wald 1"));
        let says = "a second, wald 2 ÷ wald 1";
        section.bars.push(Bar::at_least(says, figure, 1.8));
    }
    Ok(section)
}
