//! When the server ends, and in what order: no new connections, the last requests, the last evidence.

use async_trait::async_trait;
use pingora_core::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, mpsc, watch};

use super::{Leave, Phase};
use crate::handover::{self, Succession};
use crate::live::Live;
use crate::referee::Referee;

/// Waits for the end. Pingora's own watch would exit at once on SIGINT and sleep out a whole grace period on
/// SIGTERM; this one waits for exactly as long as there is something to finish.
pub(super) struct Ending {
    /// What says how long each part of it takes.
    pub(super) live: Live,
    /// Set by whoever embeds the server, by the admin API, and when another Wald serves instead.
    pub(super) leave: watch::Receiver<Option<Leave>>,
    /// What the workers watch.
    pub(super) phase: watch::Sender<Phase>,
    /// Closed when every worker has finished its last request.
    pub(super) drained: Mutex<mpsc::Receiver<()>>,
    /// Who writes down the last evidence.
    pub(super) referee: Referee,
    /// Who sends it to another Wald instead.
    pub(super) succession: Mutex<Option<Succession>>,
    /// What tells the server to end.
    pub(super) signals: Mutex<Signals>,
}

#[async_trait]
impl ShutdownSignalWatch for Ending {
    async fn recv(&self) -> ShutdownSignal {
        let mut signals = self.signals.lock().await;
        let mut leave = self.leave.clone();
        let why = tokio::select! {
            () = signals.next() => Leave::Told,
            why = asked(&mut leave) => why,
        };
        tracing::info!("draining");
        if why == Leave::Told {
            handover::tell_leaving();
        }
        tokio::select! {
            () = self.finish(why) => tracing::info!("ended"),
            () = signals.next() => tracing::warn!("ended before everything was finished"),
        }
        self.phase.send_replace(Phase::Ended);
        ShutdownSignal::FastShutdown
    }
}

impl Ending {
    async fn finish(&self, why: Leave) {
        self.phase.send_replace(match why {
            Leave::Told => Phase::Leaving,
            Leave::Relieved => Phase::Retiring,
        });
        // Balancers are told by `/readyz`, and clients with each answer; both need this time to hear it.
        let wait = self.live.load().policy.drain().wait;
        tokio::time::sleep(wait).await;
        self.phase.send_replace(Phase::Draining);
        while self.drained.lock().await.recv().await.is_some() {}
        let evidence = self.referee.close().await;
        if let Some(succession) = self.succession.lock().await.take() {
            succession.end(evidence).await;
        }
    }
}

/// Waits until somebody asks, for ever if nobody is left who could.
async fn asked(leave: &mut watch::Receiver<Option<Leave>>) -> Leave {
    let asked = leave.wait_for(Option::is_some).await;
    match asked.ok().and_then(|leave| *leave) {
        Some(why) => why,
        None => std::future::pending().await,
    }
}

/// SIGTERM and SIGINT.
pub(super) struct Signals([Option<Signal>; 2]);

impl Signals {
    /// Watches for them from now on: a signal that came before would have ended the process at once.
    pub(super) fn install() -> Self {
        Self(
            [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| {
                signal(kind)
                    .inspect_err(|error| tracing::error!(%error, "cannot watch for a signal"))
                    .ok()
            }),
        )
    }

    async fn next(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            () = received(terminate) => {}
            () = received(interrupt) => {}
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending::<()>().await;
    }
}
