//! A backend of a journey: a real HTTP/1.1 server that answers as told and remembers what it was asked.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::bind::bind_at;
use crate::in_time;

/// How a backend answers.
#[derive(Clone)]
pub enum Reply {
    /// 200, and the backend's name as body.
    Name,
    /// 200, and the request's body again.
    Echo,
    /// 200, with these headers and this body.
    Said(&'static [(&'static str, &'static str)], Bytes),
    /// This status, with a body that says so.
    Status(StatusCode),
    /// `status` for one request in `one_in`, 200 for the others.
    Sometimes {
        /// What the unlucky ones get.
        status: StatusCode,
        /// How many requests share one unlucky one.
        one_in: usize,
    },
    /// As `Name`, but one request in `one_in` is never answered.
    Stuck {
        /// How many requests share one that waits in vain.
        one_in: usize,
    },
    /// As `Name`, one request a beat: so many it can do, and no more.
    Works,
    /// As `Name`, after this time.
    After(Duration),
    /// 503, with `Retry-After` in seconds.
    Resting(u32),
    /// As `Name`, but each answer waits until [`Upstream::release`] lets it go.
    Held,
}

impl Reply {
    /// What the head says besides.
    fn headers(&self) -> HeaderMap {
        let header = |(name, value): &(&'static str, &'static str)| {
            let value = HeaderValue::from_static(value);
            (HeaderName::from_static(name), value)
        };
        match self {
            Self::Resting(seconds) => HeaderMap::from_iter([(RETRY_AFTER, (*seconds).into())]),
            Self::Said(headers, _) => headers.iter().map(header).collect(),
            _ => HeaderMap::new(),
        }
    }
}

/// The beat of [`Reply::Works`].
const BEAT: Duration = Duration::from_millis(2);

/// A running backend; it stops when it is dropped.
pub struct Upstream {
    address: SocketAddr,
    behaviour: Arc<Behaviour>,
    arrived: mpsc::UnboundedReceiver<Arrived>,
    task: tokio::task::JoinHandle<()>,
}

/// A request as it arrived.
pub struct Arrived {
    /// Method, path and headers.
    pub head: request::Parts,
    /// The whole body.
    pub body: Bytes,
}

struct Behaviour {
    name: &'static str,
    reply: Mutex<Reply>,
    asked: AtomicUsize,
    released: Semaphore,
    beat: tokio::sync::Mutex<Interval>,
    arrivals: mpsc::UnboundedSender<Arrived>,
}

impl Upstream {
    /// Starts a backend on a port that the system chose.
    pub async fn start(name: &'static str, reply: Reply) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), name, reply).await
    }

    /// Starts a backend at this address.
    pub async fn start_at(address: SocketAddr, name: &'static str, reply: Reply) -> Self {
        let (listener, address) = bind_at(address).await;
        let (arrivals, arrived) = mpsc::unbounded_channel();
        let released = Semaphore::new(0);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let behaviour = Arc::new(Behaviour {
            name,
            reply: Mutex::new(reply),
            asked: AtomicUsize::new(0),
            released,
            beat: beat.into(),
            arrivals,
        });
        let task = tokio::spawn(serve(listener, behaviour.clone()));
        Self {
            address,
            behaviour,
            arrived,
            task,
        }
    }

    /// Answers so from now on.
    pub fn reply(&self, reply: Reply) {
        *self.behaviour.reply.lock().expect("nobody panicked") = reply;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a document writes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests it was asked.
    pub fn asked(&self) -> usize {
        self.behaviour.asked.load(Ordering::Relaxed)
    }

    /// The next request that arrived, in order.
    pub async fn arrived(&mut self) -> Arrived {
        let next = in_time("a request reaches the backend", self.arrived.recv()).await;
        next.expect("the backend runs as long as this value")
    }

    /// Lets `count` held answers go.
    pub fn release(&self, count: usize) {
        self.behaviour.released.add_permits(count);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, behaviour: Arc<Behaviour>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, behaviour.clone()));
    }
}

async fn converse(stream: TcpStream, behaviour: Arc<Behaviour>) {
    stream
        .set_nodelay(true)
        .expect("a TCP socket has the option");
    let service = service_fn(|request| answer(request, &behaviour));
    // A proxy that leaves is no fault of the backend; the journey sees what it caused.
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
        .ok();
}

async fn answer(
    request: Request<Incoming>,
    behaviour: &Behaviour,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // A body that breaks off is remembered as far as it came: empty.
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let before = behaviour.asked.fetch_add(1, Ordering::Relaxed);
    // Nobody may be listening any more; the answer is due all the same.
    behaviour
        .arrivals
        .send(Arrived {
            head,
            body: body.clone(),
        })
        .ok();
    let name = Bytes::from_static(behaviour.name.as_bytes());
    let reply = behaviour.reply.lock().expect("nobody panicked").clone();
    let (status, body) = match reply {
        Reply::Name => (StatusCode::OK, name),
        Reply::Echo => (StatusCode::OK, body),
        Reply::Said(_, ref said) => (StatusCode::OK, said.clone()),
        Reply::Status(status) => (status, Bytes::from(status.to_string())),
        Reply::Sometimes { status, one_in } if before.is_multiple_of(one_in) => (status, name),
        Reply::Sometimes { .. } => (StatusCode::OK, name),
        Reply::Stuck { one_in } if before.is_multiple_of(one_in) => std::future::pending().await,
        Reply::Stuck { .. } => (StatusCode::OK, name),
        Reply::Works => {
            behaviour.beat.lock().await.tick().await;
            (StatusCode::OK, name)
        }
        Reply::After(time) => {
            let mut work = interval(time);
            work.tick().await;
            work.tick().await;
            (StatusCode::OK, name)
        }
        Reply::Resting(_) => (StatusCode::SERVICE_UNAVAILABLE, name),
        Reply::Held => {
            let permit = behaviour
                .released
                .acquire()
                .await
                .expect("the semaphore is never closed");
            permit.forget();
            (StatusCode::OK, name)
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if behaviour.name.starts_with('{') {
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json);
    }
    headers.extend(reply.headers());
    Ok(response)
}
