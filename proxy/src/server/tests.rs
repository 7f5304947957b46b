//! A worker on its own thread and real sockets around it: clients and upstreams that say exactly the bytes
//! that a test wants, well-formed or not.

mod ending;
mod experiments;
mod forwarding;
mod inference;
mod limits;
mod refusing;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use policy::{Policy, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::Phase;
use super::socket::shared;
use super::worker::{Duty, work};
use crate::credentials::Credentials;
use crate::identify::key_servers::KeyServers;
use crate::live::{Live, Snapshot};
use crate::members::Rosters;
use crate::rates::Rates;
use crate::referee::Referee;
use crate::reload::key_sets;
use crate::token::Keys;
use crate::workers::Workers;

/// Longest wait for what should happen at once.
const SOON: Duration = Duration::from_secs(10);

/// One worker that serves the first listener of a document, until it is dropped.
struct Wald {
    address: SocketAddr,
    live: Live,
    workers: Workers,
    phase: watch::Sender<Phase>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Wald {
    fn serve(document: &str) -> Self {
        let live = Live::new(snapshot(document));
        let policy = Arc::clone(&live.load().policy);
        let listener = policy.listeners().first().unwrap().clone();
        let policy::Address::Tcp(address) = listener.address else {
            panic!("{}", listener.address);
        };
        let socket = shared(address, 1).unwrap().remove(0);
        let address = socket.local_addr().unwrap();
        let (workers, mut mailboxes) = Workers::new(1);
        let (phase, watched) = watch::channel(Phase::Serving);
        let duty = Duty {
            live: live.clone(),
            referee: Referee::for_tests(),
            key_servers: KeyServers::for_tests(),
            shadows: crate::shadow::Desk::for_tests(),
            mailbox: mailboxes.remove(0),
            sockets: vec![(listener, crate::accept::Socket::Tcp(socket))],
            phase: watched,
            begun: mpsc::channel(1).0,
            drained: mpsc::channel(1).0,
        };
        let thread = Some(std::thread::spawn(move || work(duty)));
        Self {
            address,
            live,
            workers,
            phase,
            thread,
        }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// The answer to one request on a connection of its own.
    async fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }
}

impl Drop for Wald {
    fn drop(&mut self) {
        self.phase.send_replace(Phase::Ended);
        let ended = self.thread.take().unwrap().join();
        assert!(std::thread::panicking() || ended.is_ok_and(|ended| ended.is_ok()));
    }
}

pub(crate) fn policy(document: &str) -> Policy {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples");
    let document = config::read(document, &|_| None, &examples).unwrap();
    policy::compile(&document).unwrap()
}

pub(crate) fn snapshot(document: &str) -> Snapshot {
    let policy = policy(document);
    Snapshot {
        recorded: false,
        stages: policy
            .experiments()
            .iter()
            .map(|_| Stage::first(1))
            .collect(),
        models: models(&policy),
        key_sets: Arc::new(key_sets(&policy).unwrap()),
        credentials: Arc::new(Credentials::read(&policy, None).unwrap()),
        rosters: Arc::new(Rosters::new(&policy, None)),
        rates: Arc::new(Rates::new(&policy, None)),
        keys: Arc::new(Keys::generate(0).unwrap()),
        policy: Arc::new(policy),
    }
}

fn models(policy: &Policy) -> Vec<Arc<::inference::Pool>> {
    let start = |model: &policy::Model| {
        let loaded =
            ::inference::Model::load(&std::fs::read(&model.file).unwrap(), &model.sha256).unwrap();
        Arc::new(::inference::Pool::start(loaded, crate::infer::crew(model), None).unwrap())
    };
    let models = policy.models().iter();
    models.map(|model| start(model)).collect()
}

/// A document with one listener and one open route to an upstream at `address`; `more` is added to the
/// listener, the upstream and the route.
fn fronting(address: SocketAddr, [listener, upstream, route]: [&str; 3]) -> String {
    format!(
        "version: wald/v1\n\
         listeners: [{{ name: edge, address: '127.0.0.1:0' {listener} }}]\n\
         upstreams: [{{ name: backend, endpoints: ['http://{address}'] {upstream} }}]\n\
         routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }} {route} }}]\n"
    )
}

/// A connection over which a test says and hears bytes.
struct Client(TcpStream);

/// A response, or a request as an upstream got it.
#[derive(Debug)]
struct Answer {
    /// The lines before the empty one.
    head: String,
    /// As long as `Content-Length` says, or taken out of its chunks.
    body: Vec<u8>,
}

impl Client {
    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    async fn answer(&mut self) -> Answer {
        tokio::time::timeout(SOON, read(&mut self.0))
            .await
            .expect("an answer in time")
            .expect("an answer")
    }

    /// Waits until the other side has closed the connection.
    async fn closed(&mut self) {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(SOON, self.0.read_to_end(&mut rest))
            .await
            .expect("an end in time");
        assert!(
            read.is_err() || rest.is_empty(),
            "{}",
            String::from_utf8_lossy(&rest)
        );
    }
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .find(|(line, _)| line.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// The next message; none if the connection ends before it.
async fn read(stream: &mut TcpStream) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut message = Answer {
        head: String::from_utf8(head).unwrap(),
        body: Vec::new(),
    };
    if message.header("transfer-encoding") == Some("chunked") {
        message.body = chunks(stream).await?;
    } else if let Some(length) = message.header("content-length") {
        message.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut message.body).await.ok()?;
    }
    Some(message)
}

async fn chunks(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = usize::from_str_radix(line(stream).await?.trim(), 16).unwrap();
        let start = body.len();
        body.resize(start + length, 0);
        stream.read_exact(&mut body[start..]).await.ok()?;
        line(stream).await?;
        if length == 0 {
            return Some(body);
        }
    }
}

async fn line(stream: &mut TcpStream) -> Option<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(line).ok()
}

/// An upstream that the test speaks for.
struct Upstream(TcpListener);

impl Upstream {
    async fn listen() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    async fn accept(&self) -> Client {
        let (stream, _) = tokio::time::timeout(SOON, self.0.accept())
            .await
            .expect("a connection in time")
            .unwrap();
        Client(stream)
    }

    /// Answers every request with 200 and a copy of it, on as many connections as come.
    async fn echoing() -> SocketAddr {
        let upstream = Self::listen().await;
        let address = upstream.address();
        tokio::spawn(async move {
            loop {
                let mut connection = upstream.accept().await;
                tokio::spawn(async move {
                    while let Some(Answer { head, body }) = read(&mut connection.0).await {
                        let copy = [head.as_bytes(), &body].concat();
                        connection
                            .send(format!(
                                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                                copy.len()
                            ))
                            .await;
                        connection.send(copy).await;
                    }
                });
            }
        });
        address
    }
}

impl Upstream {
    /// The connection that a request makes Wald open.
    async fn accept_after(&self, client: &mut Client, request: &str) -> Client {
        client.send(request).await;
        self.accept().await
    }
}
