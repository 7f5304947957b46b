//! Scenario 11: the document of scenario 10 is read anew while 5 000 requests a second go on.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, kill_process};

use crate::{
    credentials::Credentials,
    drive::{DriveError, Load},
    figure::{Quantity, Round, Row},
    own::{self, Answered},
    peer::{Peer, PeerError},
    report::{Bar, Section, quotient},
    scenario::many,
    stage::Stage,
};

/// Between two requests of one connection: 32 connections send 5 000 a second.
const PACE: Duration = Duration::from_micros(6400);

/// When the document changes, from the beginning of a round.
const AT: Duration = Duration::from_secs(3);

/// What is looked at, before and after.
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let credentials = Credentials::make(&stage.folder)?;
    let document = stage.folder.join("template.yaml");
    fs::write(&document, many::crowded()?)?;
    let wald = many::start(stage, &backend, "wald", &document)?;
    let wald = wald.ok_or(PeerError::Missing("wald"))?;
    let rounds = stage.load(Load::FULL).rounds;
    let load = Load {
        connections: 32,
        seconds: 6,
        rounds,
    };
    let (mut before, mut during, mut failures) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        let reloaded = reload_under_load(stage, &wald, &credentials, load, round)?;
        before.push(reloaded.before);
        during.push(reloaded.during);
        failures += reloaded.failures;
    }
    let mut section = Section {
        name: "reload",
        says: format!(
            "Scenario 11: the document of scenario 10 is changed (a route more, SIGHUP) under 5 000 requests a second at random times, measured from the time at which each was meant to be sent; the second before and the second that begins with the signal, {rounds} times."
        ),
        rows: vec![Row::of("before", &before), Row::of("reload", &during)],
        bars: Vec::new(),
        notes: Vec::new(),
    };
    let failed = Bar::at_most("requests that failed", Some(failures as f64), 0.0);
    let p99 = |name| section.least(Quantity::P99Us, &[name]);
    let figure = quotient(p99("reload"), p99("before"));
    let waited = Bar::at_most("p99, reload ÷ before", figure, 1.5);
    section.bars.extend([failed, waited]);
    Ok(section)
}

struct Reloaded {
    before: Round,
    during: Round,
    failures: u64,
}

fn reload_under_load(
    stage: &Stage,
    wald: &Peer,
    credentials: &Credentials,
    load: Load,
    round: u16,
) -> Result<Reloaded, PeerError> {
    let file = stage.folder.join("wald.yaml");
    let loaded = loads(&stage.folder)?;
    let (changed, driven) = thread::scope(|scope| {
        let changing = scope.spawn(|| {
            thread::sleep(AT);
            let at = Instant::now();
            let text = fs::read_to_string(&file)?;
            let route = format!(
                "\nroutes:\n  - {{ name: new-{round}, match: {{ path: {{ prefix: /new-{round} }} }}, allow: [{{ callers: anyone }}], backend: {{ upstream: new }} }}\n"
            );
            fs::write(&file, text.replacen("\nroutes:\n", &route, 1))?;
            kill_process(wald.process.id(), Signal::HUP)?;
            std::io::Result::Ok(at)
        });
        let driven = own::answers(wald.address, load, Some(credentials), Some(PACE));
        (changing.join(), driven)
    });
    let at = changed.map_err(|_| PeerError::Unchanged)??;
    let (answered, failures) = driven?;
    if loads(&stage.folder)? == loaded {
        return Err(PeerError::Unchanged);
    }
    let within = |from: Instant| {
        let of = answered
            .iter()
            .filter(move |answered| answered.meant >= from && answered.meant < from + SECOND);
        waits(of)
    };
    Ok(Reloaded {
        before: within(at - SECOND)?,
        during: within(at)?,
        failures,
    })
}

fn waits<'a>(answered: impl Iterator<Item = &'a Answered>) -> Result<Round, DriveError> {
    let took: Vec<Duration> = answered.map(|answered| answered.took).collect();
    let waits = own::percentiles(took.iter().copied());
    let [Some(p50), Some(p99), Some(p999)] = waits else {
        return Err(DriveError::Failures {
            failures: 0,
            requests: 0.0,
        });
    };
    Ok(Round::from([
        (Quantity::PerSecond, took.len() as f64),
        (Quantity::P50Us, p50),
        (Quantity::P99Us, p99),
        (Quantity::P999Us, p999),
    ]))
}

/// How often Wald says that it has put a document in force.
fn loads(folder: &Path) -> std::io::Result<usize> {
    let log = fs::read_to_string(folder.join("wald.log"))?;
    Ok(log.matches("reloaded").count())
}
