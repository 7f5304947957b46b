//! Looks at the experiments through the admin API, as any user would, until there is nothing more to wait for.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{self, Instant, MissedTickBehavior};

use super::ports::Ports;
use super::replay::Replay;
use super::view::View;
use crate::cli::client::{ClientError, Connection};
use crate::cli::experiment::{Experiment, Experiments};

/// How long between two looks.
const LOOK: Duration = Duration::from_millis(250);

/// Why the wait is over, and how the experiments stood then.
pub(super) enum Ended {
    /// Every experiment has a verdict.
    Decided(Vec<Experiment>),
    /// Not every one has, and more time would not help.
    TimedOut(Vec<Experiment>),
    /// Somebody wants to stop.
    Interrupted(Vec<Experiment>),
}

impl Ended {
    pub(super) fn experiments(&self) -> &[Experiment] {
        let (Self::Decided(experiments)
        | Self::TimedOut(experiments)
        | Self::Interrupted(experiments)) = self;
        experiments
    }
}

/// Shows the experiments until each has its verdict, `within` has passed or somebody interrupts.
pub(super) async fn until_decided(
    ports: Ports,
    view: &View,
    replay: &Replay,
    within: Duration,
) -> Ended {
    let mut window = Window::new(ports.admin());
    let deadline = Instant::now() + within;
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        tokio::select! {
            () = window.look() => view.show(&window.seen, replay.tally()),
            () = &mut interrupted => return Ended::Interrupted(window.seen),
            () = time::sleep_until(deadline) => return Ended::TimedOut(window.seen),
        }
        if !window.seen.is_empty() && window.seen.iter().all(Experiment::is_over) {
            return Ended::Decided(window.seen);
        }
    }
}

/// Goes on showing them until somebody interrupts.
pub(super) async fn until_interrupted(ports: Ports, view: &View, replay: &Replay) {
    let mut window = Window::new(ports.admin());
    let mut interrupted = std::pin::pin!(interrupted());
    loop {
        tokio::select! {
            () = window.look() => view.show(&window.seen, replay.tally()),
            () = &mut interrupted => return,
        }
    }
}

/// Ends with the first SIGINT or SIGTERM.
async fn interrupted() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without signals nobody can interrupt.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// The admin API, seen through a connection that is opened again when it broke.
struct Window {
    admin: String,
    connection: Option<Connection>,
    looks: time::Interval,
    seen: Vec<Experiment>,
}

impl Window {
    fn new(admin: SocketAddr) -> Self {
        let mut looks = time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            admin: admin.to_string(),
            connection: None,
            looks,
            seen: Vec::new(),
        }
    }

    /// Looks again, a little after the last time. What was seen stays if nobody answers.
    async fn look(&mut self) {
        self.looks.tick().await;
        match self.ask().await {
            Ok(experiments) => self.seen = experiments,
            Err(_) => self.connection = None,
        }
    }

    async fn ask(&mut self) -> Result<Vec<Experiment>, ClientError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(Connection::open(&self.admin).await?),
        };
        let answer: Experiments = connection.get("/api/v1/experiments").await?;
        Ok(answer.experiments)
    }
}
