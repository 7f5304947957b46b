//! The end that is taken over from.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use policy::Address;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};

use super::line::Line;
use super::{Evidence, FORMAT, HandOverError, Word};
use crate::accept;
use crate::causes::causes;
use crate::referee::Referee;
use crate::server::{Leave, Phase};

/// How long the other may take for a step: with the store in its hands, nothing is decided here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who may ask: the kernel lets nobody else connect.
const OWNER_ONLY: u32 = 0o600;

/// Copies of the sockets that are listened on, each with its address as the document writes it.
#[derive(Default)]
pub(crate) struct Copies(Vec<(String, OwnedFd)>);

impl Copies {
    /// Keeps copies of what workers listen on; of a path there is one socket, however many workers.
    pub(crate) fn keep(&mut self, address: &Address, sockets: &[accept::Socket]) -> io::Result<()> {
        for socket in sockets {
            match socket {
                accept::Socket::Tcp(socket) => self.keep_tcp(address, socket)?,
                accept::Socket::Unix(socket) => {
                    let copy = socket.as_fd().try_clone_to_owned()?;
                    self.0.push((address.to_string(), copy));
                    break;
                }
            }
        }
        Ok(())
    }

    /// Keeps a copy of one socket.
    pub(crate) fn keep_tcp(&mut self, address: &Address, socket: &TcpListener) -> io::Result<()> {
        let copy = socket.as_fd().try_clone_to_owned()?;
        self.0.push((address.to_string(), copy));
        Ok(())
    }
}

/// What is handed over, and who has to know of it.
pub(crate) struct Estate {
    /// Where to ask for it; none if nobody can.
    pub(crate) path: Option<PathBuf>,
    pub(crate) sockets: Copies,
    pub(crate) referee: Referee,
    pub(crate) phase: watch::Receiver<Phase>,
    pub(crate) leave: watch::Sender<Option<Leave>>,
}

impl Estate {
    /// Waits for another Wald. That nobody can take over is no reason not to serve.
    pub(super) async fn wait(self, last: oneshot::Receiver<Evidence>) {
        let Some((mut line, estate)) = self.find_heir().await else {
            return;
        };
        tracing::info!("another wald has taken over");
        estate.leave.send_replace(Some(Leave::Relieved));
        let told = line.say(&Word::Left).await;
        drop(estate);
        let Ok(evidence) = last.await else {
            return;
        };
        let sent = match told {
            Ok(()) => line.send_evidence(&evidence).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!(error = %causes(&error), "the evidence of the last requests is lost");
        }
    }

    /// The line to a Wald that serves in this one's place. None once this one ends by itself.
    async fn find_heir(mut self) -> Option<(Line, Self)> {
        let mut phase = self.phase.clone();
        let door = self.path.as_deref().and_then(open);
        let line = loop {
            let accepted = tokio::select! {
                biased;
                // An end that is near is no time to hand over: what is closed is closed for good.
                _ = phase.wait_for(|phase| *phase > Phase::Serving) => break None,
                accepted = accepted(door.as_ref()) => accepted,
            };
            let given = match accepted {
                Ok(stream) => self.give(stream).await,
                Err(error) => Err(HandOverError::Silent(error)),
            };
            match given {
                Ok(line) => break Some(line),
                Err(error) => {
                    tracing::warn!(error = %causes(&error), "nobody took over; serving goes on");
                }
            }
        };
        if let (Some(door), Some(path)) = (door, &self.path) {
            drop(door);
            // Left behind, it would be replaced by the next start.
            fs::remove_file(path).unwrap_or_default();
        }
        if line.is_none() {
            self.close(phase).await;
            return None;
        }
        line.map(|line| (line, self))
    }

    /// Holds the sockets for as long as the workers do.
    async fn close(&mut self, mut phase: watch::Receiver<Phase>) {
        drop(phase.wait_for(|phase| *phase >= Phase::Draining).await);
        self.sockets.0.clear();
    }

    /// Gives everything to the process at the other end. Until that serves, all of it can be had back.
    async fn give(&mut self, stream: UnixStream) -> Result<Line, HandOverError> {
        let mut line = Line::new(stream, PATIENCE)?;
        let Word::Hello { format, version } = line.hear().await? else {
            return Err(HandOverError::Confused("its version"));
        };
        line.say(&Word::Hello {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
        .await?;
        if format != FORMAT {
            return Err(HandOverError::Format { version });
        }
        tracing::info!(version, "another wald asks to take over");
        let (addresses, sockets): (Vec<_>, Vec<_>) = self
            .sockets
            .0
            .iter()
            .map(|(address, socket)| (address.clone(), socket.as_fd()))
            .unzip();
        line.say(&Word::Sockets(addresses)).await?;
        line.pass(&sockets).await?;
        let Word::Store = line.hear().await? else {
            return Err(HandOverError::Confused("a wish for the store"));
        };
        if let Err(error) = self.referee.lend().await {
            let why = causes(&error);
            line.say(&Word::Kept(why.clone())).await?;
            return Err(HandOverError::Kept(why));
        }
        let given = relieved(&mut line).await;
        if given.is_err() {
            self.referee.reclaim().await;
        }
        given.map(|()| line)
    }
}

fn open(path: &Path) -> Option<UnixListener> {
    let socket = crate::server::at(path, OWNER_ONLY).and_then(UnixListener::from_std);
    let refused = |error: &io::Error| tracing::warn!(path = %path.display(), %error, "no other wald can take over");
    socket.inspect_err(refused).ok()
}

async fn accepted(door: Option<&UnixListener>) -> io::Result<UnixStream> {
    match door {
        Some(door) => Ok(door.accept().await?.0),
        None => std::future::pending().await,
    }
}

/// Lets the other have the store, and waits until it serves.
async fn relieved(line: &mut Line) -> Result<(), HandOverError> {
    line.say(&Word::Closed).await?;
    match line.hear().await? {
        Word::Serving => Ok(()),
        _ => Err(HandOverError::Confused("that it serves")),
    }
}
