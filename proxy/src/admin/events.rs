//! What happens to experiments, as it happens: the audit chain as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use http::HeaderMap;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Desk;
use super::problem::Problem;
use crate::audit::Record;
use crate::referee::Referee;

/// How many may listen at once.
pub(super) const LISTENERS_MAX: usize = 64;

/// Where to begin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    /// After the record with this number.
    after: Option<u64>,
}

/// Someone who listens.
struct Listener {
    referee: Referee,
    last: u64,
    grown: watch::Receiver<u64>,
    waiting: VecDeque<(u64, Record)>,
    _place: OwnedSemaphorePermit,
}

/// Every transition, alarm and order from now on, or from where the listener was when its connection broke
/// (`Last-Event-ID`). Each is a CloudEvent; its id is the number of its record in the audit chain.
pub(super) async fn listen(
    State(desk): State<Arc<Desk>>,
    Query(since): Query<Since>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let place = Arc::clone(&desk.listeners).try_acquire_owned();
    let grown = desk.referee.last_record().ok_or_else(Problem::busy)?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let seen = seen.and_then(|id| id.parse().ok()).or(since.after);
    let listener = Listener {
        referee: desk.referee.clone(),
        last: seen.unwrap_or_else(|| *grown.borrow()),
        grown,
        waiting: VecDeque::new(),
        _place: place.map_err(|_| Problem::busy())?,
    };
    let events = unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

impl Listener {
    /// The next event; none when the chain can be read no more. Whoever listens comes again then.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((number, record)) = self.waiting.pop_front() {
                self.last = number;
                let (kind, event) = record.cloud_event().ok()?;
                let event = Event::default()
                    .id(number.to_string())
                    .event(kind)
                    .json_data(event);
                return event.ok();
            }
            let last = self.last;
            self.grown.wait_for(|number| *number > last).await.ok()?;
            self.waiting = self.referee.records_after(last).await?.into();
        }
    }
}
