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
        let beats_per_second = 1000 / 10;
        let each = (per_second / connections / beats_per_second).max(1);
        let mut running = JoinSet::new();
        for connection in 0..connections {
            let (stop, answered) = (stop.clone(), answered.clone());
            running.spawn(converse(address, path, connection, each, stop, answered));
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

async fn converse(
    address: SocketAddr,
    path: &'static str,
    connection: u32,
    each: u32,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut client = Client::open(address).await;
    let mut beat = interval(BEAT);
    // What could not be sent in its beat is sent as soon as possible: a slow proxy gets no relief.
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        beat.tick().await;
        for _ in 0..each {
            let user = format!("{connection}-{sent}");
            sent += 1;
            match client
                .attempt(Method::GET, path, &[("x-user", &user)], Bytes::new())
                .await
            {
                Ok(answer) => {
                    *outcome.answers.entry(answer.status).or_default() += 1;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    *outcome.lost.entry(format!("{error:?}")).or_default() += 1;
                    client = Client::open(address).await;
                }
            }
        }
    }
    outcome
}
