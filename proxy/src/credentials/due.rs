//! Warnings about certificates, bundles and revocation lists that should have been renewed by now.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::identify::paper::Paper;
use crate::live::Live;

/// How often is looked. Certificates of workloads live for an hour; each is warned about once.
const LOOK: Duration = Duration::from_secs(30);

/// Warns for as long as the server runs.
pub(crate) async fn warn(live: Live) {
    let mut looks = tokio::time::interval(LOOK);
    let mut told = BTreeSet::new();
    loop {
        looks.tick().await;
        let now = now();
        for paper in live.load().credentials.papers() {
            if paper.is_due(now) && told.insert((paper.name(), paper.until)) {
                tell(paper, now);
            }
        }
    }
}

fn tell(paper: &Paper, now: i64) {
    let (name, file) = (paper.name(), paper.file.display());
    let left = paper.until.saturating_sub(now);
    if left > 0 {
        tracing::warn!(name, %file, seconds_left = left, "should have been renewed by now");
    } else {
        tracing::error!(name, %file, "has expired");
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
