//! Driving one peer without wrk, which shows no client certificate: keep-alive connections, each with one
//! request at a time, over TLS or not.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rand_distr::{Distribution as _, Exp1};
use rand_pcg::{Pcg64Mcg, rand_core::SeedableRng as _};
use serde_json::json;
use tests::{Authority, Identity, Secure, SigningKey, Wish, claims, key_set};
use tokio::net::TcpStream;
use tokio::time::{Instant as Moment, sleep_until};

use crate::drive::{DriveError, Load, Seen};

/// What `scenarios/post.lua` sends.
const BODY: &[u8] =
    br#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[0.5,1.5,2.5,3]}]}"#;

/// Who the driver is to a peer that asks.
pub(crate) struct Credentials {
    client: Secure,
    authorization: HeaderValue,
}

impl Credentials {
    /// Makes certificates, a key and a token, and writes what the peer reads of them into a folder.
    pub(crate) fn make(folder: &Path) -> std::io::Result<Self> {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let key = SigningKey::rsa("bench");
        let id = "spiffe://bank.example/ns/payments/bench";
        let identity: Identity = clients.vouch(Wish {
            uris: &[id],
            ..Wish::default()
        });
        fs::write(
            folder.join("edge.pem"),
            servers.vouch(Wish::default()).pem(),
        )?;
        fs::write(folder.join("clients.pem"), clients.pem())?;
        fs::write(folder.join("keys.json"), key_set(&[&key]))?;
        let token = key.token(&claims(&json!({})));
        let authorization = HeaderValue::from_str(&format!("Bearer {token}"));
        Ok(Self {
            client: Secure::new(&servers.pem(), Some(&identity), "http/1.1"),
            authorization: authorization.map_err(std::io::Error::other)?,
        })
    }
}

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

    async fn next(&mut self) {
        let gap: f64 = Exp1.sample(&mut self.chance);
        self.next += self.mean.mul_f64(gap);
        sleep_until(self.next).await;
    }
}

/// Drives `address` for one round, with a request on each connection every `pace` in the mean, or as fast as it
/// answers. A single failed request spoils it.
pub(crate) fn drive(
    address: SocketAddr,
    load: Load,
    credentials: Option<&Credentials>,
    pace: Option<Duration>,
) -> Result<Seen, DriveError> {
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
        let authorization = credentials.map(|credentials| credentials.authorization.clone());
        let begun = Instant::now();
        let until = begun + Duration::from_secs(load.seconds.into());
        let tasks = senders.into_iter().zip(0..).map(|(sender, connection)| {
            let arrivals = pace.map(|mean| Arrivals::new(mean, connection));
            tokio::spawn(converse(sender, authorization.clone(), arrivals, until))
        });
        let mut waits = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            let seen = task.await.map_err(std::io::Error::other);
            let seen = seen.map_err(DriveError::Connection)?;
            waits.extend(seen.map_err(DriveError::Connection)?);
        }
        Ok(summed(waits, begun.elapsed()))
    })
}

fn summed(mut waits: Vec<Duration>, lasted: Duration) -> Seen {
    waits.sort_unstable();
    let at = |part: usize| {
        let wait = waits.get(waits.len() * part / 100);
        1e6 * wait.copied().unwrap_or_default().as_secs_f64()
    };
    Seen {
        requests: waits.len() as f64,
        micros: 1e6 * lasted.as_secs_f64(),
        failures: 0,
        p50: at(50),
        p99: at(99),
    }
}

async fn connect(
    address: SocketAddr,
    credentials: Option<&Credentials>,
) -> std::io::Result<SendRequest<Full<Bytes>>> {
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

async fn over<T>(stream: T) -> std::io::Result<SendRequest<Full<Bytes>>>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(std::io::Error::other)?;
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

async fn converse(
    mut sender: SendRequest<Full<Bytes>>,
    authorization: Option<HeaderValue>,
    mut arrivals: Option<Arrivals>,
    until: Instant,
) -> std::io::Result<Vec<Duration>> {
    let mut waits = Vec::new();
    while Instant::now() < until {
        if let Some(arrivals) = &mut arrivals {
            arrivals.next().await;
        }
        let mut request = Request::new(Full::new(Bytes::from_static(BODY)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/v2/models/digits/infer");
        let headers = request.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(authorization) = &authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let sent = Instant::now();
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(std::io::Error::other)?.into_parts();
        body.collect().await.map_err(std::io::Error::other)?;
        if head.status != StatusCode::OK {
            return Err(std::io::Error::other(format!("answered {}", head.status)));
        }
        waits.push(sent.elapsed());
    }
    Ok(waits)
}
