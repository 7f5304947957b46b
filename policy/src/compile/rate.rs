//! How many requests callers may send.

use std::time::Duration;

use config::document;
use config::{Path, code};

use super::{Scope, allow, experiment};
use crate::{RateKey, RateLimit, Unit};

/// Compiles the `limits.rate` at `path`.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    written: &document::RateLimit,
) -> Option<RateLimit> {
    let document::RateLimit {
        requests,
        key,
        burst,
    } = written;
    let rate = requests.events / requests.per.as_secs_f64();
    let interval = Duration::try_from_secs_f64(1.0 / rate).ok();
    let interval = interval.filter(|interval| !interval.is_zero());
    if interval.is_none() {
        let message = "a rate of nothing, or of more than 1 000 000 000 a second, limits nothing";
        let remedy = "write how many requests may come in a time, for example 100/s";
        let path = path.field("requests");
        scope
            .report
            .error(code::OUT_OF_RANGE, &path, message, remedy);
    }
    let burst = scope
        .report
        .positive(path, "burst", *burst, seconds_worth(rate));
    let key = match key {
        None => Some(RateKey::Everybody),
        Some(written) => self::key(scope, &path.field("key"), written),
    };
    Some(RateLimit {
        burst,
        interval: interval?,
        key: key?,
    })
}

/// What comes in a second at this rate, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest number that fits, and here none is negative"
)]
fn seconds_worth(rate: f64) -> u32 {
    (rate.ceil() as u32).max(1)
}

fn key(scope: &mut Scope<'_>, path: &Path, written: &document::RateKey) -> Option<RateKey> {
    let unit = match written {
        document::RateKey::Address => return Some(RateKey::Address),
        document::RateKey::Claim(name) => allow::claim(scope, path, name).map(Unit::Claim),
        document::RateKey::Header(name) => {
            experiment::header(&mut scope.report, path, name).map(Unit::Header)
        }
        document::RateKey::Caller => experiment::caller(scope, path),
    };
    unit.map(RateKey::Unit)
}
