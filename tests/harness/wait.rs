//! Waiting for what must come, and giving up with a sentence when it does not.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long anything may take on a busy machine before a journey calls it missing.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a question is repeated that cannot announce its answer.
const AGAIN: Duration = Duration::from_millis(20);

/// Waits for `event`, at most [`PATIENCE`].
pub async fn in_time<T>(what: &str, event: impl Future<Output = T>) -> T {
    within(PATIENCE, what, event).await
}

/// Waits for `event`, at most `patience`.
pub async fn within<T>(patience: Duration, what: &str, event: impl Future<Output = T>) -> T {
    match timeout(patience, event).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: did not happen within {} s", patience.as_secs()),
    }
}

/// Asks again and again until `ask` has an answer, at most [`PATIENCE`].
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    in_time(what, asked(ask)).await
}

/// The answer, once there is one.
pub async fn asked<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pace = interval(AGAIN);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        if let Some(answer) = ask().await {
            return answer;
        }
    }
}
