//! Brings everything up in the order in which it is needed, and down again in the reverse.
//!
//! Pingora is the chassis: it keeps the lifecycle. Each worker is one of its services, but serves on a thread
//! of its own, because what a worker shares between its requests is shared without locks (`Rc`), and
//! pingora's runtimes take only what may move between threads.

mod chassis;
mod ending;
mod phase;
mod socket;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use policy::Policy;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

pub(crate) use phase::Phase;
pub(crate) use worker::Worker;

use crate::live::Live;
use crate::referee::{self, Referee};
use crate::store::Store;
use crate::workers::{Ask, Workers};
use crate::{admin, reload, store};
use ending::Ending;
use worker::Duty;

/// How long requests may take to finish once the server was told to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// What to serve, and until when.
pub(crate) struct Start {
    document: PathBuf,
    stop: Option<watch::Receiver<bool>>,
}

/// Ends a server that runs in this process. Dropping it does nothing.
pub(crate) struct Stop(watch::Sender<bool>);

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The document, or a file that it names, cannot be used.
    #[error(transparent)]
    Document(#[from] reload::PrepareError),
    /// A listener's address cannot be had.
    #[error("cannot listen on {address} for `{listener}`")]
    Listen {
        /// Who wants it.
        listener: String,
        /// What it wants.
        address: SocketAddr,
        /// Why it cannot have it.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("cannot open the store")]
    Store(#[from] store::OpenError),
    /// The referee cannot resume what the store says.
    #[error("cannot resume the experiments")]
    Referee(#[from] referee::StartError),
    /// The operating system gave no thread or event loop.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl Start {
    /// Serve this document until a signal comes.
    pub(crate) fn new(document: PathBuf) -> Self {
        Self {
            document,
            stop: None,
        }
    }

    /// Serve this document until a signal comes or the other half says so.
    pub(crate) fn stoppable(document: PathBuf) -> (Self, Stop) {
        let (stop, asked) = watch::channel(false);
        (
            Self {
                document,
                stop: Some(asked),
            },
            Stop(stop),
        )
    }
}

impl Stop {
    /// Lets the server finish what it is at and end.
    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }
}

/// Serves until told to stop, and returns when everything has been finished.
///
/// # Errors
/// When something that serving needs cannot be had. Nothing is served then.
pub(crate) fn run(start: Start) -> Result<(), StartError> {
    let first = reload::prepare(&start.document)?;
    let policy = Arc::clone(&first.policy);
    let (workers, mailboxes) = Workers::new(count(&policy));
    // Sockets before the store: of two servers on one document, the second fails because of the address.
    let sockets = Sockets::bind(&policy, mailboxes.len())?;
    let store = Store::open(policy.store())?;
    let (live, referee) = referee::start(store, first, workers)?;
    let (phase, watched) = watch::channel(Phase::Serving);
    let (drained, all_drained) = mpsc::channel(1);
    let duty =
        |(mailbox, sockets): (mpsc::Receiver<Ask>, Vec<(policy::Listener, TcpListener)>)| Duty {
            live: live.clone(),
            referee: referee.clone(),
            mailbox,
            sockets,
            phase: watched.clone(),
            drain: DRAIN,
            drained: drained.clone(),
        };
    let duties = mailboxes.into_iter().zip(sockets.0).map(duty).collect();
    drop(drained);
    let ending = Ending {
        stop: start.stop,
        phase,
        drained: all_drained.into(),
        referee: referee.clone(),
    };
    chassis::run(duties, ending).map_err(StartError::Thread)
}

/// As many workers as the document says, or as there are cores.
fn count(policy: &Policy) -> usize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    policy.workers().unwrap_or_else(cores).get()
}

/// The sockets of each worker.
struct Sockets(Vec<Vec<(policy::Listener, TcpListener)>>);

impl Sockets {
    fn bind(policy: &Policy, workers: usize) -> Result<Self, StartError> {
        let mut sockets: Vec<_> = (0..workers).map(|_| Vec::new()).collect();
        for listener in policy.listeners() {
            let bound = socket::bind(listener.address, workers);
            let bound = bound.map_err(|source| StartError::Listen {
                listener: listener.name.to_string(),
                address: listener.address,
                source,
            })?;
            if let Some(address) = bound.first().and_then(|socket| socket.local_addr().ok()) {
                tracing::info!(listener = %listener.name, %address, "listening");
            }
            for (worker, socket) in sockets.iter_mut().zip(bound) {
                worker.push((listener.clone(), socket));
            }
        }
        Ok(Self(sockets))
    }
}
