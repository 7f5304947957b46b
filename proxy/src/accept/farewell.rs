//! The end of a listener's connections: each finishes what was asked over it, and none before it could ask.

use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulConnection;
use tokio::sync::watch;

use super::activity::Activity;

/// How long a connection over which nothing was asked yet is still open when the others end. Its client has
/// been let in and may have written a request that is on its way: to close then would be to refuse it.
const FIRST_REQUEST: Duration = Duration::from_secs(3);

/// What the connections of one listener are told their end by.
pub(super) struct Farewell(watch::Sender<bool>);

/// One connection's ear for it. Whoever says farewell waits until the last of them is gone.
pub(super) struct Guest(watch::Receiver<bool>);

impl Farewell {
    /// Nobody is there yet.
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// One connection more.
    pub(super) fn guest(&self) -> Guest {
        Guest(self.0.subscribe())
    }

    /// Tells every connection to end, and waits until they have.
    pub(super) async fn say(self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

impl Guest {
    /// Serves the connection until it ends, or until it has been told to and what was asked is answered.
    pub(super) async fn stay<C>(
        mut self,
        connection: C,
        activity: Rc<Activity>,
    ) -> Result<(), C::Error>
    where
        C: GracefulConnection,
    {
        let mut connection = pin!(connection);
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            // Nobody is left who could tell: that is the end, too.
            _ = self.0.wait_for(|told| *told) => {}
        }
        if activity.has_asked_nothing() {
            // An answer over HTTP/1.1 ends the connection by itself, because it says so.
            let first = tokio::time::timeout(FIRST_REQUEST, connection.as_mut());
            if let Ok(ended) = first.await {
                return ended;
            }
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }
}
