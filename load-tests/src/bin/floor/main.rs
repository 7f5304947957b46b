//! The least that a correct HTTP/1.1 proxy can do on tokio: read heads, take off what belongs to one
//! hop, forward, and keep connections. What a proxy costs beyond this is its own doing.
//!
//! `floor LISTEN BACKEND`, two ports of this machine. One thread. It has no limits and no time-outs, speaks plain
//! HTTP/1.1 to both sides, passes no upgrades, and reads an answer once the request is sent.

mod message;

use std::{cell::RefCell, env, io, net::Ipv4Addr, rc::Rc};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    task::{LocalSet, spawn_local},
};

use crate::message::{Answer, Asked, Body, Unreadable};

/// Bytes that one read may bring.
const READ: usize = 16 * 1024;

/// Connections to the backend that nobody uses, shared by all clients.
#[derive(Clone)]
struct Pool {
    backend: u16,
    idle: Rc<RefCell<Vec<TcpStream>>>,
}

impl Pool {
    async fn take(&self) -> io::Result<(TcpStream, Used)> {
        if let Some(stream) = self.idle.borrow_mut().pop() {
            return Ok((stream, Used::Before));
        }
        Ok((self.open().await?, Used::Never))
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.backend)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn give(&self, stream: TcpStream) {
        self.idle.borrow_mut().push(stream);
    }
}

/// Whether a connection has carried a request before; the backend may have closed it since.
#[derive(PartialEq, Eq)]
enum Used {
    Before,
    Never,
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> io::Result<()> {
    let mut ports = env::args().skip(1).map(|port| port.parse::<u16>().ok());
    let (Some(Some(listen)), Some(Some(backend))) = (ports.next(), ports.next()) else {
        return Err(io::Error::other("floor LISTEN BACKEND: two ports"));
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, accept(listen, backend))
}

async fn accept(listen: u16, backend: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, listen)).await?;
    let pool = Pool {
        backend,
        idle: Rc::default(),
    };
    loop {
        let (client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        let pool = pool.clone();
        // A client that leaves or makes no sense loses its connection, and nobody else does.
        spawn_local(async move { serve(client, &pool).await.ok() });
    }
}

/// Answers one client until it leaves.
async fn serve(mut client: TcpStream, pool: &Pool) -> io::Result<()> {
    let mut inbound = BytesMut::with_capacity(READ);
    let mut outbound = BytesMut::with_capacity(READ);
    let mut answer = BytesMut::with_capacity(READ);
    loop {
        let asked = match read_request(&mut client, &mut inbound, &mut outbound).await {
            Ok(Some(asked)) => asked,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return refuse(&mut client, "400 Bad Request").await;
            }
            Err(error) => return Err(error),
        };
        let keeps = asked.keeps;
        let forwarded = forward(
            &mut client,
            pool,
            asked,
            [&mut inbound, &mut outbound, &mut answer],
        );
        match forwarded.await {
            Ok(Forwarded::Whole) if keeps => {}
            Ok(_) => return client.shutdown().await,
            Err(Broken::Backend) => return refuse(&mut client, "502 Bad Gateway").await,
            Err(Broken::Client(error)) => return Err(error),
        }
    }
}

/// How an answer ended.
enum Forwarded {
    Whole,
    /// The end of the backend's connection was the end of the answer, which the client must hear of.
    AtClose,
}

/// Which side failed. Once an answer has begun, only the connection can say so.
enum Broken {
    Backend,
    Client(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Client(error)
    }
}

/// Reads one request's head and writes into `outbound` what the backend is to see. `None` when the client has left.
async fn read_request(
    client: &mut TcpStream,
    inbound: &mut BytesMut,
    outbound: &mut BytesMut,
) -> io::Result<Option<Asked>> {
    loop {
        outbound.clear();
        match Asked::read(inbound, outbound) {
            Ok(Some((asked, length))) => {
                inbound.advance(length);
                return Ok(Some(asked));
            }
            Ok(None) => {}
            Err(Unreadable) => return Err(io::ErrorKind::InvalidData.into()),
        }
        inbound.reserve(READ);
        if client.read_buf(inbound).await? == 0 {
            return Ok(None);
        }
    }
}

async fn forward(
    client: &mut TcpStream,
    pool: &Pool,
    mut asked: Asked,
    [inbound, outbound, answer]: [&mut BytesMut; 3],
) -> Result<Forwarded, Broken> {
    take_body(&mut asked.body, inbound, outbound)?;
    let is_whole = asked.body.is_done();
    let (mut backend, used) = pool.take().await.map_err(|_| Broken::Backend)?;
    answer.clear();
    let mut begun = begin(&mut backend, outbound, answer, is_whole).await;
    if begun.is_err() && is_whole && used == Used::Before {
        // Closed by the backend while nobody used it: asked again on a new one (RFC 9112 §9.3.1).
        answer.clear();
        backend = pool.open().await.map_err(|_| Broken::Backend)?;
        begun = begin(&mut backend, outbound, answer, is_whole).await;
    }
    begun.map_err(|_| Broken::Backend)?;
    while !asked.body.is_done() {
        outbound.clear();
        inbound.reserve(READ);
        if client.read_buf(inbound).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        take_body(&mut asked.body, inbound, outbound)?;
        let sent = backend.write_all(outbound).await;
        sent.map_err(|_| Broken::Backend)?;
    }
    let (head, mut body) = read_answer(client, &mut backend, &asked, answer, outbound).await?;
    loop {
        take_body(&mut body, answer, outbound)?;
        client.write_all(outbound).await?;
        outbound.clear();
        if body.is_done() {
            break;
        }
        answer.reserve(READ);
        if backend.read_buf(answer).await? == 0 {
            return match body {
                Body::UntilClose => Ok(Forwarded::AtClose),
                _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            };
        }
    }
    // Bytes after the end of an answer belong to nobody, and neither does their connection.
    if head.keeps && answer.is_empty() {
        pool.give(backend);
    }
    Ok(Forwarded::Whole)
}

/// Sends what there is of a request and, if that is all of it, waits for the first of the answer.
async fn begin(
    backend: &mut TcpStream,
    outbound: &BytesMut,
    answer: &mut BytesMut,
    is_whole: bool,
) -> io::Result<()> {
    backend.write_all(outbound).await?;
    if is_whole && backend.read_buf(answer).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// Reads the head of the answer; interim ones before it are passed on at once.
async fn read_answer(
    client: &mut TcpStream,
    backend: &mut TcpStream,
    asked: &Asked,
    answer: &mut BytesMut,
    outbound: &mut BytesMut,
) -> Result<(Answer, Body), Broken> {
    loop {
        outbound.clear();
        match Answer::read(answer, asked, outbound) {
            Ok(Some((head, length))) => {
                answer.advance(length);
                match head.body {
                    Some(body) => return Ok((head, body)),
                    None => client.write_all(outbound).await?,
                }
            }
            Ok(None) => {
                answer.reserve(READ);
                let read = backend.read_buf(answer).await;
                if read.map_err(|_| Broken::Backend)? == 0 {
                    return Err(Broken::Backend);
                }
            }
            Err(Unreadable) => return Err(Broken::Backend),
        }
    }
}

/// Moves what belongs to the body from one buffer to the end of another.
fn take_body(body: &mut Body, from: &mut BytesMut, to: &mut BytesMut) -> io::Result<()> {
    let length = body.advance(from);
    let length = length.map_err(|Unreadable| io::Error::from(io::ErrorKind::InvalidData))?;
    to.extend_from_slice(&from.split_to(length));
    Ok(())
}

async fn refuse(client: &mut TcpStream, status: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
