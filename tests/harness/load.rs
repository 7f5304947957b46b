//! Steady load: many connections, a fixed rate, every answer looked at.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Client;

/// How often each connection sends its share of the requests that are due.
const BEATS_PER_SECOND: u32 = 100;
const BEAT: Duration = Duration::from_millis(10);

/// Load that goes on until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    connections: JoinSet<Outcome>,
}

/// How the requests of a load went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Answers, by status.
    pub answers: BTreeMap<StatusCode, u64>,
    /// Requests without an answer, by what went wrong.
    pub lost: BTreeMap<String, u64>,
}

impl Load {
    /// Sends `per_second` GETs of `path`, spread over `connections`; each request names a user of its own.
    pub fn start(
        address: SocketAddr,
        path: &'static str,
        connections: u32,
        per_second: u32,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        let each = (per_second / connections / BEATS_PER_SECOND).max(1).into();
        let mut running = JoinSet::new();
        for number in 0..connections {
            let (stop, answered) = (stop.clone(), answered.clone());
            let lane = Lane {
                address,
                path,
                number,
                each,
                stop,
                answered,
            };
            running.spawn(lane.converse());
        }
        Self {
            stop,
            answered,
            connections: running,
        }
    }

    /// How many requests were answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the load, and says how all of it went.
    pub async fn stop(self) -> Outcome {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Outcome::default();
        for outcome in self.connections.join_all().await {
            all.add(outcome);
        }
        all
    }
}

impl Outcome {
    /// All requests, answered or lost.
    pub fn requests(&self) -> u64 {
        self.answers.values().chain(self.lost.values()).sum()
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.answers {
            *self.answers.entry(status).or_default() += count;
        }
        for (reason, count) in other.lost {
            *self.lost.entry(reason).or_default() += count;
        }
    }
}

/// One connection of a load.
struct Lane {
    address: SocketAddr,
    path: &'static str,
    number: u32,
    /// Requests in each beat.
    each: u64,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Lane {
    /// Sends until it is stopped, or until nobody takes its connection any more.
    async fn converse(self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut client = Client::open(self.address).await;
        let mut beat = interval(BEAT);
        // What could not be sent in its beat is sent as soon as possible: a slow proxy gets no relief.
        beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for sent in 0_u64.. {
            if sent.is_multiple_of(self.each) {
                beat.tick().await;
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let user = format!("{}-{sent}", self.number);
            let headers = [("x-user", user.as_str())];
            match client
                .attempt(Method::GET, self.path, &headers, Bytes::new())
                .await
            {
                Ok(answer) => {
                    *outcome.answers.entry(answer.status).or_default() += 1;
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    *outcome.lost.entry(format!("{error:?}")).or_default() += 1;
                    match Client::knock(self.address).await {
                        Ok(again) => client = again,
                        Err(_) => break,
                    }
                }
            }
        }
        outcome
    }
}
