//! Listening to event streams: how long after it was sent each event arrives.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, runtime::Builder, task::JoinSet, time::timeout_at};

use crate::{
    drive::{DriveError, Load, Seen},
    own::percentiles,
};

/// What every event begins with; the time follows, in nanoseconds of this many digits.
const DATA: &[u8] = b"data: ";
const DIGITS: usize = 20;

/// Listens to one stream on each connection for the time of a round; events count as requests.
pub(crate) fn listen(address: SocketAddr, load: Load, origin: Instant) -> Result<Seen, DriveError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DriveError::Connection)?;
    let lasts = Duration::from_secs(load.seconds.into());
    let delays = runtime.block_on(all(address, load.connections, lasts, origin));
    let delays = delays.map_err(DriveError::Connection)?;
    let requests = delays.len() as f64;
    let [p50, p99, p999] = percentiles(delays.into_iter());
    Ok(Seen {
        requests,
        micros: 1e6 * lasts.as_secs_f64(),
        failures: 0,
        p50,
        p99,
        p999,
    })
}

async fn all(
    address: SocketAddr,
    streams: u16,
    lasts: Duration,
    origin: Instant,
) -> io::Result<Vec<Duration>> {
    let mut opening = JoinSet::new();
    for _ in 0..streams {
        opening.spawn(open(address));
    }
    let mut bodies = Vec::new();
    while let Some(body) = opening.join_next().await {
        bodies.push(body.map_err(io::Error::other)??);
    }
    let until = tokio::time::Instant::now() + lasts;
    // What had been sent while others were still opened has waited for this program.
    let from = origin.elapsed();
    let mut listening = JoinSet::new();
    for body in bodies {
        listening.spawn(hear_until(until, body, origin, from));
    }
    let mut delays = Vec::new();
    while let Some(heard) = listening.join_next().await {
        delays.extend(heard.map_err(io::Error::other)??);
    }
    Ok(delays)
}

async fn hear_until(
    until: tokio::time::Instant,
    mut body: Incoming,
    origin: Instant,
    from: Duration,
) -> io::Result<Vec<Duration>> {
    let mut hearing = Hearing {
        from,
        ..Hearing::default()
    };
    while let Ok(frame) = timeout_at(until, body.frame()).await {
        let ended = || io::Error::other("a stream ended");
        let frame = frame.ok_or_else(ended)?.map_err(io::Error::other)?;
        if let Ok(data) = frame.into_data() {
            hearing.hear(&data, origin.elapsed())?;
        }
    }
    Ok(hearing.delays)
}

async fn open(address: SocketAddr) -> io::Result<Incoming> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(io::Error::other)?;
    tokio::spawn(async move { connection.await.ok() });
    let request = Request::get("/v1/chat/completions").header("host", "localhost");
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(io::Error::other)?;
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(io::Error::other)?;
    if !answer.status().is_success() {
        return Err(io::Error::other(format!("answered {}", answer.status())));
    }
    Ok(answer.into_body())
}

/// What has been heard of a stream.
#[derive(Default)]
struct Hearing {
    /// The beginning of an event whose end has not come.
    rest: Vec<u8>,
    /// Events that were sent before this time do not count.
    from: Duration,
    delays: Vec<Duration>,
}

impl Hearing {
    /// Notes the events that end with this.
    fn hear(&mut self, data: &[u8], now: Duration) -> io::Result<()> {
        self.rest.extend_from_slice(data);
        while let Some(at) = memchr::memmem::find(&self.rest, b"\n\n") {
            let sent = sent(&self.rest).ok_or_else(|| io::Error::other("no event of ours"))?;
            if sent >= self.from {
                self.delays.push(now.saturating_sub(sent));
            }
            self.rest.drain(..at + 2);
        }
        Ok(())
    }
}

/// The time in an event.
fn sent(event: &[u8]) -> Option<Duration> {
    let digits = event.strip_prefix(DATA)?.get(..DIGITS)?;
    let nanos = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_heard_however_they_are_cut() {
        let text = b"data: 00000000000000000100 x\n\ndata: 00000000000000000150 y\n\n";
        for size in 1..text.len() {
            let mut hearing = Hearing::default();
            for part in text.chunks(size) {
                let heard = hearing.hear(part, Duration::from_nanos(200));
                heard.expect("events");
            }
            let delays: Vec<_> = hearing.delays.iter().map(Duration::as_nanos).collect();
            assert_eq!(delays, [100, 50], "in parts of {size}");
        }
    }

    #[test]
    fn events_of_before_do_not_count() {
        let mut hearing = Hearing {
            from: Duration::from_nanos(120),
            ..Hearing::default()
        };
        let text = b"data: 00000000000000000100 x\n\ndata: 00000000000000000150 y\n\n";
        let heard = hearing.hear(text, Duration::from_nanos(200));
        heard.expect("events");
        assert_eq!(hearing.delays, [Duration::from_nanos(50)]);
    }
}
