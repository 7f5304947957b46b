//! Calls as gRPC makes them: streams of HTTP/2 in both directions, which end with trailers. A server of them,
//! and a client.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::bind::bind;
use crate::in_time;

type Sender = SendRequest<StreamBody<Stream>>;

/// A server of calls; it stops when it is dropped. What it does, the path says: `/echo` sends each message back
/// as it comes and then `grpc-status: 0`, `/fail` answers with trailers alone, `/stall` never ends, `/last`
/// answers and lets the connection go. Asked by the health checking protocol about the service `fraud`, it says
/// that it serves, until [`Calls::stop_serving`].
pub struct Calls {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    closed: AtomicUsize,
    begun: AtomicUsize,
    cancelled: AtomicUsize,
    out_of_service: AtomicBool,
    said: Mutex<Option<(Bytes, &'static str)>>,
    head: Mutex<HeaderMap>,
}

impl Calls {
    /// Starts a server that lets so many calls be open on a connection.
    pub async fn start(streams_max: u32) -> Self {
        let (socket, address) = bind().await;
        let seen = Arc::<Seen>::default();
        let watched = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                watched.connections.fetch_add(1, Ordering::Relaxed);
                let seen = Arc::clone(&watched);
                tokio::spawn(async move {
                    converse(stream, Arc::clone(&seen), streams_max).await;
                    seen.closed.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a document writes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says from now on that it does not serve.
    pub fn stop_serving(&self) {
        self.seen.out_of_service.store(true, Ordering::Relaxed);
    }

    /// Ends each call with this message and status from now on, once it has been read.
    pub fn says(&self, message: Bytes, status: &'static str) {
        *self.seen.said.lock().expect("nobody panicked") = Some((message, status));
    }

    /// What the last call that began had in its head.
    pub fn head(&self) -> HeaderMap {
        self.seen.head.lock().expect("nobody panicked").clone()
    }

    /// How many connections were opened to it.
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// How many of them have ended.
    pub fn closed(&self) -> usize {
        self.seen.closed.load(Ordering::Relaxed)
    }

    /// How many calls began.
    pub fn begun(&self) -> usize {
        self.seen.begun.load(Ordering::Relaxed)
    }

    /// How many calls their caller took back.
    pub fn cancelled(&self) -> usize {
        self.seen.cancelled.load(Ordering::Relaxed)
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, seen: Arc<Seen>, streams_max: u32) {
    let (leave, mut left) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        seen.begun.fetch_add(1, Ordering::Relaxed);
        let last = request.uri().path() == "/last";
        let answered = answer(request, Arc::clone(&seen));
        if last {
            leave.send(()).ok();
        }
        async move { Ok::<_, Infallible>(answered) }
    });
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.max_concurrent_streams(streams_max);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ended = connection.as_mut() => return,
        _ = left.recv() => connection.as_mut().graceful_shutdown(),
    }
    connection.await.ok();
}

fn answer(request: Request<Incoming>, seen: Arc<Seen>) -> Response<StreamBody<Stream>> {
    let (frames, stream) = mpsc::unbounded_channel();
    let mut response = Response::new(StreamBody::new(Stream(stream)));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    *seen.head.lock().expect("nobody panicked") = request.headers().clone();
    let said = seen.said.lock().expect("nobody panicked").clone();
    if let Some((message, status)) = said {
        tokio::spawn(async move {
            request.into_body().collect().await.ok();
            frames.send(Frame::data(message)).ok();
            frames.send(Frame::trailers(trailers(status))).ok();
        });
        return response;
    }
    match request.uri().path() {
        "/fail" => {
            headers.insert("grpc-status", HeaderValue::from_static("13"));
        }
        "/stall" => {
            tokio::spawn(async move {
                frames.closed().await;
                seen.cancelled.fetch_add(1, Ordering::Relaxed);
            });
        }
        "/grpc.health.v1.Health/Check" => {
            tokio::spawn(check(request.into_body(), frames, seen));
        }
        _ => {
            tokio::spawn(echo(request.into_body(), frames, seen));
        }
    }
    response
}

/// Says how the service is, in the bytes of the protocol: field 1 of the question is the service's name, field 1
/// of the answer the status, 1 for serving and 2 for not.
async fn check(body: Incoming, frames: mpsc::UnboundedSender<Frame<Bytes>>, seen: Arc<Seen>) {
    let question = body.collect().await.map(|body| body.to_bytes());
    if question.is_ok_and(|question| *question == *b"\0\0\0\0\x07\x0a\x05fraud") {
        let is_out = seen.out_of_service.load(Ordering::Relaxed);
        let answer = [0, 0, 0, 0, 2, 8, if is_out { 2 } else { 1 }];
        frames.send(Frame::data(answer.to_vec().into())).ok();
        frames.send(Frame::trailers(trailers("0"))).ok();
    } else {
        frames.send(Frame::trailers(trailers("5"))).ok();
    }
}

async fn echo(mut body: Incoming, frames: mpsc::UnboundedSender<Frame<Bytes>>, seen: Arc<Seen>) {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            seen.cancelled.fetch_add(1, Ordering::Relaxed);
            return;
        };
        frames.send(frame).ok();
    }
    frames.send(Frame::trailers(trailers("0"))).ok();
}

