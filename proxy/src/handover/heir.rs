//! SIGUSR2: a Wald starts the one that takes over from it. A supervisor finds it among its own processes then,
//! and systemd is told which one is the main one now (`sd_notify(3)`).

use std::ffi::OsString;
use std::process::Command;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};

/// Starts this command line whenever the signal comes, within the runtime that is entered.
pub(crate) fn start_on_signal(command: Vec<OsString>) {
    let mut wanted = match signal(SignalKind::user_defined2()) {
        Ok(wanted) => wanted,
        Err(error) => return tracing::error!(%error, "cannot watch for SIGUSR2"),
    };
    tokio::spawn(async move {
        while wanted.recv().await.is_some() {
            let command = command.clone();
            // One after another: a signal that comes meanwhile is heard afterwards.
            drop(tokio::task::spawn_blocking(move || run(&command)).await);
        }
    });
}

/// Returns when the process has ended: when it took over, this one ends before.
fn run(command: &[OsString]) {
    let Some((program, arguments)) = command.split_first() else {
        return;
    };
    tracing::info!(?program, "starting another wald to take over");
    let ended = Command::new(program).args(arguments).status();
    match ended {
        Ok(status) => tracing::error!(%status, "the wald that was to take over has ended"),
        Err(error) => tracing::error!(?program, %error, "no other wald can be started"),
    }
}

/// Tells systemd, if it has asked to be told, that this process is the one that serves.
pub(super) fn tell_serving() {
    tell(&[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
}

/// Tells it that the process ends and nobody takes over.
pub(crate) fn tell_leaving() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told how it stands");
    }
}
