//! Listens to agents that issue certificates, and wishes for a reload when one has issued another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Wish;
use crate::causes::causes;
use crate::identify::agents::{self, AgentError};
use crate::live::Live;

/// How long an agent that failed is left alone, at first and at most.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// One task an agent.
pub(super) struct Streams {
    tasks: BTreeMap<PathBuf, AbortHandle>,
    wishes: mpsc::Sender<Wish>,
    live: Live,
    failures: Arc<AtomicU64>,
}

impl Streams {
    pub(super) fn new(wishes: mpsc::Sender<Wish>, live: Live, failures: Arc<AtomicU64>) -> Self {
        Self {
            tasks: BTreeMap::new(),
            wishes,
            live,
            failures,
        }
    }

    /// Listens to these agents and no others.
    pub(super) fn follow<'a>(&mut self, sockets: impl Iterator<Item = &'a Path>) {
        let mut before = std::mem::take(&mut self.tasks);
        for socket in sockets {
            if self.tasks.contains_key(socket) {
                continue;
            }
            let task = before.remove(socket).unwrap_or_else(|| {
                let listening = listen(
                    socket.to_owned(),
                    self.wishes.clone(),
                    self.live.clone(),
                    Arc::clone(&self.failures),
                );
                tokio::spawn(listening).abort_handle()
            });
            self.tasks.insert(socket.to_owned(), task);
        }
        before.into_values().for_each(|task| task.abort());
    }
}

async fn listen(socket: PathBuf, wishes: mpsc::Sender<Wish>, live: Live, failures: Arc<AtomicU64>) {
    let mut pause = PAUSE_MIN;
    loop {
        let Err(error) = hear(&socket, &wishes, &live, &mut pause).await else {
            // Nobody is left to wish anything of.
            return;
        };
        failures.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(socket = %socket.display(), error = %causes(&error), "the agent's last certificate stays in force");
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(PAUSE_MAX);
    }
}

async fn hear(
    socket: &Path,
    wishes: &mpsc::Sender<Wish>,
    live: &Live,
    pause: &mut Duration,
) -> Result<(), AgentError> {
    let mut stream = agents::stream(socket).await?;
    loop {
        let issued = stream.next().await.unwrap_or(Err(AgentError::Closed))?;
        *pause = PAUSE_MIN;
        let snapshot = Arc::clone(&live.load());
        let in_force = snapshot.credentials.agents().of(socket);
        let is_new = in_force.is_none_or(|in_force| in_force.digest() != issued.digest());
        if is_new
            && wishes
                .send(Wish::Now("a Workload API".to_owned(), None))
                .await
                .is_err()
        {
            return Ok(());
        }
    }
}
