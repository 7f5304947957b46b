//! Scenario 9: every request copied to a second server.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use crate::{
    drive::{self, DriveError, Load, Script, Seen},
    peer::{Drive, PeerError, compare},
    report::Section,
    stage::{Part, Program, Stage},
};

const CAST: [Part; 3] = [
    ("wald", Program::Wald, "mirror.yaml"),
    ("nginx", Program::Nginx, "nginx-mirror.conf"),
    ("envoy", Program::Envoy, "envoy-mirror.yaml"),
];

/// Copies that have to arrive for a round to count.
const COPIED: f64 = 0.99;

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    let backend = stage.backend()?;
    let shadow = stage.backend_named("shadow")?;
    let values = [("BACKEND", backend.port()), ("SHADOW", shadow.port())];
    let peers = stage.cast(&CAST, &values)?;
    let load = stage.load(Load::FULL);
    let drive: Drive<'_> = &|address, load| copied(shadow.address, address, load);
    let driven: Vec<_> = peers.iter().map(|peer| (peer, drive)).collect();
    let mut section = Section {
        name: "mirror",
        says: format!(
            "Scenario 9: the POST of scenario 1, and every request copied to a second server; the round counts if 99% of the copies have arrived. haproxy copies only with a helper and is left out. wrk as fast as one worker answers: {}.",
            load.sentence()
        ),
        rows: compare(&driven, load)?,
        bars: Vec::new(),
        notes: vec![
            "wald also compares both answers of each pair; nginx and envoy throw the second one away.".to_owned(),
        ],
    };
    section.cpu_bar("wald", &["envoy"], 0.7);
    Ok(section)
}

/// Drives a proxy, and believes it only if the shadow has had its copies.
fn copied(shadow: SocketAddr, address: SocketAddr, load: Load) -> Result<Seen, DriveError> {
    let before = served(shadow).map_err(DriveError::Connection)?;
    let seen = drive::wrk(address, load, &Script::Post)?;
    let copies = served(shadow).map_err(DriveError::Connection)? - before;
    if copies < COPIED * seen.requests {
        return Err(DriveError::NotArrived {
            arrived: copies,
            requests: seen.requests,
        });
    }
    Ok(seen)
}

/// How many requests a backend says that it has had: the third number below "server accepts handled requests".
fn served(backend: SocketAddr) -> io::Result<f64> {
    let mut stream = TcpStream::connect(backend)?;
    stream.write_all(b"GET /served HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, counts) = answer
        .split_once("requests\n")
        .ok_or_else(|| io::Error::other("the backend does not say what it has served"))?;
    let count = counts.split_whitespace().nth(2);
    let count = count.and_then(|count| count.parse().ok());
    count.ok_or_else(|| io::Error::other("the backend counts in another form"))
}
