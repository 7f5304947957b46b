//! Keeps the rosters in force up to date, and lets go of the others.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Roster, lookup, probe};
use crate::live::Live;

/// The way to the task that keeps rosters.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Notify>);

impl Keeper {
    /// Begins to keep the rosters in force.
    pub(crate) fn start(live: Live) -> Self {
        let changed = Arc::<Notify>::default();
        tokio::spawn(keep(live, Arc::clone(&changed)));
        Self(changed)
    }

    /// Where nobody keeps anything: each server stays as the document says.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self(Arc::default())
    }

    /// Looks which rosters there are now.
    pub(crate) fn policy_changed(&self) {
        self.0.notify_one();
    }
}

/// A roster and what works on it until it is dropped.
struct Kept {
    roster: Arc<Roster>,
    _tasks: JoinSet<()>,
}

async fn keep(live: Live, changed: Arc<Notify>) {
    let mut kept: Vec<Kept> = Vec::new();
    loop {
        let rosters = Arc::clone(&live.load().rosters);
        kept.retain(|kept| rosters.iter().any(|it| Arc::ptr_eq(it, &kept.roster)));
        for roster in rosters.iter() {
            if !kept.iter().any(|kept| Arc::ptr_eq(roster, &kept.roster)) {
                kept.push(Kept {
                    roster: Arc::clone(roster),
                    _tasks: work(roster, &live),
                });
            }
        }
        changed.notified().await;
    }
}

/// One task for each name, and one that asks all servers.
fn work(roster: &Arc<Roster>, live: &Live) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for (position, endpoint) in roster.upstream.endpoints.iter().enumerate() {
        if endpoint.authority.parse::<std::net::SocketAddr>().is_err() {
            tasks.spawn(lookup::follow(Arc::clone(roster), position));
        }
    }
    if let Some(health) = roster.upstream.health.clone() {
        tasks.spawn(probe::ask(Arc::clone(roster), health, live.clone()));
    }
    tasks
}
