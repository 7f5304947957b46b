//! How a promoted arm is watched.

use std::time::Duration;

use config::document::{self, Alarmed};
use config::{Path, code};

use super::Report;
use crate::{Share, Watch};

/// The chance of a false alarm unless the document says otherwise, ...
const CHANCE: f64 = 0.05;

/// ... within this time.
const EVERY: Duration = Duration::from_secs(30 * 24 * 3600);

pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: Option<&document::Watch>,
    tick: Duration,
) -> Option<Watch> {
    let document::Watch {
        false_alarm,
        every,
        then,
    } = written?;
    let path = path.field("watch");
    let chance = false_alarm.map_or(CHANCE, Share::value);
    if chance <= 0.0 || chance >= 0.5 {
        let message =
            format!("a chance of {chance} for a false alarm, want more than 0 and less than 50%");
        let path = path.field("false_alarm");
        report.error(code::OUT_OF_RANGE, &path, message, "5% is usual");
    }
    let every = every.map_or(EVERY, |time| time.0);
    if every < tick {
        let message = "a false alarm cannot be rarer within less than a tick";
        let path = path.field("every");
        report.error(code::OUT_OF_RANGE, &path, message, "30d is usual");
    }
    let ticks = every.as_millis() / tick.as_millis().max(1);
    Some(Watch {
        allowed: stats::FalseAlarms {
            chance,
            ticks: u64::try_from(ticks).unwrap_or(u64::MAX).max(1),
        },
        reverts: *then == Some(Alarmed::Revert),
    })
}
