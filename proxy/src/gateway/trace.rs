//! Names by which a request is found again: its id and its trace. Kept if the client brought valid ones.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Chance;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longer ids would be logged and echoed at the client's will.
const ID_BYTES_MAX: usize = 128;

/// Sees to it that the request has one valid id and trace parent; gives the id.
pub(crate) fn name(headers: &mut HeaderMap, chance: &Chance) -> HeaderValue {
    if !headers.get(TRACEPARENT).is_some_and(is_trace_parent) {
        // Of the trace state nothing may be kept without its parent (W3C Trace Context §3.4).
        headers.remove(TRACESTATE);
        headers.insert(TRACEPARENT, made_trace_parent(chance));
    }
    if let Some(id) = headers.get(REQUEST_ID).filter(|id| is_id(id)) {
        return id.clone();
    }
    let id = made_id(chance);
    headers.insert(REQUEST_ID, id.clone());
    id
}

/// Forgets the id that somebody gave the request whose word is not taken.
pub(crate) fn forget(headers: &mut HeaderMap) {
    headers.remove(REQUEST_ID);
}

fn is_id(id: &HeaderValue) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// `version "-" trace-id "-" parent-id "-" trace-flags` in lower-case hexadecimal (W3C Trace Context §3.2).
/// Later versions may have more behind it.
fn is_trace_parent(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let Some((known, more)) = bytes.split_at_checked(55) else {
        return false;
    };
    let mut parts = known.split(|&byte| byte == b'-');
    let mut part = |length: usize| {
        let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        parts
            .next()
            .filter(|part| part.len() == length && part.iter().all(hex))
    };
    let (Some(version), Some(trace), Some(parent), Some(_)) =
        (part(2), part(32), part(16), part(2))
    else {
        return false;
    };
    let is_zero = |part: &[u8]| part.iter().all(|&digit| digit == b'0');
    let ends = more.is_empty() || (version != b"00" && more.starts_with(b"-"));
    version != b"ff" && !is_zero(trace) && !is_zero(parent) && ends
}

/// A trace that nobody records: the flags say that it was not sampled.
fn made_trace_parent(chance: &Chance) -> HeaderValue {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    // Never all zeros: that would be an invalid id.
    write(&mut text[3..19], chance.draw() | 1);
    write(&mut text[19..35], chance.draw());
    write(&mut text[36..52], chance.draw() | 1);
    value(&text)
}

/// 128 bits in hexadecimal.
fn made_id(chance: &Chance) -> HeaderValue {
    let mut text = [0; 32];
    write(&mut text[..16], chance.draw());
    write(&mut text[16..], chance.draw());
    value(&text)
}

fn value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::copy_from_slice(text))
        .unwrap_or_else(|_| HeaderValue::from_static("0"))
}

/// Writes a number as sixteen hexadecimal digits, the lowest last.
fn write(digits: &mut [u8], number: u64) {
    let (pairs, _) = digits.as_chunks_mut();
    for (pair, byte) in pairs.iter_mut().zip(number.to_be_bytes()) {
        *pair = PAIRS[usize::from(byte)];
    }
}

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name_of: &HeaderName, given: &'static str, is_kept: bool) {
        let chance = Chance::new().unwrap();
        let mut headers =
            HeaderMap::from_iter([(name_of.clone(), HeaderValue::from_static(given))]);
        name(&mut headers, &chance);
        assert_eq!(headers[name_of] == given, is_kept, "{given}");
        assert!(is_trace_parent(&headers[TRACEPARENT]) && is_id(&headers[REQUEST_ID]));
    }

    #[test]
    fn a_valid_request_id_is_kept_and_any_other_replaced() {
        check(&REQUEST_ID, "order-17/3", true);
        for bad in [
            "",
            "two words",
            "x\tx",
            concat!(
                "0123456789012345678901234567890123456789012345678901234567890123",
                "0123456789012345678901234567890123456789012345678901234567890123",
                "0"
            ),
        ] {
            check(&REQUEST_ID, bad, false);
        }
    }

    #[test]
    fn a_valid_trace_parent_is_kept_and_any_other_replaced() {
        check(
            &TRACEPARENT,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            true,
        );
        check(
            &TRACEPARENT,
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later",
            true,
        );
        for bad in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
        ] {
            check(&TRACEPARENT, bad, false);
        }
    }

    #[test]
    fn a_trace_state_without_a_valid_parent_is_removed() {
        let mut headers = HeaderMap::from_iter([(TRACESTATE, HeaderValue::from_static("a=1"))]);
        name(&mut headers, &Chance::new().unwrap());
        assert!(!headers.contains_key(TRACESTATE));
    }
}
