//! Clients that know nothing of Wald but its wire: they send images, look at the labels that come
//! back, and report whether those were right.

mod client;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::ports::Ports;
use super::traffic::{self, TrafficError};
use client::Client;

/// Clients, each with one keep-alive connection.
const CLIENTS: u32 = 8;
/// Time between two requests of one client: 8 of them send 320 a second.
const PAUSE: Duration = Duration::from_millis(25);

/// Traffic that flows until it is stopped.
pub(super) struct Replay {
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    clients: JoinSet<()>,
}

/// What the clients saw.
#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    failed: AtomicU64,
    feedback: AtomicU64,
    refused: AtomicU64,
}

/// What the clients saw up to now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Requests that came back with a label.
    pub(super) answered: u64,
    /// Requests that did not.
    pub(super) failed: u64,
    /// Feedback that was taken.
    pub(super) feedback: u64,
    /// Feedback that was refused.
    pub(super) refused: u64,
}

impl Replay {
    /// Starts the clients of `seed`, unpaced if `fast`.
    pub(super) fn start(ports: Ports, seed: u64, fast: bool) -> Result<Self, TrafficError> {
        let images = Arc::new(traffic::images()?);
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = watch::channel(false);
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = Client::new(
                ports.edge(),
                Arc::clone(&images),
                seed,
                number,
                Arc::clone(&counts),
            );
            clients.spawn(client.run((!fast).then_some(PAUSE), stopped.clone()));
        }
        Ok(Self {
            counts,
            stop,
            clients,
        })
    }

    pub(super) fn tally(&self) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts {
            answered,
            failed,
            feedback,
            refused,
        } = &*self.counts;
        Tally {
            answered: read(answered),
            failed: read(failed),
            feedback: read(feedback),
            refused: read(refused),
        }
    }

    /// Lets each client finish the request it is at.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        self.clients.join_all().await;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            answered,
            failed,
            feedback,
            refused,
        } = self;
        write!(
            f,
            "traffic: {answered} answered, {failed} failed; feedback: {feedback} taken, {refused} refused"
        )
    }
}

impl Counts {
    fn add(count: &AtomicU64, more: usize) {
        count.fetch_add(more as u64, Ordering::Relaxed);
    }
}
