//! The task that fetches: what is due, what is asked for, and what becomes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use policy::{KeyServer, KeySource};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fetch::{FetchError, fetch};
use super::{Standing, Wish};
use crate::causes::causes;
use crate::identify::KeySet;
use crate::live::Live;
use crate::referee::Referee;

/// How long after an unknown key the next one may cause a fetch: what a flood of invented keys can do to an
/// issuer.
const ASKED_PAUSE: Duration = Duration::from_secs(5);

/// How long after a failure the next try comes; doubled after each.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(300);

/// When nothing is due: how long until somebody looks again.
const IDLE: Duration = Duration::from_secs(3600);

type Fetched = (Arc<str>, KeyServer, Result<KeySet, FetchError>);

/// All servers of the document in force.
pub(super) struct Task {
    live: Live,
    referee: Referee,
    servers: BTreeMap<Arc<str>, Server>,
    fetches: JoinSet<Fetched>,
    standings: Arc<ArcSwap<Vec<Standing>>>,
}

/// One server.
struct Server {
    source: KeyServer,
    set: Option<Arc<KeySet>>,
    due: Instant,
    asked: Option<Instant>,
    is_fetching: bool,
    waiting: Vec<oneshot::Sender<()>>,
    failures: u32,
    standing: Standing,
}

impl Task {
    pub(super) fn new(
        live: Live,
        referee: Referee,
        standings: Arc<ArcSwap<Vec<Standing>>>,
    ) -> Self {
        Self {
            live,
            referee,
            servers: BTreeMap::new(),
            fetches: JoinSet::new(),
            standings,
        }
    }

    /// Fetches until nobody can ask any more.
    pub(super) async fn serve(mut self, mut wishes: mpsc::Receiver<Wish>) {
        loop {
            self.settle();
            self.forget_stale().await;
            self.begin_due();
            self.tell();
            let next = self.next();
            tokio::select! {
                wish = wishes.recv() => match wish {
                    Some(Wish::Fetch(issuer, seen, reply)) => {
                        // Others came meanwhile: whoever asks looks at these first.
                        if Arc::ptr_eq(&seen, &self.live.load().key_sets) {
                            self.asked(&issuer, reply);
                        }
                    }
                    Some(Wish::Changed) => {}
                    None => return,
                },
                Some(done) = self.fetches.join_next() => if let Ok(fetched) = done {
                    self.take(fetched).await;
                },
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Keeps the servers that the document in force still names, and begins with those that are new.
    fn settle(&mut self) {
        let policy = Arc::clone(&self.live.load().policy);
        let named: BTreeMap<Arc<str>, KeyServer> = policy
            .issuers()
            .iter()
            .filter_map(|issuer| match &issuer.keys {
                KeySource::Url(server) => Some((Arc::clone(&issuer.name), server.clone())),
                KeySource::File(_) => None,
            })
            .collect();
        self.servers
            .retain(|name, server| named.get(name) == Some(&server.source));
        for (name, source) in named {
            self.servers
                .entry(Arc::clone(&name))
                .or_insert_with(|| Server::new(name, source));
        }
    }

    /// Keys are believed for a while after their server was last heard of, and no longer.
    async fn forget_stale(&mut self) {
        let now = Instant::now();
        for (name, server) in &mut self.servers {
            if server.stale_at().is_none_or(|stale_at| now < stale_at) {
                continue;
            }
            tracing::error!(issuer = %name, stale = ?server.source.stale, "keys are too old to be believed any more");
            server.set = None;
            let source = KeySource::Url(server.source.clone());
            self.referee.trust(name, source, None).await;
        }
    }

    fn begin_due(&mut self) {
        let now = Instant::now();
        for (name, server) in &mut self.servers {
            if server.is_fetching || now < server.due {
                continue;
            }
            server.is_fetching = true;
            let (name, source) = (Arc::clone(name), server.source.clone());
            self.fetches.spawn(async move {
                let fetched = fetch(&source).await;
                (name, source, fetched)
            });
        }
    }

    fn tell(&self) {
        let standings = self.servers.values().map(|server| server.standing.clone());
        self.standings.store(Arc::new(standings.collect()));
    }

    /// When something has to be done next.
    fn next(&self) -> Instant {
        let times = self.servers.values().flat_map(|server| {
            let due = (!server.is_fetching).then_some(server.due);
            [due, server.stale_at()]
        });
        let idle = Instant::now() + IDLE;
        times.flatten().min().unwrap_or(idle).min(idle)
    }

    /// A request waits for a fetch that is under way, or for one that begins now unless the last one that was
    /// asked for was only a moment ago. Dropping `reply` says that nothing will come.
    fn asked(&mut self, issuer: &str, reply: oneshot::Sender<()>) {
        let Some(server) = self.servers.get_mut(issuer) else {
            return;
        };
        let now = Instant::now();
        let is_too_soon = server.asked.is_some_and(|asked| now < asked + ASKED_PAUSE);
        if !server.is_fetching {
            if is_too_soon {
                return;
            }
            (server.asked, server.due) = (Some(now), now);
        }
        server.waiting.push(reply);
    }

    async fn take(&mut self, (name, source, fetched): Fetched) {
        let Some(server) = self.servers.get_mut(&name) else {
            return;
        };
        if server.source != source {
            return;
        }
        server.is_fetching = false;
        let waiting = std::mem::take(&mut server.waiting);
        let Some(set) = server.took(&name, fetched) else {
            return;
        };
        self.referee
            .trust(&name, KeySource::Url(source), Some(set))
            .await;
        for reply in waiting {
            // Whoever has stopped waiting needs no answer.
            reply.send(()).unwrap_or_default();
        }
    }
}

impl Server {
    fn new(issuer: Arc<str>, source: KeyServer) -> Self {
        Self {
            source,
            set: None,
            due: Instant::now(),
            asked: None,
            is_fetching: false,
            waiting: Vec::new(),
            failures: 0,
            standing: Standing {
                issuer,
                changed: 0,
                unchanged: 0,
                failed: 0,
                fetched: None,
            },
        }
    }

    /// When its keys may be used no more; none while there are none.
    fn stale_at(&self) -> Option<Instant> {
        self.set.as_ref()?;
        Some(Instant::from_std(self.standing.fetched?) + self.source.stale)
    }

    /// Notes what came; the set, if it is another one than before.
    fn took(&mut self, name: &str, fetched: Result<KeySet, FetchError>) -> Option<Arc<KeySet>> {
        let now = Instant::now();
        let set = match fetched {
            Ok(set) => Arc::new(set),
            Err(error) => {
                let pause = RETRY
                    .saturating_mul(1 << self.failures.min(16))
                    .min(RETRY_MAX);
                self.failures = self.failures.saturating_add(1);
                self.standing.failed += 1;
                self.due = now + pause.min(self.source.refresh);
                let (url, error) = (&self.source.url, causes(&error));
                tracing::warn!(issuer = name, %url, error, "keys cannot be fetched; those before stay in use");
                return None;
            }
        };
        self.failures = 0;
        self.due = now + self.source.refresh;
        self.standing.fetched = Some(now.into_std());
        if self.set.as_ref().is_some_and(|before| before.is_same(&set)) {
            self.standing.unchanged += 1;
            return None;
        }
        self.standing.changed += 1;
        let (keys, unusable) = (set.len(), set.unusable());
        tracing::info!(issuer = name, keys, unusable, "new keys");
        self.set = Some(Arc::clone(&set));
        Some(set)
    }
}
