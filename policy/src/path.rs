//! One spelling for each path, or none.
//!
//! A route is an access rule, so a path that a backend may read differently from the route table
//! must not pass. What has one meaning gets one spelling (RFC 3986 §6.2.2); what has two is
//! refused, as Spring's `StrictHttpFirewall` does. Whoever forwards a request forwards the
//! normalised path: it is the one that was checked.

use std::borrow::Cow;

/// Why a path has no single meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguous {
    /// It does not begin with a slash, like the `*` of `OPTIONS *`.
    #[error("the path does not begin with a slash")]
    NotAbsolute,
    /// A `%` without two hexadecimal digits.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    BadEscape,
    /// `%25` before two hexadecimal digits: another meaning to whoever decodes twice.
    #[error("the path is percent-encoded twice")]
    DoubleEncoding,
    /// `.` or `..` as a segment, encoded or not.
    #[error("the path has a dot segment")]
    DotSegment,
    /// Two slashes in a row: some servers merge them.
    #[error("the path has an empty segment")]
    EmptySegment,
    /// `%2F`: a slash to servers that decode before they split.
    #[error("the path has an encoded slash")]
    EncodedSlash,
    /// `\` or `%5C`: a slash to some servers.
    #[error("the path has a backslash")]
    Backslash,
    /// `;` or `%3B`: servlet containers cut the segment there.
    #[error("the path has a semicolon")]
    Semicolon,
    /// A NUL, line break or other control character, encoded or not.
    #[error("the path has a control character")]
    Control,
}

/// The one spelling of a path (without its query), or why it has none.
///
/// Escapes of characters that may stand for themselves in a segment (`pchar` of RFC 3986 §3.3) are
/// decoded, all other bytes are escaped with upper-case digits. That goes beyond §6.2.2.2, which
/// decodes the unreserved ones only: backends read `%3A` as `:`, so the table must as well.
///
/// # Errors
/// When a backend could read the path in another way.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    if !path.starts_with('/') {
        return Err(Ambiguous::NotAbsolute);
    }
    if is_plain(path.as_bytes()) {
        Ok(Cow::Borrowed(path))
    } else {
        spell(path)
    }
}

fn spell(path: &str) -> Result<Cow<'_, str>, Ambiguous> {
    let bytes = path.as_bytes();
    let mut spelled = Spelling {
        path,
        same: 0,
        changed: None,
    };
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let (meant, width) = match byte {
            b'%' => (escaped(bytes.get(at + 1..).unwrap_or_default())?, 3),
            plain => (plain, 1),
        };
        refuse(meant, width == 3)?;
        spelled.push(meant, width);
        at += width;
    }
    let normal = spelled.finish();
    segments_are_plain(&normal)?;
    Ok(normal)
}

/// Whether it is spelled as it has to be, and nothing in it needs a closer look: so are nearly all, which then cost
/// one look at each byte. A segment that begins with a dot is left to [`segments_are_plain`].
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    path.iter().all(|&byte| {
        let begins_well = before != b'/' || !matches!(byte, b'/' | b'.');
        before = byte;
        begins_well && STANDS_FOR_ITSELF[usize::from(byte)]
    })
}

/// [`stands_for_itself`] for each byte.
const STANDS_FOR_ITSELF: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(clippy::cast_possible_truncation, reason = "the table has 256 entries")]
        let is_such = stands_for_itself(byte as u8);
        table[byte] = is_such;
        byte += 1;
    }
    table
};

/// The byte that an escape stands for, given what follows its percent sign.
fn escaped(after: &[u8]) -> Result<u8, Ambiguous> {
    let byte = hex_pair(after).ok_or(Ambiguous::BadEscape)?;
    let again = byte == b'%' && after.get(2..).and_then(hex_pair).is_some();
    if again {
        Err(Ambiguous::DoubleEncoding)
    } else {
        Ok(byte)
    }
}

fn hex_pair(bytes: &[u8]) -> Option<u8> {
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|&byte| char::from(byte).to_digit(16))
    };
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

fn refuse(byte: u8, was_escaped: bool) -> Result<(), Ambiguous> {
    match byte {
        b'/' if was_escaped => Err(Ambiguous::EncodedSlash),
        b'\\' => Err(Ambiguous::Backslash),
        b';' => Err(Ambiguous::Semicolon),
        _ if byte.is_ascii_control() => Err(Ambiguous::Control),
        _ => Ok(()),
    }
}

/// Refuses `.`, `..` and empty segments; a slash at the end is no empty segment.
fn segments_are_plain(path: &str) -> Result<(), Ambiguous> {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let mut segments = inner.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(Ambiguous::DotSegment),
            "" if segments.peek().is_some() => return Err(Ambiguous::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a byte stands for itself in a path: `pchar` and the slash between segments.
const fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b'='
                | b':'
                | b'@'
                | b'/'
        )
}

/// The normal spelling so far; nothing is copied until it differs from the original.
struct Spelling<'a> {
    path: &'a str,
    same: usize,
    changed: Option<String>,
}

