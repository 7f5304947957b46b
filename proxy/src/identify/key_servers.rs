//! Keys of issuers that come from a server: fetched in the background, and at once when a token names a key
//! that nobody knows yet.
//!
//! One task on the control side does it for all, so that however many requests ask, there is one fetch at a
//! time. It hands what it got to the referee, who alone publishes, and only then lets the requests go on.

mod fetch;
mod task;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

pub(crate) use fetch::fetch;

use crate::identify::KeySets;
use crate::live::Live;
use crate::referee::Referee;
use task::Task;

/// The longest that a request waits for a key that is not known yet.
const KEY_WAIT_MAX: Duration = Duration::from_secs(2);

/// How many requests may ask at once; more are told that the key is unknown.
const MAILBOX: usize = 256;

/// What others ask of the task.
enum Wish {
    /// A token names a key that this issuer does not have in these sets.
    Fetch(Arc<str>, Arc<KeySets>, oneshot::Sender<()>),
    /// Another document is in force.
    Changed,
}

/// How it stands with one issuer whose keys come from a server.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The issuer.
    pub(crate) issuer: Arc<str>,
    /// Fetches that brought other keys.
    pub(crate) changed: u64,
    /// Fetches that brought the same ones.
    pub(crate) unchanged: u64,
    /// Fetches that brought none.
    pub(crate) failed: u64,
    /// When keys last came.
    pub(crate) fetched: Option<Instant>,
}

/// The way to the task that fetches keys.
#[derive(Clone)]
pub(crate) struct KeyServers {
    wishes: mpsc::Sender<Wish>,
    standings: Arc<ArcSwap<Vec<Standing>>>,
}

impl KeyServers {
    /// Begins to fetch the keys of every issuer in force that has a server.
    pub(crate) fn start(live: Live, referee: Referee) -> Self {
        let (wishes, waiting) = mpsc::channel(MAILBOX);
        let standings = Arc::new(ArcSwap::default());
        let task = Task::new(live, referee, Arc::clone(&standings));
        tokio::spawn(task.serve(waiting));
        Self { wishes, standings }
    }

    /// Where nobody fetches anything: every unknown key stays unknown.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            wishes: mpsc::channel(1).0,
            standings: Arc::default(),
        }
    }

    /// Has the keys of an issuer fetched again, unless that was asked for a moment ago, and returns when they
    /// are in force, or will not be soon. `seen` are the keys among which one was missing.
    pub(crate) async fn refresh(&self, issuer: &Arc<str>, seen: Arc<KeySets>) {
        let (reply, answer) = oneshot::channel();
        let wish = Wish::Fetch(Arc::clone(issuer), seen, reply);
        if self.wishes.try_send(wish).is_ok() {
            // However it ends: the caller looks which keys are in force then.
            drop(tokio::time::timeout(KEY_WAIT_MAX, answer).await);
        }
    }

    /// Looks which issuers there are now.
    pub(crate) fn policy_changed(&self) {
        // Full: then the task will look anyway, as it does after every wish.
        drop(self.wishes.try_send(Wish::Changed));
    }

    /// How it stands with each issuer.
    pub(crate) fn standings(&self) -> Arc<Vec<Standing>> {
        self.standings.load_full()
    }
}
