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
pub(crate) mod tests;

use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use policy::Policy;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

pub(crate) use phase::Phase;
pub(crate) use worker::Worker;

use crate::accept;
use crate::identify::key_servers::KeyServers;
use crate::members::Keeper;
use crate::recording::Recording;
use crate::referee;
use crate::reload::Reload;
use crate::store::Store;
use crate::workers::Workers;
use crate::{admin, credentials, reload, store};
use ending::{Ending, Signals};
use worker::Duty;

/// What to serve, and until when.
pub(crate) struct Start {
    document: PathBuf,
    record: Option<PathBuf>,
    stop: watch::Sender<bool>,
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
        address: policy::Address,
        /// Why it cannot have it.
        source: io::Error,
    },
    /// The store cannot be opened.
    #[error("cannot open the store")]
    Store(#[from] store::OpenError),
    /// The referee cannot resume what the store says.
    #[error("cannot resume the experiments")]
    Referee(#[from] referee::StartError),
    /// The observations cannot be recorded.
    #[error(transparent)]
    Record(#[from] crate::recording::RecordError),
    /// The operating system gave no thread or event loop.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

impl Start {
    /// Serve this document until a signal comes.
    pub(crate) fn new(document: PathBuf) -> Self {
        Self::stoppable(document).0
    }

    /// Serve this document until a signal comes or the other half says so.
    pub(crate) fn stoppable(document: PathBuf) -> (Self, Stop) {
        let stop = watch::Sender::new(false);
        let start = Self {
            document,
            record: None,
            stop: stop.clone(),
        };
        (start, Stop(stop))
    }

    /// Write every observation into this file, too.
    pub(crate) fn recording(mut self, file: Option<PathBuf>) -> Self {
        self.record = file;
        self
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
    let first = reload::prepare(&start.document, None)?;
    // Before anyone can know that Wald runs, and change a file because of it.
    let read = reload::contents(&start.document, &first.policy);
    let (workers, mailboxes) = Workers::new(count(&first.policy));
    // Sockets before the store: of two servers on one document, the second fails because of the address.
    let Sockets {
        admin,
        workers: sockets,
    } = Sockets::bind(&first.policy, mailboxes.len())?;
    let control = control().map_err(StartError::Thread)?;
    let recording = start.record.as_deref().map(Recording::start).transpose()?;
    let store = open(&first.policy)?;
    let (live, referee) =
        control.block_on(referee::start(store, first, workers.clone(), recording))?;
    // Before anyone can find Wald ready, and tell it to end.
    let (key_servers, reload, signals) = {
        let _control = control.enter();
        let signals = Signals::install();
        let key_servers = KeyServers::start(live.clone(), referee.clone());
        let reload = Reload::start(
            (start.document, read),
            live.clone(),
            referee.clone(),
            (key_servers.clone(), Keeper::start(live.clone())),
        );
        (key_servers, reload, signals)
    };
    let (phase, watched) = watch::channel(Phase::Serving);
    let desk = admin::Desk {
        live: live.clone(),
        referee: referee.clone(),
        workers,
        reload,
        key_servers: key_servers.clone(),
        phase: watched.clone(),
        refused: admin::Refused::default(),
        stop: start.stop.clone(),
    };
    control.spawn(admin::serve(admin, desk));
    control.spawn(credentials::warn(live.clone()));
    let (drained, all_drained) = mpsc::channel(1);
    let duty = |(mailbox, sockets)| Duty {
        live: live.clone(),
        referee: referee.clone(),
        key_servers: key_servers.clone(),
        mailbox,
        sockets,
        phase: watched.clone(),
        drained: drained.clone(),
    };
    let duties = mailboxes.into_iter().zip(sockets).map(duty).collect();
    drop(drained);
    let ending = Ending {
        live: live.clone(),
        stop: start.stop.subscribe(),
        phase,
        drained: all_drained.into(),
        referee,
        signals: signals.into(),
    };
    let served = chassis::run(duties, ending).map_err(StartError::Thread);
    control.shutdown_background();
    served
}

/// Where everything runs that no request waits for.
fn control() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
}

/// The document's store, or one that is lost with the process.
fn open(policy: &Policy) -> Result<Store, store::OpenError> {
    policy.store().map_or_else(
        || {
            tracing::warn!("no store in the document: decisions and evidence are lost at the end");
            Store::in_memory()
        },
        Store::open,
    )
}

/// As many workers as the document says, or as there are cores.
fn count(policy: &Policy) -> usize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    policy.workers().unwrap_or_else(cores).get()
}

/// Every address that is listened on.
struct Sockets {
    admin: TcpListener,
    workers: Vec<Vec<(policy::Listener, accept::Socket)>>,
}

impl Sockets {
    fn bind(policy: &Policy, workers: usize) -> Result<Self, StartError> {
        let mut sockets: Vec<_> = (0..workers).map(|_| Vec::new()).collect();
        for listener in policy.listeners() {
            let refused = refused(&listener.name, listener.address.clone());
            let shared = socket::of(&listener.address, workers).map_err(refused)?;
            match shared.first() {
                Some(accept::Socket::Tcp(socket)) => announce(&listener.name, socket),
                _ => {
                    tracing::info!(listener = %listener.name, address = %listener.address, "listening")
                }
            }
            for (worker, socket) in sockets.iter_mut().zip(shared) {
                worker.push((listener.clone(), socket));
            }
        }
        let admin = policy.admin().address;
        let address = policy::Address::Tcp(admin);
        let admin = socket::alone(admin).map_err(refused("admin", address))?;
        announce("admin", &admin);
        Ok(Self {
            admin,
            workers: sockets,
        })
    }
}

fn refused(listener: &str, address: policy::Address) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::Listen {
        listener: listener.to_owned(),
        address,
        source,
    }
}

/// Says where a listener can be reached, which the document does not if it asks for port 0.
fn announce(listener: &str, socket: &TcpListener) {
    match socket.local_addr() {
        Ok(address) => tracing::info!(listener, %address, "listening"),
        Err(error) => tracing::warn!(listener, %error, "listening"),
    }
}
