//! The end that takes over.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use policy::{Address, Policy};
use socket2::SockRef;
use tokio::net::UnixStream;

use super::line::Line;
use super::{FORMAT, HandOverError, Word};
use crate::referee::Referee;

/// How long the other may take for each step: the longest writes down its evidence.
const PATIENCE: Duration = Duration::from_secs(30);

/// A takeover that has begun. Dropped before its end, everything stays as it was.
pub(crate) struct Taking(Line);

/// Sockets that somebody else has listened on, by what its document calls their address.
#[derive(Default)]
pub(crate) struct Inherited(BTreeMap<String, Vec<OwnedFd>>);

impl Taking {
    /// Asks the Wald that serves this document for its sockets.
    pub(crate) async fn begin(policy: &Policy) -> Result<(Self, Inherited), HandOverError> {
        let path = policy.upgrade_socket().ok_or(HandOverError::NoPath)?;
        let stream = UnixStream::connect(path).await;
        let stream = stream.map_err(|source| HandOverError::Nobody {
            path: path.to_owned(),
            source,
        })?;
        let mut line = Line::new(stream, PATIENCE)?;
        line.say(&Word::Hello {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
        .await?;
        match line.hear().await? {
            Word::Hello {
                format: FORMAT,
                version: _,
            } => {}
            Word::Hello { version, .. } => return Err(HandOverError::Format { version }),
            _ => return Err(HandOverError::Confused("its version")),
        }
        let Word::Sockets(addresses) = line.hear().await? else {
            return Err(HandOverError::Confused("sockets"));
        };
        let sockets = line.receive(addresses.len()).await?;
        let mut inherited = Inherited::default();
        for (address, socket) in addresses.into_iter().zip(sockets) {
            inherited.0.entry(address).or_default().push(socket);
        }
        Ok((Self(line), inherited))
    }

    /// Lets the other close the store. When it has just ended, nobody has the store any more.
    pub(crate) async fn have_store_closed(&mut self) -> Result<(), HandOverError> {
        self.0.say(&Word::Store).await?;
        match self.0.hear().await? {
            Word::Closed => Ok(()),
            Word::Kept(why) => Err(HandOverError::Kept(why)),
            _ => Err(HandOverError::Confused("a closed store")),
        }
    }

    /// Says that requests are answered here, and waits until the other leaves. What its last requests were
    /// evidence of, the referee hears whenever it comes.
    pub(crate) async fn finish(mut self, referee: Referee) -> Result<(), HandOverError> {
        self.0.say(&Word::Serving).await?;
        let Word::Left = self.0.hear().await? else {
            return Err(HandOverError::Confused("its leave"));
        };
        tokio::spawn(async move {
            match self.0.evidence().await {
                Ok(evidence) => referee.hear(evidence).await,
                Err(error) => {
                    tracing::warn!(%error, "evidence of the last requests before the upgrade is lost");
                }
            }
        });
        Ok(())
    }
}

impl Inherited {
    /// Those of one address of the network.
    pub(crate) fn tcp(&mut self, address: &Address) -> io::Result<Vec<TcpListener>> {
        let found = self.0.remove(&address.to_string()).unwrap_or_default();
        found.into_iter().map(listening).collect()
    }

    /// The one of a path.
    pub(crate) fn unix(&mut self, address: &Address) -> io::Result<Option<UnixListener>> {
        let found = self.0.remove(&address.to_string()).unwrap_or_default();
        found.into_iter().next().map(listening).transpose()
    }
}

fn listening<T: From<OwnedFd>>(socket: OwnedFd) -> io::Result<T> {
    if SockRef::from(&socket).is_listener()? {
        Ok(T::from(socket))
    } else {
        Err(io::Error::other("what was handed over does not listen"))
    }
}
