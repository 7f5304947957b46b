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

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy::Policy;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

pub(crate) use phase::{Leave, Phase};
pub(crate) use socket::at;
pub(crate) use worker::Worker;

use crate::accept;
use crate::audit::checkpoint::{CheckpointError, Notary};
use crate::handover::{self, Begun, Copies, Estate, HandOverError, Inherited, Succession, Taking};
use crate::identify::key_servers::KeyServers;
use crate::live::Live;
use crate::members::Keeper;
use crate::recording::Recording;
use crate::referee::{self, Beside, Referee};
use crate::reload::Reload;
use crate::store::Store;
use crate::webhooks::Webhooks;
use crate::workers::{Ask, Workers};
use crate::{admin, credentials, reload, shadow, store};
use ending::{Ending, Signals};
use worker::Duty;

/// What to serve, and until when.
pub(crate) struct Start {
    document: PathBuf,
    record: Option<PathBuf>,
    upgrade: bool,
    heir: Option<Vec<OsString>>,
    leave: watch::Sender<Option<Leave>>,
}

/// Ends a server that runs in this process. Dropping it does nothing.
pub(crate) struct Stop(watch::Sender<Option<Leave>>);

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
    /// The other Wald, which was to be replaced, goes on.
    #[error("cannot take over")]
    HandOver(#[from] HandOverError),
    /// The store cannot be opened.
    #[error("cannot open the store")]
    Store(#[from] store::OpenError),
    /// The referee cannot resume what the store says.
    #[error("cannot resume the experiments")]
    Referee(#[from] referee::StartError),
    /// The observations cannot be recorded.
    #[error(transparent)]
    Record(#[from] crate::recording::RecordError),
    /// The audit trail cannot be signed.
    #[error("cannot sign the audit trail")]
    Audit(#[from] CheckpointError),
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
        let leave = watch::Sender::new(None);
        let start = Self {
            document,
            record: None,
            upgrade: false,
            heir: None,
            leave: leave.clone(),
        };
        (start, Stop(leave))
    }

    /// Write every observation into this file, too.
    pub(crate) fn recording(mut self, file: Option<PathBuf>) -> Self {
        self.record = file;
        self
    }

    /// On SIGUSR2, start this command line, which is to take over.
    pub(crate) fn succeeded_by(mut self, command: Vec<OsString>) -> Self {
        self.heir = Some(command);
        self
    }

    /// Take over from the process that serves this document now.
    pub(crate) fn upgrading(mut self, upgrade: bool) -> Self {
        self.upgrade = upgrade;
        self
    }
}

impl Stop {
    /// Lets the server finish what it is at and end.
    pub(crate) fn now(&self) {
        self.0.send_replace(Some(Leave::Told));
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
    let policy = Arc::clone(&first.policy);
    let control = control().map_err(StartError::Thread)?;
    let (mut taking, inherited) = begin(&control, &policy, start.upgrade)?;
    // Sockets before the store: of two servers on one document, the second fails because of the address.
    let sockets = Sockets::bind(&policy, count(&policy), inherited)?;
    let recording = start.record.as_deref().map(Recording::start).transpose()?;
    if let Some(taking) = &mut taking {
        control.block_on(taking.have_store_closed())?;
    }
    let notary = policy.audit();
    let notary = notary.map(|audit| Notary::open(&audit.key, &audit.checkpoints));
    let notary = notary.transpose()?;
    let store = open(&policy)?;
    // What the start itself brings about is told, too.
    let told = *store.last_record().borrow();
    let (workers, mailboxes) = Workers::new(count(&policy));
    let shadows = {
        let _control = control.enter();
        shadow::Desk::start()
    };
    let beside = Beside {
        recording,
        notary,
        shadows: shadows.clone(),
    };
    let started = referee::start(store, first, workers.clone(), beside);
    let (live, referee) = control.block_on(started)?;
    let up = Up {
        document: (start.document, read),
        leave: start.leave,
        live,
        referee,
        workers,
        shadows,
        taking,
        told,
    };
    let served = {
        let _control = control.enter();
        if let Some(command) = start.heir {
            handover::start_on_signal(command);
        }
        tokio::spawn(credentials::warn(up.live.clone()));
        up.serve(sockets, mailboxes)
    };
    control.shutdown_background();
    served
}

/// A server that has everything but traffic.
struct Up {
    document: (PathBuf, reload::Digest),
    leave: watch::Sender<Option<Leave>>,
    live: Live,
    referee: Referee,
    workers: Workers,
    shadows: shadow::Desk,
    taking: Option<Taking>,
    /// The last record of the audit trail before this start.
    told: u64,
}

impl Up {
    /// Serves, within the control side's runtime.
    fn serve(
        self,
        sockets: Sockets,
        mailboxes: Vec<mpsc::Receiver<Ask>>,
    ) -> Result<(), StartError> {
        // Before anyone can find Wald ready, and tell it to end.
        let signals = Signals::install();
        let (phase, watched) = watch::channel(Phase::Serving);
        let key_servers = KeyServers::start(self.live.clone(), self.referee.clone());
        let shadows = self.shadows;
        let (drained, all_drained) = mpsc::channel(1);
        let (begun, told) = mpsc::channel(mailboxes.len().max(1));
        let begun_all = Begun {
            workers: mailboxes.len(),
            told,
        };
        let duty = |(mailbox, sockets)| Duty {
            live: self.live.clone(),
            referee: self.referee.clone(),
            key_servers: key_servers.clone(),
            shadows: shadows.clone(),
            mailbox,
            sockets,
            phase: watched.clone(),
            begun: begun.clone(),
            drained: drained.clone(),
        };
        let duties = mailboxes.into_iter().zip(sockets.workers);
        let duties = duties.map(duty).collect();
        drop((begun, drained));
        let estate = Estate {
            path: self.live.load().policy.upgrade_socket().map(Path::to_owned),
            sockets: sockets.copies,
            referee: self.referee.clone(),
            phase: watched.clone(),
            leave: self.leave.clone(),
        };
        let ending = Ending {
            live: self.live.clone(),
            leave: self.leave.subscribe(),
            phase,
            drained: all_drained.into(),
            referee: self.referee.clone(),
            succession: Some(Succession::start(self.taking, begun_all, estate)).into(),
            signals: signals.into(),
        };
        let webhooks = Webhooks::start(self.live.clone(), &self.referee, self.told);
        let keeper = Keeper::start(self.live.clone());
        let keepers = (key_servers.clone(), keeper, webhooks.clone());
        let (live, referee) = (self.live.clone(), self.referee.clone());
        let reload = Reload::start(self.document, live, referee, keepers);
        let desk = admin::Desk {
            live: self.live,
            referee: self.referee,
            workers: self.workers,
            reload,
            key_servers,
            webhooks,
            shadows: shadows.clone(),
            phase: watched,
            refused: admin::Refused::default(),
            listeners: admin::listeners(),
            leave: self.leave,
        };
        tokio::spawn(admin::serve(sockets.admin, desk));
        chassis::run(duties, ending).map_err(StartError::Thread)
    }
}

/// Asks the process that serves this document for its sockets, if it is to be replaced.
fn begin(
    control: &Runtime,
    policy: &Policy,
    upgrade: bool,
) -> Result<(Option<Taking>, Inherited), StartError> {
    if !upgrade {
        return Ok((None, Inherited::default()));
    }
    let (taking, inherited) = control.block_on(Taking::begin(policy))?;
    Ok((Some(taking), inherited))
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
    copies: Copies,
}

impl Sockets {
    /// Listens everywhere, where it can with what was handed over.
    fn bind(policy: &Policy, workers: usize, mut inherited: Inherited) -> Result<Self, StartError> {
        let mut sockets: Vec<_> = (0..workers).map(|_| Vec::new()).collect();
        let mut copies = Copies::default();
        for listener in policy.listeners() {
            let refused = |source| refused(&listener.name, listener.address.clone(), source);
            let shared = socket::of(&listener.address, workers, &mut inherited).map_err(refused)?;
            match shared.first() {
                Some(accept::Socket::Tcp(socket)) => announce(&listener.name, socket),
                _ => {
                    tracing::info!(listener = %listener.name, address = %listener.address, "listening")
                }
            }
            copies.keep(&listener.address, &shared).map_err(refused)?;
            for (number, socket) in shared.into_iter().enumerate() {
                if let Some(worker) = sockets.get_mut(number % workers) {
                    worker.push((listener.clone(), socket));
                }
            }
        }
        let at = policy.admin().address;
        let address = policy::Address::Tcp(at);
        let refused = |source| refused("admin", address.clone(), source);
        let admin = socket::alone(at, &mut inherited).map_err(refused)?;
        announce("admin", &admin);
        copies.keep_tcp(&address, &admin).map_err(refused)?;
        Ok(Self {
            admin,
            workers: sockets,
            copies,
        })
    }
}

fn refused(listener: &str, address: policy::Address, source: io::Error) -> StartError {
    StartError::Listen {
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