fn trailers(status: &'static str) -> HeaderMap {
    let status = (
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(status),
    );
    HeaderMap::from_iter([status])
}

/// Frames as they are sent.
struct Stream(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl futures_util::Stream for Stream {
    type Item = Result<Frame<Bytes>, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}

/// A connection on which calls are made.
pub struct Call {
    sender: Sender,
}

/// What a call came to.
#[derive(Debug)]
pub struct Ended {
    /// The status of the answer's head.
    pub http: StatusCode,
    /// `grpc-status`, of the trailers or else the head; empty if neither has one.
    pub status: String,
    /// `grpc-message`.
    pub message: String,
    /// All messages.
    pub body: Bytes,
}

impl Call {
    /// Connects with prior knowledge.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = in_time("a connection opens", TcpStream::connect(address)).await;
        let stream = TokioIo::new(stream.expect("a connection opens"));
        let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
        let (sender, connection) = shaken.expect("hands are shaken");
        tokio::spawn(async move { connection.await.ok() });
        Self { sender }
    }

    /// Begins a call: where its messages go, and what comes back.
    pub fn begin(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (
        mpsc::UnboundedSender<Frame<Bytes>>,
        impl Future<Output = hyper::Result<Response<Incoming>>> + use<>,
    ) {
        let (frames, stream) = mpsc::unbounded_channel();
        let mut request = Request::post(format!("http://models.example{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(StreamBody::new(Stream(stream)));
        let request = request.expect("a journey writes valid requests");
        let mut sender = self.sender.clone();
        (frames, async move { sender.send_request(request).await })
    }

    /// A call with one message, from its beginning to its end.
    pub async fn make(&mut self, path: &str, headers: &[(&str, &str)]) -> Ended {
        self.ask(path, headers, Bytes::from_static(b"ping")).await
    }

    /// The same with these messages as they are framed.
    pub async fn ask(&mut self, path: &str, headers: &[(&str, &str)], messages: Bytes) -> Ended {
        let (frames, answer) = self.begin(path, headers);
        frames.send(Frame::data(messages)).ok();
        drop(frames);
        in_time(path, async { end(answer.await.expect("an answer")).await }).await
    }
}

/// Reads an answer to its end.
async fn end(answer: Response<Incoming>) -> Ended {
    let (head, body) = answer.into_parts();
    let collected = collect(body).await;
    let (body, trailers) = collected.expect("an answer ends");
    let text = |name: &str| {
        let found = trailers.get(name).or_else(|| head.headers.get(name));
        let found = found.and_then(|value| value.to_str().ok());
        found.unwrap_or_default().to_owned()
    };
    Ended {
        http: head.status,
        status: text("grpc-status"),
        message: text("grpc-message"),
        body,
    }
}

async fn collect<B: Body<Data = Bytes>>(body: B) -> Result<(Bytes, HeaderMap), B::Error> {
    let collected = body.collect().await?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok((collected.to_bytes(), trailers))
}
