//! The referee's task: one beat after another, collect, judge, write down, publish; letters in between.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::keeper::Keeper;
use super::order::OrderError;
use super::{Letter, unix_ms};
use crate::observe::Observed;
use crate::workers::Workers;

/// How often evidence is collected.
const BEAT: Duration = Duration::from_millis(500);

/// The referee's mailbox and its clock.
pub(super) struct Task {
    keeper: Keeper,
    workers: Workers,
    mailbox: mpsc::Receiver<Letter>,
}

impl Task {
    pub(super) fn new(keeper: Keeper, workers: Workers, mailbox: mpsc::Receiver<Letter>) -> Self {
        Self {
            keeper,
            workers,
            mailbox,
        }
    }

    /// Judges until somebody closes the referee or nobody is left to ask it.
    pub(super) async fn judge(mut self) {
        let mut beat = tokio::time::interval_at(Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => self.beat().await,
                letter = self.mailbox.recv() => match letter {
                    Some(Letter::Close(reply)) => {
                        let left = self.close().await;
                        drop(self);
                        // Whoever asked may have stopped waiting.
                        return drop(reply.send(left));
                    }
                    Some(letter) => self.obey(letter).await,
                    None => return,
                },
            }
        }
    }

    /// Does what a letter says. Whoever sent it may have stopped waiting for the answer.
    async fn obey(&mut self, letter: Letter) {
        match letter {
            // No answer: it cannot be counted now, and is to be sent again.
            Letter::Feedback(..) if !self.keeper.has_store() => {}
            Letter::Feedback(items, reply) => drop(reply.send(self.keeper.count(&items))),
            Letter::Adopt(candidate, reply) => {
                drop(reply.send(self.keeper.adopt(*candidate, unix_ms()).await));
            }
            Letter::Trust(trust, reply) => {
                self.keeper.trust(trust, unix_ms()).await;
                reply.send(()).unwrap_or_default();
            }
            Letter::Note(event, reply) => drop(reply.send(self.keeper.append(event).await)),
            Letter::Order(order, reply) => {
                let followed = if self.keeper.has_store() {
                    // What the workers know by now may speak against it.
                    self.beat().await;
                    self.keeper.follow(&order, unix_ms()).await
                } else {
                    Err(OrderError::Busy)
                };
                drop(reply.send(followed));
            }
            Letter::Series(name, after_ms, reply) => {
                drop(reply.send(self.keeper.series(&name, after_ms)));
            }
            Letter::Evidence(name, reply) => drop(reply.send(self.keeper.evidence(&name))),
            Letter::Audit(reply) => drop(reply.send(self.keeper.audit().await)),
            Letter::Hear(evidence) => self.keeper.hear(evidence),
            Letter::Lend(reply) => {
                self.beat().await;
                drop(reply.send(self.keeper.lend().await));
            }
            Letter::Reclaim(reply) => {
                self.keeper.reclaim().await;
                reply.send(()).unwrap_or_default();
            }
            Letter::Close(reply) => drop(reply.send(self.close().await)),
        }
    }

    async fn beat(&mut self) {
        self.keeper.retry().await;
        if !self.keeper.has_store() {
            return;
        }
        let now_ms = unix_ms();
        let evidence = self.workers.evidence(self.keeper.limits()).await;
        self.keeper.beat(evidence, now_ms).await;
    }

    /// Writes down what is left, or gives it to whom the store was lent.
    async fn close(&mut self) -> Vec<Observed> {
        if !self.keeper.has_store() {
            return self.workers.evidence(self.keeper.limits()).await;
        }
        self.beat().await;
        self.keeper.checkpoint().await;
        self.keeper.keep_series().await;
        self.keeper.sign(unix_ms()).await;
        // Whoever follows the audit chain may hold it for longer.
        self.keeper.store.close();
        Vec::new()
    }
}