impl<'a> Spelling<'a> {
    fn push(&mut self, meant: u8, width: usize) {
        const HEX: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
        ];
        let escape = [
            '%',
            HEX[usize::from(meant >> 4)],
            HEX[usize::from(meant & 15)],
        ];
        let plain = [char::from(meant)];
        let spelling: &[char] = if stands_for_itself(meant) {
            &plain
        } else {
            &escape
        };
        let unchanged =
            self.changed.is_none() && self.original(width).chars().eq(spelling.iter().copied());
        if unchanged {
            self.same += width;
        } else {
            let start = self.path.get(..self.same).unwrap_or_default();
            self.changed
                .get_or_insert_with(|| start.to_owned())
                .extend(spelling);
        }
    }

    /// The next bytes of the original, while nothing has changed; empty within a character.
    fn original(&self, width: usize) -> &'a str {
        self.path
            .get(self.same..self.same + width)
            .unwrap_or_default()
    }

    fn finish(self) -> Cow<'a, str> {
        self.changed.map_or(Cow::Borrowed(self.path), Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Result<&str, Ambiguous>) {
        assert_eq!(normalize(path).as_deref(), expected.as_deref(), "{path}");
    }

    #[test]
    fn a_plain_path_is_borrowed() {
        let path = "/v2/models/fraud:7b@eu/versions/1/infer/";
        assert!(matches!(normalize(path), Ok(Cow::Borrowed(same)) if same == path));
    }

    #[test]
    fn what_means_the_same_is_spelled_the_same() {
        check("/v2/%6Dodels/%7efraud", Ok("/v2/models/~fraud"));
        check("/llama%3a7b", Ok("/llama:7b"));
        check("/50%25", Ok("/50%25"));
        check("/a%20b%c3%a8", Ok("/a%20b%C3%A8"));
        check("/a bè", Ok("/a%20b%C3%A8"));
    }

    #[test]
    fn what_a_backend_may_read_differently_is_refused() {
        check("*", Err(Ambiguous::NotAbsolute));
        check("", Err(Ambiguous::NotAbsolute));
        check("/a/../b", Err(Ambiguous::DotSegment));
        check("/a/%2e%2E/b", Err(Ambiguous::DotSegment));
        check("/a/.", Err(Ambiguous::DotSegment));
        check("//a", Err(Ambiguous::EmptySegment));
        check("/a//b", Err(Ambiguous::EmptySegment));
        check("/a//", Err(Ambiguous::EmptySegment));
        check("/a%2Fb", Err(Ambiguous::EncodedSlash));
        check("/a\\b", Err(Ambiguous::Backslash));
        check("/a%5cb", Err(Ambiguous::Backslash));
        check("/a%00", Err(Ambiguous::Control));
        check("/a%0d%0a", Err(Ambiguous::Control));
        check("/secret;x", Err(Ambiguous::Semicolon));
        check("/secret%3Bx", Err(Ambiguous::Semicolon));
        check("/a%2", Err(Ambiguous::BadEscape));
        check("/a%zz", Err(Ambiguous::BadEscape));
        check("/a%252e%252e", Err(Ambiguous::DoubleEncoding));
    }

    /// What a lenient server does: decode everything, backslashes are slashes, then split.
    fn lenient_segments(path: &str) -> Vec<Vec<u8>> {
        let bytes = path.as_bytes();
        let mut decoded = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let pair = (bytes[at] == b'%')
                .then(|| bytes.get(at + 1..).and_then(hex_pair))
                .flatten();
            decoded.push(pair.unwrap_or(bytes[at]));
            at += if pair.is_some() { 3 } else { 1 };
        }
        decoded
            .split(|byte| matches!(byte, b'/' | b'\\'))
            .map(<[u8]>::to_vec)
            .collect()
    }

    proptest! {
        #[test]
        fn a_path_that_needs_no_closer_look_is_what_that_would_give(
            path in "/([a-z.;~:]|/|%2e|\u{1}|è){0,12}"
        ) {
            if is_plain(path.as_bytes()) {
                let spelled = spell(&path);
                prop_assert_eq!(spelled.as_deref(), Ok(&*path));
            }
        }

        #[test]
        fn a_normal_path_is_normal(path in "/([a-z./%;\\\\ è]|%[0-9a-f]{2}){0,24}") {
            if let Ok(normal) = normalize(&path) {
                let again = normalize(&normal);
                prop_assert_eq!(again.as_deref(), Ok(&*normal));
            }
        }

        #[test]
        fn a_server_that_decodes_first_reads_the_same_segments(
            path in "/([a-z.:]|/|%2[0-9a-fA-F]|%5[cC]|%[46][0-9a-f]){0,24}"
        ) {
            if let Ok(normal) = normalize(&path) {
                let lenient = lenient_segments(&path);
                prop_assert_eq!(&lenient, &lenient_segments(&normal));
                prop_assert_eq!(normal.split('/').count(), lenient.len());
                prop_assert!(lenient.iter().all(|segment| segment != b"." && segment != b".."));
            }
        }

        #[test]
        fn paths_that_decode_alike_are_spelled_alike(text in "[ -~]{0,12}") {
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let (plain, escaped) = (format!("/{text}"), format!("/{escaped}"));
            if let (Ok(plain), Ok(escaped)) = (normalize(&plain), normalize(&escaped)) {
                prop_assert!(text.contains('%') || plain == escaped, "{} {}", plain, escaped);
            }
        }

        #[test]
        fn nothing_panics(path in "\\PC{0,40}") {
            drop(normalize(&path));
        }
    }
}
