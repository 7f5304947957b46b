//! A server that tells events, each with the time at which it was sent.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Response, header};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    time::{Interval, MissedTickBehavior, interval_at},
};

/// Between two events of a stream: fifty a second.
const EVERY: Duration = Duration::from_millis(20);

/// Streams begin at different times, so that their events do not come in crowds: by a golden section of the above.
const APART: Duration = Duration::from_micros(12_361);

/// Starts one whose times count from `origin`.
pub(crate) fn start(origin: Instant) -> io::Result<SocketAddr> {
    super::start(move |listener| serve(listener, origin))
}

async fn serve(listener: TcpListener, origin: Instant) {
    let streams = Arc::new(AtomicU32::new(0));
    while let Ok((stream, _)) = listener.accept().await {
        // A connection without it is slower, which the direct ones would show.
        stream.set_nodelay(true).ok();
        let streams = Arc::clone(&streams);
        let service = service_fn(move |_| {
            let number = streams.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, Infallible>(told(origin, number)))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // Whoever leaves has heard enough.
        tokio::spawn(async move { connection.await.ok() });
    }
}

fn told(origin: Instant, number: u32) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let late = Duration::from_nanos(
        u64::from(number) * APART.subsec_nanos() as u64 % EVERY.subsec_nanos() as u64,
    );
    let mut ticks = interval_at(tokio::time::Instant::now() + late, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let events = stream::unfold(ticks, move |mut ticks: Interval| async move {
        ticks.tick().await;
        // As long as a token of a chat is with what is around it.
        let event = format!(
            "data: {:020} {{\"choices\":[{{\"delta\":{{\"content\":\" word\"}}}}]}}\n\n",
            origin.elapsed().as_nanos()
        );
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(event))), ticks))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
