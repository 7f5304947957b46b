//! Driving one peer without wrk, which shows no client certificate: keep-alive connections, each with one
//! request at a time, over TLS or not.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rand_distr::{Distribution as _, Exp1};
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng as _};
use tokio::net::TcpStream;
use tokio::time::{Instant as Moment, sleep_until};

use crate::{
    credentials::Credentials,
    drive::{DriveError, Load, Seen},
};

/// What `scenarios/post.lua` sends.
const BODY: &[u8] =
    br#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[0.5,1.5,2.5,3]}]}"#;

/// When a connection sends its requests: as people do, independently of each other, so many in the mean. All of
/// them at one beat would measure how long a crowd takes, which is CPU time under another name.
struct Arrivals {
    mean: Duration,
    chance: Pcg64Mcg,
    next: Moment,
}

impl Arrivals {
    /// Those of one connection; the same connection has the same ones in each round.
    fn new(mean: Duration, connection: u16) -> Self {
        Self {
            mean,
            chance: Pcg64Mcg::seed_from_u64(connection.into()),
            next: Moment::now(),
        }
    }

    /// Waits for the next time, and says when that was to be: what comes late because the answer before it did has
    /// waited since then, and so it is counted.
    async fn next(&mut self) -> Instant {
        let gap: f64 = Exp1.sample(&mut self.chance);
        self.next += self.mean.mul_f64(gap);
        sleep_until(self.next).await;
        self.next.into_std()
    }
}

/// A request that was answered.
#[derive(Clone, Copy)]
pub(crate) struct Answered {
    /// When it was meant to be sent.
    pub(crate) meant: Instant,
    /// How long it took since then.
    pub(crate) took: Duration,
}

/// Drives `address` for one round, with a request on each connection every `pace` in the mean, or as fast as it
/// answers. A single failed request spoils it.
pub(crate) fn drive(
    address: SocketAddr,
    load: Load,
    credentials: Option<&Credentials>,
    pace: Option<Duration>,
) -> Result<Seen, DriveError> {
    let begun = Instant::now();
    let (answered, failures) = answers(address, load, credentials, pace)?;
    if failures > 0 {
        return Err(DriveError::Failures {
            failures,
            requests: answered.len() as f64,
        });
    }
    let [p50, p99, p999] = percentiles(answered.iter().map(|answered| answered.took));
    Ok(Seen {
        requests: answered.len() as f64,
        micros: 1e6 * begun.elapsed().as_secs_f64(),
        failures,
        p50,
        p99,
        p999,
    })
}

/// The same, with every answer by itself, and the number of connections that had to be given up.
pub(crate) fn answers(
    address: SocketAddr,
    load: Load,
    credentials: Option<&Credentials>,
    pace: Option<Duration>,
) -> Result<(Vec<Answered>, u64), DriveError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DriveError::Connection)?;
    runtime.block_on(async {
        let mut senders = Vec::new();
        for _ in 0..load.connections {
            let sender = connect(address, credentials).await;
            senders.push(sender.map_err(DriveError::Connection)?);
        }
        let until = Instant::now() + Duration::from_secs(load.seconds.into());
        let tasks = senders
            .into_iter()
            .zip(0_u16..)
            .map(|(sender, connection)| {
                let arrivals = pace.map(|mean| Arrivals::new(mean, connection));
                let authorization =
                    credentials.and_then(|all| all.authorization(connection.into()));
                tokio::spawn(converse(sender, authorization.cloned(), arrivals, until))
            });
        let (mut answered, mut failures) = (Vec::new(), 0);
        for task in tasks.collect::<Vec<_>>() {
            let (of_one, end) = task
                .await
                .map_err(|error| DriveError::Connection(io::Error::other(error)))?;
            answered.extend(of_one);
            if let Err(error) = end {
                eprintln!("a connection was given up: {error}");
                failures += 1;
            }
        }
        Ok((answered, failures))
    })
}

/// Whether a peer answers a request with a client's certificate and no token.
pub(crate) fn lets_in_without_token(
    address: SocketAddr,
    credentials: &Credentials,
) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut sender = connect(address, Some(credentials)).await?;
        let answer = sender.send_request(request(None)).await;
        let status = answer.map_err(io::Error::other)?.status();
        Ok(!matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ))
    })
}

/// So many requests on each connection, one after the other. A single failed request is an error.
pub(crate) fn exactly(
    address: SocketAddr,
    connections: u16,
    requests: u32,
    credentials: Option<&Credentials>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for connection in 0..connections {
            let mut sender = connect(address, credentials).await?;
            let authorization = credentials.and_then(|all| all.authorization(connection.into()));
            let authorization = authorization.cloned();
            tasks.push(tokio::spawn(async move {
                for _ in 0..requests {
                    exchange(&mut sender, request(authorization.as_ref())).await?;
                }
                io::Result::Ok(())
            }));
        }
        for task in tasks {
            task.await.map_err(io::Error::other)??;
        }
        Ok(())
    })
}

/// The waits, in microseconds, that half, 99% and 99.9% do not exceed.
pub(crate) fn percentiles(waits: impl Iterator<Item = Duration>) -> [Option<f64>; 3] {
    let mut waits: Vec<Duration> = waits.collect();
    waits.sort_unstable();
    [500, 990, 999].map(|part| {
        let wait = waits.get(waits.len() * part / 1000)?;
        Some(1e6 * wait.as_secs_f64())
    })
}

async fn connect(
    address: SocketAddr,
    credentials: Option<&Credentials>,
) -> io::Result<SendRequest<Full<Bytes>>> {
    match credentials {
        None => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            over(stream).await
        }
        Some(credentials) => {
            let channel = credentials.client.connect(address, "localhost").await?;
            over(channel.into_stream()).await
        }
    }
}

async fn over<T>(stream: T) -> io::Result<SendRequest<Full<Bytes>>>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(io::Error::other)?;
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

/// Asks one thing after the other; says what was answered until the end of the time, or of the connection.
async fn converse(
    mut sender: SendRequest<Full<Bytes>>,
    authorization: Option<HeaderValue>,
    mut arrivals: Option<Arrivals>,
    until: Instant,
) -> (Vec<Answered>, io::Result<()>) {
    let mut answered = Vec::new();
    while Instant::now() < until {
        let meant = match &mut arrivals {
            Some(arrivals) => arrivals.next().await,
            None => Instant::now(),
        };
        let request = request(authorization.as_ref());
        if let Err(error) = exchange(&mut sender, request).await {
            return (answered, Err(error));
        }
        let took = meant.elapsed();
        answered.push(Answered { meant, took });
    }
    (answered, Ok(()))
}

fn request(authorization: Option<&HeaderValue>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from_static(BODY)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = http::Uri::from_static("/v2/models/digits/infer");
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("localhost"));
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    if let Some(authorization) = authorization {
        headers.insert(header::AUTHORIZATION, authorization.clone());
    }
    request
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> io::Result<()> {
    let answer = sender.send_request(request).await;
    let (head, body) = answer.map_err(io::Error::other)?.into_parts();
    body.collect().await.map_err(io::Error::other)?;
    if head.status != StatusCode::OK {
        return Err(io::Error::other(format!("answered {}", head.status)));
    }
    Ok(())
}
