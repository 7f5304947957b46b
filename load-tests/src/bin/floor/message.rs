//! HTTP/1.1 messages as the floor forwards them: heads without the headers of one hop, and where bodies end.

use bytes::{BufMut as _, BytesMut};
use httparse::{Header, Status};

/// Headers that a message may have.
const HEADERS: usize = 64;

/// Bytes of a head that is not at its end yet.
const HEAD: usize = 64 * 1024;

/// A message that has no meaning, or two.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl From<httparse::Error> for Unreadable {
    fn from(_: httparse::Error) -> Self {
        Self
    }
}

/// What matters of a request once it is forwarded.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Where its body ends.
    pub(crate) body: Body,
    /// Whether the client's connection stays.
    pub(crate) keeps: bool,
    wants_head_only: bool,
}

impl Asked {
    /// Reads a head and writes it anew; says how long it was. `None` while its end has not come.
    pub(crate) fn read(
        from: &[u8],
        to: &mut BytesMut,
    ) -> Result<Option<(Self, usize)>, Unreadable> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let Status::Complete(length) = request.parse(from)? else {
            return waiting(from);
        };
        let (Some(method), Some(path), Some(version)) =
            (request.method, request.path, request.version)
        else {
            return Err(Unreadable);
        };
        let framing = Framing::of(request.headers)?;
        // A length that nobody can compare with anything else, or the end of a connection that asks (RFC 9112 §6.3).
        let body = match (framing.length, framing.is_chunked) {
            (_, true) => Body::Chunked(Chunk::Size(0, 0)),
            (length, false) => Body::Length(length.unwrap_or(0)),
        };
        to.put_slice(method.as_bytes());
        to.put_u8(b' ');
        to.put_slice(path.as_bytes());
        to.put_slice(b" HTTP/1.1\r\n");
        write_headers(request.headers, &framing, to);
        let asked = Self {
            body,
            keeps: framing.keeps(version),
            wants_head_only: method == "HEAD",
        };
        Ok(Some((asked, length)))
    }
}

/// What matters of an answer once it is forwarded.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Where its body ends; `None` for an interim answer, after which another comes.
    pub(crate) body: Option<Body>,
    /// Whether the backend's connection stays.
    pub(crate) keeps: bool,
}

impl Answer {
    /// Reads a head and writes it anew; says how long it was. `None` while its end has not come.
    pub(crate) fn read(
        from: &[u8],
        asked: &Asked,
        to: &mut BytesMut,
    ) -> Result<Option<(Self, usize)>, Unreadable> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let Status::Complete(length) = response.parse(from)? else {
            return waiting(from);
        };
        let (Some(code), Some(version)) = (response.code, response.version) else {
            return Err(Unreadable);
        };
        let framing = Framing::of(response.headers)?;
        let body = match (code, framing.length, framing.is_chunked) {
            // Nobody asked for another protocol: `upgrade` is taken off.
            (101, ..) => return Err(Unreadable),
            (100..=199, ..) => None,
            (204 | 304, ..) => Some(Body::Length(0)),
            _ if asked.wants_head_only => Some(Body::Length(0)),
            (_, _, true) => Some(Body::Chunked(Chunk::Size(0, 0))),
            (_, Some(length), false) => Some(Body::Length(length)),
            (_, None, false) => Some(Body::UntilClose),
        };
        to.put_slice(b"HTTP/1.1 ");
        to.put_slice(code.to_string().as_bytes());
        to.put_u8(b' ');
        to.put_slice(response.reason.unwrap_or_default().as_bytes());
        to.put_slice(b"\r\n");
        write_headers(response.headers, &framing, to);
        let keeps = framing.keeps(version);
        Ok(Some((Self { body, keeps }, length)))
    }
}

fn waiting<T>(from: &[u8]) -> Result<Option<T>, Unreadable> {
    if from.len() > HEAD {
        return Err(Unreadable);
    }
    Ok(None)
}

/// What a head says about its connection and its body.
#[derive(Default)]
struct Framing<'a> {
    length: Option<u64>,
    is_chunked: bool,
    connection: Vec<&'a str>,
}

impl<'a> Framing<'a> {
    fn of(headers: &[Header<'a>]) -> Result<Self, Unreadable> {
        let mut framing = Self::default();
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = text(header)?.parse().map_err(|_| Unreadable)?;
                if framing.length.replace(length).is_some() {
                    return Err(Unreadable);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                if framing.is_chunked || !text(header)?.eq_ignore_ascii_case("chunked") {
                    return Err(Unreadable);
                }
                framing.is_chunked = true;
            } else if header.name.eq_ignore_ascii_case("connection") {
                framing
                    .connection
                    .extend(text(header)?.split(',').map(str::trim));
            }
        }
        // Both at once is how requests are smuggled (RFC 9112 §6.1).
        if framing.is_chunked && framing.length.is_some() {
            return Err(Unreadable);
        }
        Ok(framing)
    }

    fn keeps(&self, version: u8) -> bool {
        version == 1 && !self.names("close")
    }

    fn names(&self, option: &str) -> bool {
        let mut named = self.connection.iter();
        named.any(|named| named.eq_ignore_ascii_case(option))
    }

    /// Whether a header is meant for the next hop only (RFC 9110 §7.6.1). The encoding of the transfer stays:
    /// the body passes as it came.
    fn is_of_one_hop(&self, name: &str) -> bool {
        const NAMES: [&str; 5] = [
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "upgrade",
        ];
        let known = NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
        known || self.names(name)
    }
}

