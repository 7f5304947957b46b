//! Takes connections to the admin address, over TLS where the document says so.
//!
//! Hands are shaken beside the accepting, so that whoever is slow about it keeps nobody waiting. What the
//! snapshot in force says about TLS is asked for with each connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::server::TlsStream;

use crate::accept::Proved;
use crate::live::Live;
use crate::server::Leave;

/// How many handshakes may go on at once, and how long one may take.
const HANDSHAKES_MAX: usize = 64;
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// How long accepting pauses when the process has run out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come out that are ready to speak HTTP.
pub(super) struct Door {
    ready: mpsc::Receiver<Visitor>,
    address: SocketAddr,
}

/// A connection whose hands are shaken, if they are.
pub(super) struct Visitor {
    stream: Channel,
    address: SocketAddr,
    proved: Option<Arc<Proved>>,
}

enum Channel {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// What a connection proved of whoever asks; none over plain text.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) address: SocketAddr,
    pub(super) proved: Option<Arc<Proved>>,
}

impl Door {
    /// Opens on this socket, within the runtime that is entered.
    pub(super) fn open(
        socket: std::net::TcpListener,
        live: Live,
        leave: watch::Receiver<Option<Leave>>,
    ) -> io::Result<Self> {
        let socket = TcpListener::from_std(socket)?;
        let address = socket.local_addr()?;
        let (visitors, ready) = mpsc::channel(HANDSHAKES_MAX);
        let received = receive(socket, live, visitors);
        tokio::spawn(async move {
            tokio::select! {
                () = received => {}
                // Whoever serves instead has a copy of the socket, and answers from now on.
                () = relieved(leave) => {}
            }
        });
        Ok(Self { ready, address })
    }
}

async fn receive(socket: TcpListener, live: Live, visitors: mpsc::Sender<Visitor>) {
    let turns = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let (stream, address) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept at the admin address");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(turn) = Arc::clone(&turns).try_acquire_owned() else {
            tracing::warn!("too many handshakes at the admin address");
            continue;
        };
        let (live, visitors) = (live.clone(), visitors.clone());
        tokio::spawn(async move {
            let shaken = tokio::time::timeout(HANDSHAKE_TIME, greet(stream, address, &live)).await;
            drop(turn);
            match shaken {
                // Nobody waits for visitors once the server ends.
                Ok(Ok(visitor)) => visitors.send(visitor).await.unwrap_or_default(),
                Ok(Err(error)) => {
                    tracing::info!(%address, %error, "no handshake at the admin address");
                }
                Err(_) => tracing::info!(%address, "no handshake in time at the admin address"),
            }
        });
    }
}

async fn relieved(mut leave: watch::Receiver<Option<Leave>>) {
    let relieved = leave.wait_for(|leave| *leave == Some(Leave::Relieved));
    if relieved.await.is_err() {
        std::future::pending().await
    }
}

async fn greet(
    stream: TcpStream,
    address: SocketAddr,
    live: &Live,
) -> Result<Visitor, crate::accept::Failure> {
    let tls = live.load().credentials.admin().cloned();
    let Some(tls) = tls else {
        return Ok(Visitor {
            stream: Channel::Plain(stream),
            address,
            proved: None,
        });
    };
    let (stream, proved) = tls.accept(stream).await?;
    Ok(Visitor {
        stream: Channel::Secure(Box::new(stream)),
        address,
        proved: Some(Arc::new(proved)),
    })
}

impl Listener for Door {
    type Io = Visitor;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Visitor, SocketAddr) {
        match self.ready.recv().await {
            Some(visitor) => {
                let address = visitor.address;
                (visitor, address)
            }
            // Nobody comes any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Door>> for Asker {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        let visitor = stream.io();
        Self {
            address: visitor.address,
            proved: visitor.proved.clone(),
        }
    }
}

impl AsyncRead for Visitor {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Channel::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Channel::Secure(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Visitor {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Channel::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Channel::Secure(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Channel::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Channel::Secure(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Channel::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Channel::Secure(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
