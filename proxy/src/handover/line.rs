//! The line between the two: words, sockets, evidence.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::{Evidence, HandOverError, Word};

/// How many descriptors go with one byte. The kernel passes 253 at most (unix(7), `SCM_MAX_FD`).
const AT_ONCE: usize = 64;

/// The longest word, and the most evidence.
const WORD_BYTES_MAX: usize = 1 << 20;
const EVIDENCE_BYTES_MAX: u64 = 1 << 30;

/// One end of the line.
pub(super) struct Line {
    stream: UnixStream,
    patience: Duration,
}

impl Line {
    /// To a process of this user or of root; nobody else may hold the sockets.
    pub(super) fn new(stream: UnixStream, patience: Duration) -> Result<Self, HandOverError> {
        let peer = stream.peer_cred().map_err(HandOverError::Silent)?.uid();
        if peer != 0 && peer != rustix::process::geteuid().as_raw() {
            return Err(HandOverError::Stranger(peer));
        }
        Ok(Self { stream, patience })
    }

    pub(super) async fn say(&mut self, word: &Word) -> Result<(), HandOverError> {
        let mut line = serde_json::to_vec(word).map_err(|error| silent(error.into()))?;
        line.push(b'\n');
        self.in_time(async |stream| stream.write_all(&line).await)
            .await
    }

    pub(super) async fn hear(&mut self) -> Result<Word, HandOverError> {
        let line = self
            .in_time(async |stream| {
                let mut line = Vec::new();
                // Byte by byte: what is read beyond a word loses the descriptors that came with it.
                loop {
                    match stream.read_u8().await? {
                        b'\n' => return Ok(line),
                        _ if line.len() == WORD_BYTES_MAX => {
                            return Err(io::ErrorKind::InvalidData.into());
                        }
                        byte => line.push(byte),
                    }
                }
            })
            .await?;
        serde_json::from_slice(&line).map_err(|_| HandOverError::Confused("a word"))
    }

    /// Passes copies of these.
    pub(super) async fn pass(&mut self, sockets: &[BorrowedFd<'_>]) -> Result<(), HandOverError> {
        for some in sockets.chunks(AT_ONCE) {
            self.in_time(async |stream| {
                let send = || {
                    let mut space =
                        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
                    let mut ancillary = SendAncillaryBuffer::new(&mut space);
                    ancillary.push(SendAncillaryMessage::ScmRights(some));
                    let sent = sendmsg(
                        &*stream,
                        &[IoSlice::new(&[0])],
                        &mut ancillary,
                        SendFlags::NOSIGNAL,
                    );
                    sent.map_err(io::Error::from)
                };
                stream.async_io(Interest::WRITABLE, send).await
            })
            .await?;
        }
        Ok(())
    }

    /// Takes what was passed, closed in whatever this process starts.
    pub(super) async fn receive(&mut self, count: usize) -> Result<Vec<OwnedFd>, HandOverError> {
        let mut sockets = Vec::new();
        while sockets.len() < count {
            let some = self
                .in_time(async |stream| stream.async_io(Interest::READABLE, || take(stream)).await)
                .await?;
            if some.is_empty() {
                return Err(HandOverError::Confused("sockets"));
            }
            sockets.extend(some);
        }
        if sockets.len() == count {
            Ok(sockets)
        } else {
            Err(HandOverError::Confused("as many sockets as it said"))
        }
    }

    pub(super) async fn send_evidence(&mut self, evidence: &Evidence) -> Result<(), HandOverError> {
        let bytes = postcard::to_allocvec(evidence)
            .map_err(|error| silent(io::Error::other(error.to_string())))?;
        self.say(&Word::Evidence(bytes.len() as u64)).await?;
        self.in_time(async |stream| stream.write_all(&bytes).await)
            .await
    }

    /// What the other end saw last, whenever it has.
    pub(super) async fn evidence(mut self) -> Result<Evidence, HandOverError> {
        self.patience = Duration::MAX;
        let Word::Evidence(length @ 0..=EVIDENCE_BYTES_MAX) = self.hear().await? else {
            return Err(HandOverError::Confused("evidence"));
        };
        let mut bytes = Vec::new();
        let mut stream = self.stream.take(length);
        stream.read_to_end(&mut bytes).await.map_err(silent)?;
        postcard::from_bytes(&bytes).map_err(|_| HandOverError::Confused("evidence"))
    }

    async fn in_time<T>(
        &mut self,
        act: impl AsyncFnOnce(&mut UnixStream) -> io::Result<T>,
    ) -> Result<T, HandOverError> {
        let done = timeout(self.patience, act(&mut self.stream)).await;
        done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(silent)
    }
}

/// The descriptors that came with one byte.
fn take(stream: &UnixStream) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    Ok(rights.flatten().collect())
}

fn silent(error: io::Error) -> HandOverError {
    HandOverError::Silent(error)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn pair() -> (Line, Line) {
        let (one, other) = UnixStream::pair().unwrap();
        (
            Line::new(one, PATIENCE).unwrap(),
            Line::new(other, PATIENCE).unwrap(),
        )
    }

    #[tokio::test]
    async fn more_sockets_than_one_message_carries_arrive_in_their_order_between_words() {
        let (mut giver, mut taker) = pair();
        let sockets: Vec<TcpListener> = (0..2 * AT_ONCE + 3)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let given: Vec<_> = sockets.iter().map(|socket| socket.as_fd()).collect();
        giver.say(&Word::Store).await.unwrap();
        giver.pass(&given).await.unwrap();
        giver.say(&Word::Closed).await.unwrap();
        assert_eq!(taker.hear().await.unwrap(), Word::Store);
        let taken = taker.receive(given.len()).await.unwrap();
        assert_eq!(taker.hear().await.unwrap(), Word::Closed);
        let address = |socket: &TcpListener| socket.local_addr().unwrap();
        let taken = taken.into_iter().map(TcpListener::from);
        let taken: Vec<_> = taken.map(|socket| address(&socket)).collect();
        assert_eq!(taken, sockets.iter().map(address).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_word_instead_of_sockets_and_no_word_at_all_are_errors() {
        let (mut giver, mut taker) = pair();
        giver.say(&Word::Store).await.unwrap();
        assert!(matches!(
            taker.receive(1).await,
            Err(HandOverError::Confused(_))
        ));
        let (giver, mut taker) = pair();
        drop(giver);
        assert!(matches!(taker.hear().await, Err(HandOverError::Silent(_))));
    }
}
