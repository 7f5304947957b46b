//! A server that says some bytes to whoever connects, whatever it is asked, and goes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bind::bind;

/// A running rude server; it stops when it is dropped.
pub struct Rude {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Rude {
    /// Says these bytes when it has heard some, and closes the connection.
    pub async fn start(bytes: &'static [u8]) -> Self {
        Self::saying(bytes, false).await
    }

    /// Says these bytes when it has heard some, and hears the rest.
    pub async fn patient(bytes: &'static [u8]) -> Self {
        Self::saying(bytes, true).await
    }

    /// Says nothing and stays.
    pub async fn silent() -> Self {
        Self::saying(b"", true).await
    }

    async fn saying(bytes: &'static [u8], stays: bool) -> Self {
        let (socket, address) = bind().await;
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                tokio::spawn(async move {
                    let mut heard = [0; 4096];
                    let mut said = false;
                    while stream.read(&mut heard).await.is_ok_and(|read| read > 0) {
                        if !said {
                            stream.write_all(bytes).await.ok();
                        }
                        said = true;
                        if !stays {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, task }
    }

    /// Where it listens, as a document writes it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.task.abort();
    }
}
