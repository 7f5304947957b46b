//! How a document comes into force: read, compiled, its models loaded, handed to the referee. All or nothing.

mod cascades;
mod frame;
mod prepare;
mod streams;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use config::Problems;
use policy::Policy;
use tokio::sync::{mpsc, oneshot};

pub(crate) use frame::{frame, place};
#[cfg(test)]
pub(crate) use prepare::key_sets;
pub(crate) use prepare::{Digest, PrepareError, prepare};

use crate::causes::causes;
use crate::credentials;
use crate::identify::key_servers::KeyServers;
use crate::live::Live;
use crate::members::Keeper;
use crate::referee::{AdoptError, Adopted, Candidate, Referee};
use crate::webhooks::Webhooks;

use streams::Streams;
use watch::Folders;

/// How many wishes may wait; one that finds no room is covered by those that wait.
const MAILBOX: usize = 8;

/// Why the document in force was not replaced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReloadError {
    /// The document, or a file that it names, cannot be used.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// It changes what only a restart can.
    #[error("{what} cannot change while wald runs: restart it to use this document")]
    Restart {
        /// Which part of the document.
        what: &'static str,
    },
    /// The referee could not begin its runs.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
}

impl ReloadError {
    /// The problems of the document, if that is the reason.
    pub(crate) fn problems(&self) -> Option<&Problems> {
        match self {
            Self::Prepare(PrepareError::Document(problems)) => Some(problems),
            _ => None,
        }
    }
}

/// What a reload did.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Reloaded {
    /// The hash of the policy now in force.
    pub(crate) hash: String,
    /// Whether it is another one than before.
    pub(crate) changed: bool,
    /// What became of the experiments.
    pub(crate) experiments: Adopted,
}

/// Who may ask, and what for.
enum Wish {
    /// The file may have changed.
    IfChanged,
    /// Somebody asks for it in any case: who, and how to tell what came of it.
    Now(
        String,
        Option<oneshot::Sender<Result<Reloaded, ReloadError>>>,
    ),
}

/// How many reloads went which way.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// How often an agent that issues certificates could not be heard.
    agents: Arc<AtomicU64>,
}

impl Outcomes {
    /// Those that put a document in force, or found it in force already.
    pub(crate) fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    /// How often an agent that issues certificates could not be heard.
    pub(crate) fn agents(&self) -> u64 {
        self.agents.load(Ordering::Relaxed)
    }

    /// Those that left the old one in force.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// The way to the one task that reloads.
#[derive(Clone)]
pub(crate) struct Reload {
    wishes: mpsc::Sender<Wish>,
    outcomes: Arc<Outcomes>,
}

impl Reload {
    /// Starts to watch the document, whose files had these contents when they were read, and to listen for
    /// SIGHUP.
    pub(crate) fn start(
        (document, read): (PathBuf, Digest),
        live: Live,
        referee: Referee,
        (key_servers, keeper, webhooks): (KeyServers, Keeper, Webhooks),
    ) -> Self {
        let (wishes, waiting) = mpsc::channel(MAILBOX);
        let outcomes = Arc::new(Outcomes::default());
        watch::signals(wishes.clone());
        let folders = Folders::new(wishes.clone());
        let failures = Arc::clone(&outcomes.agents);
        let streams = Streams::new(wishes.clone(), live.clone(), failures);
        let task = Task {
            document,
            live,
            referee,
            key_servers,
            keeper,
            webhooks,
            outcomes: Arc::clone(&outcomes),
        };
        // What has changed while Wald started is seen at once; full, it never is with nobody to wish yet.
        drop(wishes.try_send(Wish::IfChanged));
        tokio::spawn(task.serve(read, (folders, streams), waiting));
        Self { wishes, outcomes }
    }

    /// Reloads for somebody, and says what came of it.
    pub(crate) async fn now(&self, by: String) -> Result<Reloaded, ReloadError> {
        let (reply, answer) = oneshot::channel();
        self.wishes
            .send(Wish::Now(by, Some(reply)))
            .await
            .map_err(|_| AdoptError::Ending)?;
        answer.await.map_err(|_| AdoptError::Ending)?
    }

    /// How reloads went so far.
    pub(crate) fn outcomes(&self) -> &Outcomes {
        &self.outcomes
    }
}

struct Task {
    document: PathBuf,
    live: Live,
    referee: Referee,
    key_servers: KeyServers,
    keeper: Keeper,
    webhooks: Webhooks,
    outcomes: Arc<Outcomes>,
}

impl Task {
    async fn serve(
        self,
        read: Digest,
        (mut folders, mut streams): (Folders, Streams),
        mut wishes: mpsc::Receiver<Wish>,
    ) {
        self.watch(&mut folders);
        self.listen(&mut streams);
        let mut in_force = read;
        while let Some(wish) = wishes.recv().await {
            let found = self.digest();
            let (by, reply) = match wish {
                Wish::IfChanged if found == in_force => continue,
                Wish::IfChanged => (None, None),
                Wish::Now(by, reply) => (Some(by), reply),
            };
            let before = Arc::clone(&self.live.load().policy);
            in_force = found;
            let outcome = self.reload(by).await;
            self.tell(&outcome);
            let after = Arc::clone(&self.live.load().policy);
            // As long as the files are the same ones, what changed since `found` is still to be seen.
            if !prepare::files(&before).eq(prepare::files(&after)) {
                in_force = self.watch(&mut folders);
            }
            self.listen(&mut streams);
            if let Some(reply) = reply {
                drop(reply.send(outcome));
            }
        }
    }

