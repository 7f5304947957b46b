//! When requests are tried again.

use config::document::{self, Failure};
use config::{Path, code};
use http::StatusCode;

use super::{Report, pattern};
use crate::{Retries, RetryOn};

/// Retries beside all requests, unless the document says otherwise.
const BUDGET: f64 = 0.2;

/// How much of a body is kept for another try.
const BODY_BYTES: u64 = 1 << 20;

/// More would only be a load on servers that fail.
const ATTEMPTS_MAX: u32 = 10;

/// Compiles the `retries` of the route at `path`.
pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Retries,
) -> Retries {
    let document::Retries {
        attempts,
        when,
        methods,
        budget,
        body_max,
    } = written;
    let path = path.field("retries");
    if *attempts == 0 || *attempts > ATTEMPTS_MAX {
        let message = format!("{attempts} tries after the first are none, or too many");
        let remedy = format!("write 1 to {ATTEMPTS_MAX}, or remove `retries`");
        report.error(code::OUT_OF_RANGE, &path.field("attempts"), message, remedy);
    }
    if when.is_empty() {
        let message = "nothing is tried again";
        let remedy = "name a failure, for example [connect, 503]";
        report.error(code::NOTHING_THERE, &path.field("when"), message, remedy);
    }
    Retries {
        attempts: *attempts,
        when: self::when(report, &path.field("when"), when),
        methods: pattern::methods(report, &path.field("methods"), methods),
        budget: budget.map_or(BUDGET, |share| share.value()),
        body_bytes: body_max.map_or(BODY_BYTES, |bytes| bytes.0),
    }
}

fn when(report: &mut Report<'_>, path: &Path, written: &[document::RetryOn]) -> RetryOn {
    let mut when = RetryOn::default();
    for (position, written) in written.iter().enumerate() {
        match written {
            document::RetryOn::Failure(Failure::Connect) => when.connect = true,
            document::RetryOn::Failure(Failure::Reset) => when.reset = true,
            document::RetryOn::Failure(Failure::Timeout) => when.timeout = true,
            document::RetryOn::Status(status) => match StatusCode::from_u16(*status) {
                Ok(status) if status.is_client_error() || status.is_server_error() => {
                    when.statuses.push(status);
                }
                _ => {
                    let message = format!("{status} is no status of a failure");
                    let remedy = "write one from 400 to 599, for example 503";
                    report.error(code::OUT_OF_RANGE, &path.index(position), message, remedy);
                }
            },
        }
    }
    when
}
