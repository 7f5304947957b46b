//! How one Wald takes over from another while traffic runs (`wald run --upgrade`).
//!
//! Both hold the listening sockets for a while, so that no connection is refused: the one that runs goes on
//! accepting until the other serves. In order: the other reads its document and loads everything that it
//! names, gets copies of the sockets, asks for the store to be closed, opens it and serves; then the first
//! drains, and sends what its last requests were evidence of. Until the last step but one it can go back: when
//! the other ends too early, the store is opened again and nothing has happened. Envoy's hot restart and
//! HAProxy's `-x` pass sockets the same way (`SCM_RIGHTS`, unix(7)).

mod give;
mod heir;
mod line;
mod take;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) use give::{Copies, Estate};
pub(crate) use heir::{start_on_signal, tell_leaving};
pub(crate) use take::{Inherited, Taking};

use crate::causes::causes;
use crate::observe::Observed;
use crate::referee::Referee;
use crate::server::Leave;

/// How long the evidence of the last requests may take on its way.
const EVIDENCE_PATIENCE: Duration = Duration::from_secs(10);

/// The task that takes over if there is somebody to take over from, and then waits for the next to come.
pub(crate) struct Succession {
    last: oneshot::Sender<Evidence>,
    task: JoinHandle<()>,
}

/// As many workers, which each say when they serve.
pub(crate) struct Begun {
    pub(crate) workers: usize,
    pub(crate) told: mpsc::Receiver<()>,
}

impl Succession {
    /// Starts it within the runtime that is entered.
    pub(crate) fn start(taking: Option<Taking>, begun: Begun, estate: Estate) -> Self {
        let (last, evidence) = oneshot::channel();
        let task = tokio::spawn(async move {
            if begun.all().await {
                succeed(taking, estate.referee.clone()).await;
            } else {
                tracing::error!("a worker did not begin to serve: this wald ends");
                estate.leave.send_replace(Some(Leave::Told));
            }
            estate.wait(evidence).await;
        });
        Self { last, task }
    }

    /// Sends what the last requests were evidence of to whoever took over, if somebody did.
    pub(crate) async fn end(self, evidence: Evidence) {
        // Nobody waits for it unless somebody took over.
        drop(self.last.send(evidence));
        if timeout(EVIDENCE_PATIENCE, self.task).await.is_err() {
            tracing::warn!("the evidence of the last requests is lost: nobody takes it");
        }
    }
}

async fn succeed(taking: Option<Taking>, referee: Referee) {
    if let Some(taking) = taking
        && let Err(error) = taking.finish(referee).await
    {
        tracing::error!(error = %causes(&error), "the other wald may still serve beside this one: end it");
    }
    heir::tell_serving();
}

impl Begun {
    async fn all(mut self) -> bool {
        for _ in 0..self.workers {
            if self.told.recv().await.is_none() {
                return false;
            }
        }
        true
    }
}

/// What one says to the other, one line of JSON each. Another meaning is another [`FORMAT`].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Word {
    /// From the one that takes: who it is.
    Hello { format: u32, version: String },
    /// As many sockets follow, each as the document of the one that gives writes its address.
    Sockets(Vec<String>),
    /// From the one that takes: it has all but the store.
    Store,
    /// The store is closed.
    Closed,
    /// It will not be, and why.
    Kept(String),
    /// From the one that takes: requests are answered.
    Serving,
    /// Nobody listens at the path any more.
    Left,
    /// As many bytes of evidence follow, and nothing after them.
    Evidence(u64),
}

/// The version of what is said here. It changes with evidence, too: what a worker saw is not kept anywhere, so
/// nothing else needs to read it.
const FORMAT: u32 = 1;

/// What the last requests of the one that leaves were evidence of.
type Evidence = Vec<Observed>;

/// Why a takeover went no further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandOverError {
    /// The document has neither a store nor a socket for this.
    #[error(
        "the document says no path at which to ask: it needs `store: {{ path }}` or `upgrade: {{ socket }}`"
    )]
    NoPath,
    /// Nobody answers there.
    #[error("no wald to take over from at {}: start without --upgrade", path.display())]
    Nobody {
        /// Where it was asked.
        path: PathBuf,
        /// Why nobody could be.
        source: io::Error,
    },
    /// Somebody else's process is at the other end.
    #[error("the process at the other end belongs to user {0}")]
    Stranger(u32),
    /// The other end said something else.
    #[error("the other wald is version {version} and hands over in another way: restart instead")]
    Format {
        /// Its version.
        version: String,
    },
    /// The other end did not do its part.
    #[error("the other wald keeps its store: {0}")]
    Kept(String),
    /// The other end ended, or took too long.
    #[error("the other wald did not answer")]
    Silent(#[source] io::Error),
    /// The other end said what it should not, or passed what is no listening socket of this address.
    #[error("the other wald answered with something else than {0}")]
    Confused(&'static str),
}