    /// Listens to the agents of the policy in force.
    fn listen(&self, streams: &mut Streams) {
        let policy = Arc::clone(&self.live.load().policy);
        streams.follow(credentials::agents(&policy).map(PathBuf::as_path));
    }

    /// Watches what the policy in force was made of, and says what is in it.
    fn watch(&self, folders: &mut Folders) -> Digest {
        let policy = Arc::clone(&self.live.load().policy);
        let files = prepare::files(&policy);
        folders.watch(std::iter::once(&*self.document).chain(files));
        self.digest()
    }

    /// What is in the files that the policy in force was made of.
    fn digest(&self) -> Digest {
        contents(&self.document, &self.live.load().policy)
    }

    async fn reload(&self, by: Option<String>) -> Result<Reloaded, ReloadError> {
        let in_force = Arc::clone(&self.live.load());
        let before = Arc::clone(&in_force.policy);
        let document = self.document.clone();
        let prepared = tokio::task::spawn_blocking(move || prepare(&document, Some(&in_force)));
        let candidate = prepared.await.unwrap_or(Err(PrepareError::Interrupted))?;
        if let Some(what) = needs_restart(&before, &candidate.policy) {
            return Err(ReloadError::Restart { what });
        }
        let hash = candidate.policy.hash().to_owned();
        let candidate = Candidate { by, ..candidate };
        let experiments = self.referee.adopt(candidate).await?;
        self.key_servers.policy_changed();
        self.keeper.policy_changed();
        self.webhooks.policy_changed();
        Ok(Reloaded {
            changed: hash != before.hash(),
            hash,
            experiments,
        })
    }

    fn tell(&self, outcome: &Result<Reloaded, ReloadError>) {
        match outcome {
            Ok(Reloaded {
                hash,
                changed,
                experiments,
            }) => {
                self.outcomes.succeeded.fetch_add(1, Ordering::Relaxed);
                let Adopted {
                    kept,
                    started,
                    removed,
                } = experiments;
                tracing::info!(hash, changed, ?kept, ?started, ?removed, "reloaded");
            }
            Err(error) => {
                self.outcomes.failed.fetch_add(1, Ordering::Relaxed);
                for problem in error.problems().into_iter().flatten() {
                    tracing::error!(%problem, "problem in the document");
                }
                // Problems of the document have an event each.
                let error = match error.problems() {
                    Some(_) => error.to_string(),
                    None => causes(error),
                };
                tracing::error!(error, "not reloaded; the document before stays in force");
            }
        }
    }
}

/// What is in a document and in the files that its policy was made of.
pub(crate) fn contents(document: &Path, policy: &Policy) -> Digest {
    prepare::digest(std::iter::once(document).chain(prepare::files(policy)))
}

/// The first part of the document that differs and that only a restart can change.
fn needs_restart(before: &Policy, after: &Policy) -> Option<&'static str> {
    let listeners = |policy: &Policy| {
        policy
            .listeners()
            .iter()
            .map(|it| {
                // What bodies may be is what each request looks up.
                let limits = policy::ListenerLimits {
                    body_bytes: 0,
                    body_rate: 0,
                    ..it.limits
                };
                let fixed = (limits, it.proxy_protocol.clone(), it.http1, it.http2);
                (it.name.to_string(), it.address.clone(), fixed)
            })
            .collect::<Vec<_>>()
    };
    let parts = [
        (
            "the listeners' names, addresses, protocols and limits",
            listeners(before) != listeners(after),
        ),
        (
            "the admin address",
            before.admin().address != after.admin().address,
        ),
        (
            "how the audit trail is signed",
            before.audit() != after.audit(),
        ),
        ("the store's path", before.store() != after.store()),
        ("the number of workers", before.workers() != after.workers()),
    ];
    parts
        .into_iter()
        .find_map(|(what, differs)| differs.then_some(what))
}

/// The folder that relative paths of a document start at.
fn folder(document: &Path) -> &Path {
    match document.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::snapshot;

    const DOCUMENT: &str = "\
version: wald/v1
listeners: [{ name: edge, address: 127.0.0.1:0 }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { respond: { status: 204 } } }]
";

    /// Whether a document that was read as `read` is reloaded, though nobody asks and nothing changes any more.
    async fn is_reloaded(read: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wald.yaml");
        std::fs::write(&path, read).unwrap();
        let live = Live::new(snapshot(DOCUMENT));
        let digest = contents(&path, &live.load().policy);
        std::fs::write(&path, DOCUMENT).unwrap();
        let (referee, servers) = (Referee::for_tests(), KeyServers::for_tests());
        let servers = (servers, Keeper::for_tests(), Webhooks::for_tests());
        let reload = Reload::start((path, digest), live, referee, servers);
        // Nobody adopts a document here: each attempt fails, and the one that is asked for comes last.
        assert!(reload.now("somebody".to_owned()).await.is_err());
        reload.outcomes().failed() == 2
    }

    #[tokio::test]
    async fn what_changed_while_wald_started_is_seen() {
        assert!(is_reloaded("version: wald/v0\n").await);
        assert!(!is_reloaded(DOCUMENT).await);
    }
}
