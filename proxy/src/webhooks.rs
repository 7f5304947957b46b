//! Who is sent what happens to experiments: one task a webhook, which follows the audit trail in its order.
//!
//! Control side only, and nobody waits for it: a receiver that is slow or away lags behind, and is sent what it
//! missed when it is back. How far each has come is in the store, so that a restart goes on from there.

mod body;
mod delivery;
mod pause;
mod signature;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use policy::{Policy, Webhook};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

pub(crate) use signature::SigningKey;

use crate::causes::causes;
use crate::live::{Live, Snapshot};
use crate::referee::Referee;
use crate::store::Store;
use delivery::Delivery;

/// A document as it may be shown. Keys and tokens are files that it names, but the path of a webhook may be a secret
/// of its own, as those of Slack are.
pub(crate) fn shown_document(policy: &Policy) -> Value {
    // A document is made of what JSON has.
    let mut shown = serde_json::to_value(&**policy.document()).unwrap_or_default();
    let written = shown.pointer_mut("/events/webhooks");
    let written = written.and_then(Value::as_array_mut);
    for (webhook, compiled) in written.into_iter().flatten().zip(policy.webhooks()) {
        webhook["url"] = json!(format!("{}/…", compiled.place()));
    }
    shown
}

/// How it stands with one webhook. Written by its own task alone.
#[derive(Debug, Default)]
struct Standing {
    name: Box<str>,
    delivered: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    /// The last record that it needs no more.
    position: AtomicU64,
}

/// How it stands with one webhook at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// Which.
    pub(crate) name: Box<str>,
    /// Events that were taken.
    pub(crate) delivered: u64,
    /// Tries that failed, and were or will be repeated.
    pub(crate) failed: u64,
    /// Events that the receiver refused for good.
    pub(crate) refused: u64,
    /// Records of the audit trail that it has not come to.
    pub(crate) lag: u64,
}

/// The way to the task that keeps deliveries.
#[derive(Clone)]
pub(crate) struct Webhooks {
    changed: Arc<Notify>,
    standings: Arc<ArcSwap<Vec<Arc<Standing>>>>,
    trail: Option<Arc<Store>>,
}

impl Webhooks {
    /// Begins to deliver. Webhooks that are new to the store begin after record `since`.
    pub(crate) fn start(live: Live, referee: &Referee, since: u64) -> Self {
        let webhooks = Self {
            changed: Arc::default(),
            standings: Arc::default(),
            trail: referee.trail(),
        };
        tokio::spawn(webhooks.clone().keep(live, since));
        webhooks
    }

    /// Where nobody delivers anything.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            changed: Arc::default(),
            standings: Arc::default(),
            trail: None,
        }
    }

    /// Looks which webhooks there are now.
    pub(crate) fn policy_changed(&self) {
        self.changed.notify_one();
    }

    /// How it stands with each.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let last = self.trail.as_ref();
        let last = last.map_or(0, |trail| *trail.last_record().borrow());
        let shown = |standing: &Arc<Standing>| Shown {
            name: standing.name.clone(),
            delivered: standing.delivered.load(Ordering::Relaxed),
            failed: standing.failed.load(Ordering::Relaxed),
            refused: standing.refused.load(Ordering::Relaxed),
            lag: last.saturating_sub(standing.position.load(Ordering::Relaxed)),
        };
        self.standings.load().iter().map(shown).collect()
    }

    /// Begins what a new document names, and ends what it names no more.
    async fn keep(self, live: Live, mut since: u64) {
        let Some(trail) = self.trail.clone() else {
            return;
        };
        let mut kept: Vec<Kept> = Vec::new();
        loop {
            let snapshot = Arc::clone(&live.load());
            kept.retain(|kept| kept.is_in(&snapshot));
            forget(&trail, &snapshot).await;
            let standings = self.settle(&snapshot);
            for (webhook, standing) in snapshot.policy.webhooks().iter().zip(standings) {
                if kept.iter().any(|kept| kept.webhook.name == webhook.name) {
                    continue;
                }
                let delivery = Delivery {
                    webhook: webhook.clone(),
                    key: snapshot.credentials.webhook(&webhook.name),
                    standing,
                    trail: Arc::clone(&trail),
                };
                kept.push(Kept::begin(delivery, since));
            }
            self.changed.notified().await;
            since = *trail.last_record().borrow();
        }
    }

    /// One standing for each webhook; those of before go on.
    fn settle(&self, snapshot: &Snapshot) -> Vec<Arc<Standing>> {
        let before = self.standings.load_full();
        let standing = |webhook: &Webhook| {
            let known = before.iter().find(|it| it.name == webhook.name);
            known.cloned().unwrap_or_else(|| {
                Arc::new(Standing {
                    name: webhook.name.clone(),
                    ..Standing::default()
                })
            })
        };
        let standings: Vec<_> = snapshot.policy.webhooks().iter().map(standing).collect();
        self.standings.store(Arc::new(standings.clone()));
        standings
    }
}

/// One webhook in force; its task ends with it.
struct Kept {
    webhook: Webhook,
    key: Option<Arc<SigningKey>>,
    _task: JoinSet<()>,
}

impl Kept {
    fn begin(delivery: Delivery, since: u64) -> Self {
        let (webhook, key) = (delivery.webhook.clone(), delivery.key.clone());
        let mut task = JoinSet::new();
        task.spawn(delivery.follow(since));
        Self {
            webhook,
            key,
            _task: task,
        }
    }

    /// Whether it is still to be sent the same, to the same place, signed in the same way.
    fn is_in(&self, snapshot: &Snapshot) -> bool {
        snapshot.policy.webhooks().contains(&self.webhook)
            && snapshot.credentials.webhook(&self.webhook.name) == self.key
    }
}

/// Webhooks that the document does not name begin anew if it ever does again.
async fn forget(trail: &Arc<Store>, snapshot: &Snapshot) {
    let named = snapshot.policy.webhooks().iter();
    let named: Vec<_> = named.map(|it| it.name.clone()).collect();
    let trail = Arc::clone(trail);
    let forgotten =
        tokio::task::spawn_blocking(move || trail.write(|tx| tx.keep_deliveries(&named)));
    if let Ok(Err(error)) = forgotten.await {
        tracing::warn!(error = %causes(&error), "webhooks of before are not forgotten");
    }
}
