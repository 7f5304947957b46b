//! Instructions of a request, counted by callgrind: no measure of time, but nearly the same number each time.

use std::{fs, io};

use crate::{
    credentials::Credentials,
    figure::{Quantity, Round, Row},
    own,
    peer::PeerError,
    report::Section,
    stage::{Cast, Part, Program, Stage},
};

/// nginx has one process here: callgrind counts one.
const CAST: [Part; 7] = [
    ("wald", Program::Wald, "plain.yaml"),
    ("nginx", Program::Nginx, "nginx-alone.conf"),
    ("haproxy", Program::Haproxy, "haproxy.cfg"),
    ("floor", Program::Floor, ""),
    ("wald tls", Program::Wald, "tls.yaml"),
    ("wald secure", Program::Wald, "secure.yaml"),
    ("haproxy secure", Program::Haproxy, "haproxy-secure.cfg"),
];

/// Connections, and requests on each in a run that is little and in one that is much: their difference has neither
/// start nor end in it.
const CONNECTIONS: u16 = 8;
const LITTLE: u32 = 200;
const MUCH: u32 = 1200;

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let credentials = Credentials::make(&stage.folder)?;
    let mut rows = Vec::new();
    for (name, program, template) in CAST {
        let cast = Cast {
            name,
            program,
            template,
            workers: 1,
            values: &[("BACKEND", backend.port())],
        };
        let known = matches!(template, "tls.yaml" | "secure.yaml" | "haproxy-secure.cfg");
        let known = known.then_some(&credentials);
        let (Some(little), Some(much)) = (
            count(stage, &cast, LITTLE, known)?,
            count(stage, &cast, MUCH, known)?,
        ) else {
            continue;
        };
        let requests = f64::from(CONNECTIONS) * f64::from(MUCH - LITTLE);
        let of_one = (much - little) / requests;
        eprintln!("{name:<14} {of_one:8.0} instructions");
        let round = Round::from([(Quantity::Instructions, of_one)]);
        rows.push(Row::of(name, &[round]));
    }
    Ok(Section {
        name: "instructions",
        says: format!(
            "Instructions in user space of a request of scenarios 1 and 2, counted by callgrind: {MUCH} requests on each of {CONNECTIONS} connections, less those of {LITTLE}. Envoy is left out: it does not run there in reasonable time."
        ),
        rows,
        bars: Vec::new(),
        notes: Vec::new(),
    })
}

/// All instructions of a peer that answers so many requests, from its start to its end.
fn count(
    stage: &Stage,
    cast: &Cast<'_>,
    requests: u32,
    credentials: Option<&Credentials>,
) -> Result<Option<f64>, PeerError> {
    let Some(peer) = stage.start_counted(cast, "count.log")? else {
        return Ok(None);
    };
    own::exactly(peer.address, CONNECTIONS, requests, credentials)?;
    // It writes its count when it ends.
    drop(peer);
    let said = fs::read_to_string(stage.folder.join("count.log"))?;
    let count = collected(&said).ok_or_else(|| {
        io::Error::other(format!("callgrind does not say what it counted: {said}"))
    })?;
    Ok(Some(count))
}

/// The number behind "Collected".
fn collected(said: &str) -> Option<f64> {
    let (_, count) = said.split_once("Collected : ")?;
    count.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_callgrind_is_read() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(said), Some(1_234_567.0));
    }
}
