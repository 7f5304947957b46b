//! Connections that change to another protocol, such as WebSocket (RFC 9110 §7.8): Wald asks the upstream for it, and
//! passes bytes on when both have changed.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, HeaderMap, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use policy::Placement;
use tokio::io::copy_bidirectional;
use tokio_util::io::InspectReader;

use crate::observe::Passage;
use crate::refusal::Refusal;

/// What becomes of the client's connection, if it wishes to change its protocol.
pub(super) fn wish<B>(request: &mut Request<B>) -> Option<OnUpgrade> {
    let wishes = request.headers().contains_key(UPGRADE);
    wishes.then(|| hyper::upgrade::on(request))
}

/// Asks the upstream to change to this protocol, if the route lets it.
pub(super) fn ask(
    headers: &mut HeaderMap,
    protocol: HeaderValue,
    placement: &Placement,
    passage: &Passage,
) -> Result<(), Refusal> {
    let routes = passage.view().snapshot().policy.routes();
    let route = routes.get(placement.route().index());
    if !route.is_some_and(|route| route.may_upgrade(protocol.as_bytes())) {
        return Err(Refusal::Upgrade);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
    Ok(())
}

/// If the upstream has changed its protocol, passes on what both say, until one of them ends or both are silent for
/// `idle`.
pub(super) fn dig<B>(client: Option<OnUpgrade>, response: &mut Response<B>, idle: Duration) {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let server = hyper::upgrade::on(response);
    if let Some(client) = client {
        tokio::task::spawn_local(async move {
            match tokio::try_join!(client, server) {
                Ok((client, server)) => pass(client, server, idle).await,
                Err(error) => tracing::debug!(%error, "no tunnel"),
            }
        });
    }
}

async fn pass(client: Upgraded, server: Upgraded, idle: Duration) {
    let moved = Rc::new(Cell::new(Instant::now()));
    let watched = |side| {
        let moved = Rc::clone(&moved);
        InspectReader::new(TokioIo::new(side), move |_read: &[u8]| {
            moved.set(Instant::now())
        })
    };
    let (mut client, mut server) = (watched(client), watched(server));
    tokio::select! {
        passed = copy_bidirectional(&mut client, &mut server) => {
            tracing::debug!(?passed, "a tunnel ended");
        }
        () = silence(&moved, idle) => tracing::debug!("a tunnel fell silent"),
    }
}

/// Ends when nothing has moved for so long.
async fn silence(moved: &Cell<Instant>, idle: Duration) {
    loop {
        let until = moved.get() + idle;
        if until <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(until.into()).await;
    }
}
