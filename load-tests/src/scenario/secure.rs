//! Scenarios 2 and 3: the POST of scenario 1 where everybody proves who they are, and what that adds to TLS.

use crate::{
    credentials::Credentials,
    drive::Load,
    figure::Quantity,
    own,
    peer::{Drive, PeerError, compare},
    report::{Bar, Section},
    stage::{Part, Program, Stage},
};

const CAST: [Part; 5] = [
    ("wald", Program::Wald, "secure.yaml"),
    ("wald-tls", Program::Wald, "tls.yaml"),
    ("haproxy", Program::Haproxy, "haproxy-secure.cfg"),
    ("envoy", Program::Envoy, "envoy-secure.yaml"),
    ("wald-plain", Program::Wald, "plain.yaml"),
];

/// Those that want no token. All others must refuse whoever has none, or their figures would say nothing.
const ASKS_NOTHING: [&str; 2] = ["wald-tls", "wald-plain"];

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let credentials = Credentials::make(&stage.folder)?;
    let values = [("BACKEND", backend.port())];
    let peers = stage.cast(&CAST, &values)?;
    let asking = peers
        .iter()
        .filter(|peer| !ASKS_NOTHING.contains(&peer.name));
    for peer in asking {
        if own::lets_in_without_token(peer.address, &credentials)? {
            return Err(PeerError::Open(peer.name));
        }
    }
    let load = stage.load(Load::FULL);
    let known: Drive<'_> = &|address, load| own::drive(address, load, Some(&credentials), None);
    let plain: Drive<'_> = &|address, load| own::drive(address, load, None, None);
    let driven: Vec<_> = peers
        .iter()
        .map(|peer| match peer.name {
            "wald-plain" => (peer, plain),
            _ => (peer, known),
        })
        .collect();
    let mut section = Section {
        name: "secure",
        says: format!(
            "Scenarios 2 and 3: the POST of scenario 1 over TLS 1.3 with a client certificate, an RS256 token of one of 32 users, authorization by workload, issuer and claim, and 90/10 between two arms by user; wald with the evidence of an experiment and all metrics. wald-tls does TLS and client certificates alone, wald-plain nothing of it. No access log: Wald has none yet. Driven by this program as fast as one worker answers: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: vec![
            "envoy remembers verified tokens (jwt_cache_config); haproxy verifies each, and knows its client by the certificate's common name, because 2.6 reads no URI of it.".to_owned(),
        ],
    };
    section.cpu_bar("wald", &["haproxy", "envoy"], 0.5);
    let cpu = |name| section.least(Quantity::CpuUs, &[name]);
    let added = cpu("wald").zip(cpu("wald-tls")).map(|(all, tls)| all - tls);
    let says = "CPU µs, wald − wald-tls";
    section.bars.push(Bar::at_most(says, added, 2.5));
    Ok(section)
}
