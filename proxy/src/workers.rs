//! How the control side speaks to the workers: bounded mailboxes, one a worker.
//!
//! A worker owns its evidence and its counters; nobody reads them but itself. Whoever wants them asks
//! through its mailbox and gets them handed over by value, so the request path needs no lock.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::observe::{Counters, Limits, Observed};

/// How many questions may wait in one worker's mailbox.
const MAILBOX: usize = 64;

/// What a worker can be asked.
pub(crate) enum Ask {
    /// Hand over the evidence gathered since the last time, and hold what comes against these limits.
    Evidence(Arc<Limits>, oneshot::Sender<Vec<Observed>>),
    /// Hand over a copy of the counters since the start.
    Counters(oneshot::Sender<Counters>),
}

/// The mailboxes of all workers.
#[derive(Clone)]
pub(crate) struct Workers(Vec<mpsc::Sender<Ask>>);

impl Workers {
    /// Mailboxes for `count` workers, and the ends that the workers read.
    pub(crate) fn new(count: usize) -> (Self, Vec<mpsc::Receiver<Ask>>) {
        let (senders, receivers) = (0..count).map(|_| mpsc::channel(MAILBOX)).unzip();
        (Self(senders), receivers)
    }

    /// The evidence of every worker that still answers; from now on they use these limits.
    pub(crate) async fn evidence(&self, limits: Arc<Limits>) -> Vec<Observed> {
        self.gather(|reply| Ask::Evidence(Arc::clone(&limits), reply))
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    /// The counters of every worker that still answers.
    pub(crate) async fn counters(&self) -> Vec<Counters> {
        self.gather(Ask::Counters).await
    }

    async fn gather<T>(&self, ask: impl Fn(oneshot::Sender<T>) -> Ask) -> Vec<T> {
        let mut waiting = Vec::with_capacity(self.0.len());
        for mailbox in &self.0 {
            let (reply, answer) = oneshot::channel();
            if mailbox.send(ask(reply)).await.is_ok() {
                waiting.push(answer);
            }
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for answer in waiting {
            answers.extend(answer.await.ok());
        }
        answers
    }
}
