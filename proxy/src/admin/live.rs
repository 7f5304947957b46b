//! How all experiments stand, told again whenever it has changed: what keeps the dashboard live.
//!
//! One stream a page, since a browser opens few connections to one server. It tells little of each experiment;
//! a page asks for more of the one that it shows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Desk;
use super::problem::Problem;
use crate::referee::{Entry, Referee};

/// How often it is looked whether anything has changed.
const PERIOD: Duration = Duration::from_secs(1);

/// All experiments, in the order of the document.
#[derive(Debug, Serialize)]
struct Standing<'a> {
    at_ms: u64,
    experiments: Vec<Row<'a>>,
}

/// What a list shows of one.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    state: &'a str,
    decision: &'a str,
    run: u32,
    step: usize,
    steps: usize,
    started_ms: u64,
    observations: u64,
    shares: Vec<Share<'a>>,
    /// How far the least far of all proofs for a promotion has come, from 0 to 1.
    towards_promotion: f64,
    /// How far the farthest proof of harm has come.
    towards_rollback: f64,
    alarms: Vec<&'a str>,
    reason: &'a str,
    milestones: usize,
    /// Whether a promotion waits for people.
    proposed: bool,
}

#[derive(Debug, Serialize)]
struct Share<'a> {
    arm: &'a str,
    share: f64,
    exposures: u64,
}

/// A page that is kept live.
struct Listener {
    referee: Referee,
    beat: Interval,
    told: String,
    _place: OwnedSemaphorePermit,
}

/// An event `standing` now, and one after each change, at most once a second.
pub(super) async fn listen(
    State(desk): State<Arc<Desk>>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let place = Arc::clone(&desk.listeners).try_acquire_owned();
    let mut beat = interval(PERIOD);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let listener = Listener {
        referee: desk.referee.clone(),
        beat,
        told: String::new(),
        _place: place.map_err(|_| Problem::busy())?,
    };
    let events = unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        Some((Ok(event), listener))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        loop {
            self.beat.tick().await;
            let book = self.referee.book();
            let rows: Vec<Row<'_>> = book.experiments.iter().map(Row::of).collect();
            let told = serde_json::to_string(&rows).ok()?;
            if told == self.told {
                continue;
            }
            self.told = told;
            let event = Event::default().event("standing").json_data(Standing {
                at_ms: crate::referee::unix_ms(),
                experiments: rows,
            });
            return event.ok();
        }
    }
}

impl<'a> Row<'a> {
    fn of(entry: &'a Entry) -> Self {
        let shares = entry.arms.iter().map(|arm| Share {
            arm: &arm.name,
            share: arm.share,
            exposures: arm.exposures,
        });
        let [towards_promotion, towards_rollback] = entry.progress();
        Self {
            name: &entry.name,
            state: entry.state,
            decision: entry.decision,
            run: entry.run,
            step: entry.step,
            steps: entry.steps,
            started_ms: entry.started_ms,
            observations: entry.observations,
            shares: shares.collect(),
            towards_promotion,
            towards_rollback,
            alarms: entry.alarms(),
            reason: &entry.reason,
            milestones: entry.history.len(),
            proposed: entry.proposal.is_some(),
        }
    }
}
