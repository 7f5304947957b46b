//! A server that keeps every byte it is sent, and a parser of ours that says which requests these are.
//!
//! It shares no code with what Wald reads requests with, and takes nothing that could be read in two ways.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bind::bind;

/// A running recorder; it stops when it is dropped.
pub struct Recorder {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
    task: tokio::task::JoinHandle<()>,
}

/// A request as the recorder reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method and the target.
    pub line: String,
    /// The fields, in their order.
    pub fields: Vec<(String, String)>,
    /// The body, without any chunking.
    pub body: Vec<u8>,
}

/// Why bytes are no requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// There is less than a request.
    Incomplete,
    /// This is not what RFC 9112 lets a sender write.
    Malformed(&'static str),
}

impl Recorder {
    /// Starts one that answers 200 to each request.
    pub async fn start() -> Self {
        let (socket, address) = bind().await;
        let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let connection = {
                    let mut kept = kept.lock().expect("nobody panicked");
                    kept.push(Vec::new());
                    kept.len() - 1
                };
                tokio::spawn(record(stream, Arc::clone(&kept), connection));
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    /// Where it listens, as a document writes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request that came since the last time, over whichever connection, and what was no whole one.
    pub fn take(&self) -> (Vec<Request>, Vec<Unclear>) {
        let mut seen = self.seen.lock().expect("nobody panicked");
        let (mut requests, mut unclear) = (Vec::new(), Vec::new());
        for bytes in seen.iter_mut() {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                match parse(rest) {
                    Ok((request, behind)) => {
                        requests.push(request);
                        rest = behind;
                    }
                    Err(why) => {
                        unclear.push(why);
                        break;
                    }
                }
            }
            bytes.clear();
        }
        (requests, unclear)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn record(mut stream: TcpStream, seen: Arc<Mutex<Vec<Vec<u8>>>>, connection: usize) {
    let mut buffer = [0; 16 << 10];
    let mut pending = Vec::new();
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let bytes = &buffer[..read];
        seen.lock().expect("nobody panicked")[connection].extend_from_slice(bytes);
        pending.extend_from_slice(bytes);
        while let Ok((_, rest)) = parse(&pending) {
            pending = rest.to_vec();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

/// The first request, and what stands behind it.
fn parse(bytes: &[u8]) -> Result<(Request, &[u8]), Unclear> {
    let end = find(bytes, b"\r\n\r\n").ok_or(Unclear::Incomplete)?;
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| Unclear::Malformed("no text"))?;
    let mut rest = &bytes[end + 4..];
    if head.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return Err(Unclear::Malformed("a bare control character"));
    }
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(Unclear::Malformed("the request line"));
    };
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or(Unclear::Malformed("a line"))?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(Unclear::Malformed("the name of a field"));
        }
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let of = |wanted: &str| -> Vec<String> {
        let named = fields.iter().filter(|(name, _)| name == wanted);
        named.map(|(_, value)| value.clone()).collect()
    };
    let (lengths, codings) = (of("content-length"), of("transfer-encoding"));
    let body = match (&lengths[..], &codings[..]) {
        ([], []) => Vec::new(),
        ([length], []) => {
            let length: usize = length.parse().map_err(|_| Unclear::Malformed("a length"))?;
            let (body, behind) = rest.split_at_checked(length).ok_or(Unclear::Incomplete)?;
            rest = behind;
            body.to_vec()
        }
        ([], [coding]) if coding == "chunked" => {
            let (body, behind) = chunks(rest)?;
            rest = behind;
            body
        }
        _ => return Err(Unclear::Malformed("two framings")),
    };
    let line = format!("{method} {target}");
    Ok((Request { line, fields, body }, rest))
}

fn chunks(mut bytes: &[u8]) -> Result<(Vec<u8>, &[u8]), Unclear> {
    let mut body = Vec::new();
    loop {
        let end = find(bytes, b"\r\n").ok_or(Unclear::Incomplete)?;
        let size = std::str::from_utf8(&bytes[..end]).ok();
        let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or(Unclear::Malformed("a chunk's size"))?;
        bytes = &bytes[end + 2..];
        let (data, behind) = bytes.split_at_checked(size).ok_or(Unclear::Incomplete)?;
        body.extend_from_slice(data);
        let ending = behind.get(..2).ok_or(Unclear::Incomplete)?;
        if ending != b"\r\n" {
            return Err(Unclear::Malformed("a chunk's end"));
        }
        bytes = &behind[2..];
        if size == 0 {
            return Ok((body, bytes));
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
