//! Scenario 8: what a connection that nobody uses holds, over TLS and plain.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Builder,
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    ask::ask,
    credentials::Credentials,
    figure::{Quantity, Round, Row},
    peer::{Peer, PeerError},
    report::{Bar, Section, quotient},
    scenario::handshakes,
    stage::{Part, Program, Stage},
    tls::Afresh,
};

/// Connections that are opened at once: within the limits of everybody's listen queue.
const OPENING: usize = 64;

const PLAIN: [Part; 4] = [
    ("wald plain", Program::Wald, "idle.yaml"),
    ("nginx plain", Program::Nginx, "nginx-idle.conf"),
    ("haproxy plain", Program::Haproxy, "haproxy-idle.cfg"),
    ("envoy plain", Program::Envoy, "envoy-idle.yaml"),
];

pub(super) fn run(stage: &Stage) -> Result<Section, PeerError> {
    Credentials::make(&stage.folder)?;
    let client = Afresh::new(&stage.folder)?;
    let connections: u16 = if stage.is_short { 200 } else { 10_000 };
    let mut rows = Vec::new();
    for peer in handshakes::start(stage)? {
        rows.push(hold(&peer, connections, Some(&client))?);
    }
    for peer in stage.cast(&PLAIN, &[])? {
        rows.push(hold(&peer, connections, None)?);
    }
    let mut section = Section {
        name: "idle",
        says: format!(
            "Scenario 8: {connections} connections that have had one answer and stay open, over TLS 1.3 with a client certificate and plain. Memory is that of the whole process tree then, and what it has grown by for each connection."
        ),
        rows,
        bars: Vec::new(),
        notes: Vec::new(),
    };
    let memory = |name| section.least(Quantity::MemoryKib, &[name]);
    let figure = quotient(memory("wald"), memory("envoy"));
    let says = "resident, wald ÷ envoy";
    let over_tls = Bar::at_most(says, figure, 0.8);
    let plain = section.least(Quantity::EachKib, &["wald plain"]);
    let plain = Bar::at_most("KiB for a plain connection, wald", plain, 10.0);
    section.bars.extend([over_tls, plain]);
    Ok(section)
}

/// Opens the connections, and weighs the peer before and while they are there.
fn hold(peer: &Peer, connections: u16, client: Option<&Afresh>) -> Result<Row, PeerError> {
    let before = peer.process.resident_kib()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let open = runtime.block_on(open(peer.address, connections, client))?;
    let after = peer.process.resident_kib()?;
    eprintln!("{:<14} {after:8.0} KiB", peer.name);
    drop(open);
    let round = Round::from([
        (Quantity::MemoryKib, after),
        (Quantity::EachKib, (after - before) / f64::from(connections)),
    ]);
    Ok(Row::of(peer.name, &[round]))
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn open(
    address: SocketAddr,
    connections: u16,
    client: Option<&Afresh>,
) -> io::Result<Vec<Box<dyn Stream>>> {
    static TURNS: Semaphore = Semaphore::const_new(OPENING);
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let client = client.cloned();
        tasks.spawn(async move {
            let _turn = TURNS.acquire().await.map_err(io::Error::other)?;
            let mut stream: Box<dyn Stream> = match client {
                Some(client) => Box::new(client.connect(address).await?),
                None => Box::new(TcpStream::connect(address).await?),
            };
            ask(&mut stream).await?;
            io::Result::Ok(stream)
        });
    }
    let mut open = Vec::new();
    while let Some(stream) = tasks.join_next().await {
        open.push(stream.map_err(io::Error::other)??);
    }
    Ok(open)
}