fn text<'a>(header: &Header<'a>) -> Result<&'a str, Unreadable> {
    let value = std::str::from_utf8(header.value).map_err(|_| Unreadable)?;
    Ok(value.trim())
}

fn write_headers(headers: &[Header<'_>], framing: &Framing<'_>, to: &mut BytesMut) {
    for header in headers {
        if framing.is_of_one_hop(header.name) {
            continue;
        }
        to.put_slice(header.name.as_bytes());
        to.put_slice(b": ");
        to.put_slice(header.value);
        to.put_slice(b"\r\n");
    }
    to.put_slice(b"\r\n");
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// After so many bytes.
    Length(u64),
    /// After its last chunk.
    Chunked(Chunk),
    /// With the connection.
    UntilClose,
}

/// What comes next in a body of chunks (RFC 9112 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// The size, of which so much and so many digits have come.
    Size(u64, u8),
    /// The rest of the line of a chunk of this size.
    Line(u64),
    /// So many bytes of data.
    Data(u64),
    /// The line's end after data; its first byte has come or not.
    End(bool),
    /// A trailer, of whose line so many bytes have come.
    Trailer(u64),
    /// Nothing.
    Done,
}

impl Body {
    /// Whether nothing more belongs to it.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::Done))
    }

    /// How many of these bytes belong to it; they count as passed.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Unreadable> {
        match self {
            Self::UntilClose => Ok(bytes.len()),
            Self::Length(left) => Ok(spend(left, bytes.len())),
            Self::Chunked(chunk) => {
                let mut rest = bytes;
                while !rest.is_empty() && *chunk != Chunk::Done {
                    let taken = chunk.advance(rest)?;
                    rest = rest.get(taken..).unwrap_or_default();
                }
                Ok(bytes.len() - rest.len())
            }
        }
    }
}

/// Takes from what is left as much as there is.
fn spend(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).map_or(there, |left| left.min(there));
    *left -= taken as u64;
    taken
}

impl Chunk {
    /// Passes the data that is there, or else one byte.
    fn advance(&mut self, bytes: &[u8]) -> Result<usize, Unreadable> {
        if let Self::Data(left) = self {
            let taken = spend(left, bytes.len());
            if *left == 0 {
                *self = Self::End(false);
            }
            return Ok(taken);
        }
        let byte = bytes.first().copied().ok_or(Unreadable)?;
        *self = match (*self, byte) {
            (Self::Size(_, 0), b'\r' | b'\n' | b';') => return Err(Unreadable),
            (Self::Size(size, _), b'\r' | b';') => Self::Line(size),
            (Self::Size(size, digits @ 0..15), _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Unreadable)?;
                Self::Size(size * 16 + u64::from(digit), digits + 1)
            }
            (Self::Line(0), b'\n') => Self::Trailer(0),
            (Self::Line(size), b'\n') => Self::Data(size),
            (Self::Line(size), _) => Self::Line(size),
            (Self::End(false), b'\r') => Self::End(true),
            (Self::End(true), b'\n') => Self::Size(0, 0),
            (Self::Trailer(0), b'\n') => Self::Done,
            (Self::Trailer(_), b'\n') => Self::Trailer(0),
            (Self::Trailer(length), b'\r') => Self::Trailer(length),
            (Self::Trailer(length), _) => Self::Trailer(length + 1),
            _ => return Err(Unreadable),
        };
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Asked, String), Unreadable> {
        let mut written = BytesMut::new();
        let (asked, length) = Asked::read(text.as_bytes(), &mut written)?.expect("a whole head");
        assert_eq!(length, text.len());
        Ok((asked, String::from_utf8(written.to_vec()).expect("text")))
    }

    #[test]
    fn headers_of_one_hop_are_taken_off_and_others_stay() {
        let (asked, written) = read(
            "POST /a HTTP/1.1\r\nhost: x\r\nConnection: close, x-mine\r\nx-mine: 1\r\ncontent-length: 3\r\n\r\n",
        )
        .expect("a request");
        assert_eq!(
            written,
            "POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n"
        );
        assert_eq!(asked.body, Body::Length(3));
        assert!(!asked.keeps);
    }

    #[test]
    fn a_request_of_two_lengths_is_refused() {
        for both in [
            "content-length: 1\r\ntransfer-encoding: chunked",
            "content-length: 1\r\ncontent-length: 1",
            "transfer-encoding: gzip, chunked",
        ] {
            let refused = read(&format!("POST / HTTP/1.1\r\n{both}\r\n\r\n"));
            assert_eq!(refused.map(|_| ()), Err(Unreadable), "{both}");
        }
    }

    #[test]
    fn chunks_end_where_they_end_however_they_arrive() {
        let text = b"5;x=y\r\nhello\r\n0\r\na: b\r\n\r\nnext";
        for size in 1..text.len() {
            let mut body = Body::Chunked(Chunk::Size(0, 0));
            let taken = text
                .chunks(size)
                .map(|part| body.advance(part).expect("chunks"));
            assert_eq!(taken.sum::<usize>(), text.len() - 4, "in parts of {size}");
            assert!(body.is_done());
        }
    }

    #[test]
    fn a_chunk_without_a_size_is_refused() {
        let mut body = Body::Chunked(Chunk::Size(0, 0));
        assert_eq!(body.advance(b"\r\nhello"), Err(Unreadable));
    }
}
