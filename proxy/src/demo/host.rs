//! The server of the demo: the one that `wald run` starts, on a thread of its own.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use config::document::{Log, LogFormat};
use tokio::time::{Instant, sleep};

use super::folder::Folder;
use super::ports::Ports;
use crate::cli::client::Connection;
use crate::cli::logging::{self, Sink};
use crate::server::{self, Start, StartError, Stop};

/// Longest wait for the first answer.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Time between two looks whether it is ready.
const LOOK: Duration = Duration::from_millis(50);

/// Why the demo has no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostError {
    #[error("cannot write the server's log to {}", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("cannot start the server's thread")]
    Thread(#[source] io::Error),
    #[error("the server ended with an error (its log: {})", log.display())]
    Ended {
        log: PathBuf,
        source: Box<StartError>,
    },
    #[error("the server's thread panicked (its log: {})", log.display())]
    Panicked { log: PathBuf },
    #[error("the server is not ready after {} s (its log: {})", READY_WITHIN.as_secs(), log.display())]
    NotReady { log: PathBuf },
}

/// The running server.
pub(super) struct Host {
    thread: JoinHandle<Result<(), StartError>>,
    stop: Stop,
    log: PathBuf,
}

impl Host {
    /// Starts it on the folder's document, with its log in the folder.
    pub(super) fn start(folder: &Folder, record: Option<PathBuf>) -> Result<Self, HostError> {
        let log = folder.log();
        let file = File::options().create(true).append(true).open(&log);
        let file = file.map_err(|source| HostError::Log {
            path: log.clone(),
            source,
        })?;
        logging::start(
            Some(&Log {
                format: Some(LogFormat::Text),
                level: None,
            }),
            Sink::File(file),
        );
        let (start, stop) = Start::stoppable(folder.document());
        let start = start.recording(record);
        let thread = thread::Builder::new().name("demo server".to_owned());
        let thread = thread
            .spawn(move || server::run(start))
            .map_err(HostError::Thread)?;
        Ok(Self { thread, stop, log })
    }

    /// Waits until it serves; a server that ended instead says why when it is stopped.
    pub(super) async fn ready(&self, ports: Ports) -> Result<(), HostError> {
        let deadline = Instant::now() + READY_WITHIN;
        while !self.thread.is_finished() {
            if is_ready(ports).await {
                return Ok(());
            }
            if Instant::now() > deadline {
                break;
            }
            sleep(LOOK).await;
        }
        Err(HostError::NotReady {
            log: self.log.clone(),
        })
    }

    /// Lets it finish what it is at, and waits for that.
    pub(super) fn stop(self) -> Result<(), HostError> {
        self.stop.now();
        let Self { thread, log, .. } = self;
        match thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => Err(HostError::Ended {
                log,
                source: Box::new(source),
            }),
            Err(_) => Err(HostError::Panicked { log }),
        }
    }
}

async fn is_ready(ports: Ports) -> bool {
    match Connection::open(&ports.admin().to_string()).await {
        Ok(mut admin) => admin
            .status("/readyz")
            .await
            .is_ok_and(|status| status.is_success()),
        Err(_) => false,
    }
}
