//! Scenario 10: scenario 2 with a document of 1 000 routes and 100 experiments, whose last route is the one in use.

use std::{fmt::Write as _, fs, io, path::Path};

use crate::{
    FOLDER,
    credentials::Credentials,
    drive::Load,
    figure::Quantity,
    own,
    peer::{Drive, Peer, PeerError, compare},
    report::{Bar, Section, quotient},
    stage::{Cast, Program, Stage},
};

/// Routes before the one in use; every tenth asks for an experiment of its own.
const MORE: usize = 999;
const OF_EACH_EXPERIMENT: usize = 10;

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let credentials = Credentials::make(&stage.folder)?;
    let document = stage.folder.join("template.yaml");
    fs::write(&document, crowded()?)?;
    let peers = [
        start(stage, &backend, "one route", Path::new("secure.yaml"))?,
        start(stage, &backend, "many", &document)?,
    ];
    let load = stage.load(Load::FULL);
    let known: Drive<'_> = &|address, load| own::drive(address, load, Some(&credentials), None);
    let peers = peers.iter().flatten();
    let driven: Vec<_> = peers.map(|peer| (peer, known)).collect();
    let mut section = Section {
        name: "many",
        says: format!(
            "Scenario 10: Wald in scenario 2, with its document and with one of 1 000 routes and 100 experiments, whose last route is the one in use: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    let cpu = |name| section.least(Quantity::CpuUs, &[name]);
    let figure = quotient(cpu("many"), cpu("one route"));
    let says = "CPU, many ÷ one route";
    section.bars.push(Bar::at_most(says, figure, 1.05));
    Ok(section)
}

/// Wald with the document of scenario 2 or a longer one.
pub(super) fn start(
    stage: &Stage,
    backend: &Peer,
    name: &'static str,
    template: &Path,
) -> Result<Option<Peer>, PeerError> {
    stage.start(&Cast {
        name,
        program: Program::Wald,
        template: &template.to_string_lossy(),
        workers: 1,
        values: &[("BACKEND", backend.port())],
    })
}

/// `scenarios/secure.yaml` with all the others before its route and its experiment.
pub(super) fn crowded() -> io::Result<String> {
    let text = fs::read_to_string(Path::new(FOLDER).join("scenarios/secure.yaml"))?;
    let (mut routes, mut experiments) = (String::new(), String::new());
    for at in 0..MORE {
        let backend = if at % OF_EACH_EXPERIMENT == 0 && at > 0 {
            // One of these and the one of the document are 100.
            write_experiment(&mut experiments, at).map_err(io::Error::other)?;
            format!("experiment: of-{at}")
        } else {
            "upstream: steady".to_owned()
        };
        writeln!(
            routes,
            "  - {{ name: model-{at}, match: {{ path: {{ prefix: /v2/models/model-{at} }} }}, allow: [{{ issuer: https://issuer.test }}], backend: {{ {backend} }} }}"
        )
        .map_err(io::Error::other)?;
    }
    Ok(text
        .replacen("\nroutes:\n", &format!("\nroutes:\n{routes}"), 1)
        .replacen(
            "\nexperiments:\n",
            &format!("\nexperiments:\n{experiments}"),
            1,
        ))
}

fn write_experiment(to: &mut String, at: usize) -> std::fmt::Result {
    writeln!(
        to,
        "  - name: of-{at}
    unit: {{ claim: sub }}
    arms: [{{ name: steady, backend: {{ upstream: steady }} }}, {{ name: new, backend: {{ upstream: new }} }}]
    ramp: [10%]
    metrics:
      - {{ name: errors, kind: proportion, source: failed, better: lower, role: goal }}"
    )
}
