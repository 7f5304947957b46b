//! What gRPC adds to HTTP/2: a status at the end, a deadline at the beginning.
//!
//! Source: "gRPC over HTTP2" (PROTOCOL-HTTP2.md) and "gRPC status codes" of the gRPC project.

mod frame;

use std::fmt::{self, Write as _};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderMap};
use http::{HeaderName, HeaderValue, Response, StatusCode};

pub(crate) use frame::{Framed, framed};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
pub(crate) const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// The names of statuses, by their numbers.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Status(u8);

impl Status {
    pub(crate) const OK: Self = Self(0);
    pub(crate) const CANCELLED: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(2);
    pub(crate) const INVALID_ARGUMENT: Self = Self(3);
    pub(crate) const DEADLINE_EXCEEDED: Self = Self(4);
    pub(crate) const NOT_FOUND: Self = Self(5);
    pub(crate) const PERMISSION_DENIED: Self = Self(7);
    pub(crate) const RESOURCE_EXHAUSTED: Self = Self(8);
    pub(crate) const UNIMPLEMENTED: Self = Self(12);
    pub(crate) const INTERNAL: Self = Self(13);
    pub(crate) const UNAVAILABLE: Self = Self(14);
    pub(crate) const UNAUTHENTICATED: Self = Self(16);
    const DATA_LOSS: Self = Self(15);

    /// What the trailers of a call say, or its head if that is all there is; what is no number is unknown.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let written = headers.get(STATUS)?.to_str().ok();
        Some(
            written
                .and_then(|text| text.parse().ok())
                .map_or(Self::UNKNOWN, Self),
        )
    }

    /// What a refusal over HTTP is to a call: as the project maps them ("HTTP to gRPC status code mapping"),
    /// and where that loses it, what passed or was too much.
    pub(crate) fn from_http(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::UNAUTHENTICATED,
            403 => Self::PERMISSION_DENIED,
            404 | 405 | 501 => Self::UNIMPLEMENTED,
            408 | 504 => Self::DEADLINE_EXCEEDED,
            413 => Self::RESOURCE_EXHAUSTED,
            429 | 502 | 503 => Self::UNAVAILABLE,
            400 | 500 => Self::INTERNAL,
            _ => Self::UNKNOWN,
        }
    }

    /// Whether the server is at fault, not the caller: the codes that OpenTelemetry's conventions take for an
    /// error of a server's span.
    pub(crate) fn is_failure(self) -> bool {
        [
            Self::UNKNOWN,
            Self::DEADLINE_EXCEEDED,
            Self::UNIMPLEMENTED,
            Self::INTERNAL,
            Self::UNAVAILABLE,
            Self::DATA_LOSS,
        ]
        .contains(&self)
    }

    /// What the project calls it.
    pub(crate) fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().unwrap_or("UNKNOWN")
    }

    /// Writes it, with words for people.
    pub(crate) fn write(self, message: &str, headers: &mut HeaderMap) {
        headers.insert(STATUS, HeaderValue::from(u16::from(self.0)));
        if let Ok(message) = HeaderValue::try_from(percent_encoded(message)) {
            headers.insert(MESSAGE, message);
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether a head begins a call or its answer.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    let Some(written) = headers.get(CONTENT_TYPE) else {
        return false;
    };
    let rest = written.as_bytes().strip_prefix(MEDIA_TYPE.as_bytes());
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// The status of an answer as HTTP has it. A call that could not be served is answered with 200, and is to whoever
/// asks for the status what a request is with 503.
pub(crate) fn http_status<B>(answer: &Response<B>, is_call: bool) -> StatusCode {
    if is_call && Status::of(answer.headers()) == Some(Status::UNAVAILABLE) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        answer.status()
    }
}

/// Says that an answer is one to a call.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
}

/// How long the caller waits; none if it does not say, or says it otherwise than the protocol.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let written = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = written.split_at_checked(written.len().checked_sub(1)?)?;
    let is_number = (1..=8).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_number)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Writes how long the caller waits from now on, as a proxy that has used up a part of it must: in milliseconds,
/// or where those have too many digits in seconds.
pub(crate) fn set_timeout(left: Duration, headers: &mut HeaderMap) {
    let millis = left.as_millis();
    let written = if millis < 100_000_000 {
        format!("{millis}m")
    } else {
        format!("{}S", left.as_secs().min(99_999_999))
    };
    if let Ok(value) = HeaderValue::try_from(written) {
        headers.insert(TIMEOUT, value);
    }
}

/// Removes what a caller says about its own waiting and reading, from a call that it does not wait for.
pub(crate) fn forget_caller(headers: &mut HeaderMap) {
    headers.remove(TIMEOUT);
    headers.remove(ACCEPT_ENCODING);
}

/// Printable ASCII but the percent sign as it is, the rest in hexadecimal.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(byte.into()),
            // A string takes whatever is written.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let value = HeaderValue::from_str(value).unwrap();
        HeaderMap::from_iter([(HeaderName::from_static(name), value)])
    }

    #[test]
    fn calls_are_told_by_their_media_type() {
        for (written, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(
                is_call(&headers("content-type", written)),
                expected,
                "{written}"
            );
        }
    }

    #[test]
    fn a_deadline_has_at_most_eight_digits_and_a_unit() {
        for (written, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("0n", Some(Duration::ZERO)),
            ("123456789S", None),
            ("S", None),
            ("", None),
            ("1", None),
            ("-1S", None),
            ("1s", None),
        ] {
            assert_eq!(
                timeout(&headers("grpc-timeout", written)),
                expected,
                "{written}"
            );
        }
    }

    #[test]
    fn a_call_that_could_not_be_served_is_what_a_request_is_with_503() {
        let mut answer = Response::new(());
        Status::UNAVAILABLE.write("", answer.headers_mut());
        let told = [true, false].map(|is_call| http_status(&answer, is_call).as_u16());
        assert_eq!(told, [503, 200]);
    }

    #[test]
    fn what_is_left_of_a_deadline_is_written_as_it_is_read() {
        for (left, written) in [
            (Duration::from_millis(1_500), "1500m"),
            (Duration::from_micros(10), "0m"),
            (Duration::from_secs(99_999), "99999000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            let mut headers = HeaderMap::new();
            set_timeout(left, &mut headers);
            assert_eq!(headers[TIMEOUT], written);
        }
    }

    #[test]
    fn statuses_have_the_names_of_their_numbers() {
        assert_eq!(Status::OK.name(), "OK");
        assert_eq!(Status::UNAUTHENTICATED.name(), "UNAUTHENTICATED");
        assert_eq!(Status(17).name(), "UNKNOWN");
    }

    #[test]
    fn a_status_that_is_no_number_is_unknown() {
        let of = |text| Status::of(&headers("grpc-status", text));
        assert_eq!(of("14"), Some(Status::UNAVAILABLE));
        assert_eq!(of("fine"), Some(Status::UNKNOWN));
        assert_eq!(Status::of(&HeaderMap::new()), None);
        assert!(!Status::PERMISSION_DENIED.is_failure() && Status::INTERNAL.is_failure());
    }

    #[test]
    fn words_keep_to_what_a_header_may_hold() {
        assert_eq!(percent_encoded("5% of \n é"), "5%25 of %0A %C3%A9");
    }
}
