//! The encodings in which bodies travel, and how they are undone within a limit.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// The memory that a zstd stream may ask for, as a power of two: 8 MiB, what RFC 9659 lets the web use.
const ZSTD_WINDOW: u32 = 23;

/// How the bytes of a body stand for what it says (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// They are what it says.
    Identity,
    Gzip,
    Deflate,
    Zstd,
    /// Any other, or several at once.
    Unknown,
}

/// It says more than is held of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

impl Coding {
    /// What the head of a request or an answer says.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut written = headers.get_all(CONTENT_ENCODING).iter();
        match (written.next(), written.next()) {
            (None, _) => Self::Identity,
            (Some(one), None) => Self::named(one.as_bytes()),
            _ => Self::Unknown,
        }
    }

    /// The one of this name, in whatever case.
    pub(crate) fn named(written: &[u8]) -> Self {
        let is = |name: &&[u8]| written.trim_ascii().eq_ignore_ascii_case(name);
        let known: [(&[u8], Self); 5] = [
            (b"identity", Self::Identity),
            (b"gzip", Self::Gzip),
            (b"x-gzip", Self::Gzip),
            (b"deflate", Self::Deflate),
            (b"zstd", Self::Zstd),
        ];
        let found = known.iter().find(|(name, _)| is(name));
        found.map_or(Self::Unknown, |(_, coding)| *coding)
    }

    /// What the bytes stand for; none if they are no such encoding. No more than `room` is ever held.
    pub(crate) fn decode(self, bytes: &[u8], room: u64) -> Result<Option<Vec<u8>>, TooLarge> {
        match self {
            Self::Identity => bounded(bytes, room),
            Self::Gzip => bounded(MultiGzDecoder::new(bytes), room),
            // Some leave out the header that RFC 9110 asks for.
            Self::Deflate if is_zlib(bytes) => bounded(ZlibDecoder::new(bytes), room),
            Self::Deflate => bounded(DeflateDecoder::new(bytes), room),
            Self::Zstd => match zstd(bytes) {
                Ok(decoder) => bounded(decoder, room),
                Err(_) => Ok(None),
            },
            Self::Unknown => Ok(None),
        }
    }
}

fn zstd(bytes: &[u8]) -> io::Result<impl Read> {
    let mut decoder = zstd::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(ZSTD_WINDOW)?;
    Ok(decoder)
}

/// Whether the first two bytes are a header of RFC 1950.
fn is_zlib(bytes: &[u8]) -> bool {
    let [first, second, ..] = bytes else {
        return false;
    };
    first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)).is_multiple_of(31)
}

fn bounded(decoder: impl Read, room: u64) -> Result<Option<Vec<u8>>, TooLarge> {
    let mut decoded = Vec::new();
    // One more than there is room for tells that there is more.
    let mut limited = decoder.take(room.saturating_add(1));
    match limited.read_to_end(&mut decoded) {
        Ok(_) if decoded.len() as u64 > room => Err(TooLarge),
        Ok(_) => Ok(Some(decoded)),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    macro_rules! encoded {
        ($encoder:ident, $said:expr) => {{
            let mut encoder = $encoder::new(Vec::new(), Compression::default());
            encoder.write_all($said).unwrap();
            encoder.finish().unwrap()
        }};
    }

    #[test]
    fn every_known_encoding_is_undone() {
        let said = b"ten labels, ten labels, ten labels";
        for (name, bytes) in [
            ("GZIP", encoded!(GzEncoder, said)),
            ("x-gzip", encoded!(GzEncoder, said)),
            ("deflate", encoded!(ZlibEncoder, said)),
            ("deflate", encoded!(DeflateEncoder, said)),
            ("zstd", zstd::encode_all(&said[..], 0).unwrap()),
            (" identity ", said.to_vec()),
        ] {
            let coding = Coding::named(name.as_bytes());
            assert_eq!(
                coding.decode(&bytes, 100),
                Ok(Some(said.to_vec())),
                "{name}"
            );
            assert_eq!(coding.decode(&bytes, 34), Ok(Some(said.to_vec())), "{name}");
            assert_eq!(coding.decode(&bytes, 33), Err(TooLarge), "{name}");
        }
    }

    #[test]
    fn what_is_no_such_encoding_stays_what_it_is() {
        let broken = &encoded!(GzEncoder, b"a text that breaks off")[..20];
        for (name, bytes) in [("gzip", broken), ("gzip", b"plain"), ("deflate", b"\xff")] {
            let coding = Coding::named(name.as_bytes());
            assert_eq!(coding.decode(bytes, 100), Ok(None), "{name}");
        }
        assert_eq!(Coding::named(b"zstd").decode(b"plain", 9), Ok(None));
        assert_eq!(Coding::named(b"br").decode(b"plain", 9), Ok(None));
        assert_eq!(Coding::named(b"gzip, zstd"), Coding::Unknown);
    }

    #[test]
    fn a_bomb_never_takes_more_than_there_is_room_for() {
        let nothing = vec![0; 10 << 20];
        let gzip = encoded!(GzEncoder, &nothing);
        assert!(gzip.len() < 20_000, "ten mebibytes in {}", gzip.len());
        assert_eq!(Coding::Gzip.decode(&gzip, 1 << 20), Err(TooLarge));
        let zstd = zstd::encode_all(&nothing[..], 0).unwrap();
        assert_eq!(Coding::Zstd.decode(&zstd, 1 << 20), Err(TooLarge));
    }

    #[test]
    fn a_head_names_one_encoding_or_none() {
        let of = |written: &[&'static str]| {
            let header = |it: &&'static str| (CONTENT_ENCODING, it.parse().unwrap());
            Coding::of(&written.iter().map(header).collect())
        };
        assert_eq!(of(&[]), Coding::Identity);
        assert_eq!(of(&["gzip"]), Coding::Gzip);
        assert_eq!(of(&["gzip", "gzip"]), Coding::Unknown);
    }
}
