//! The frame of a message: whether it is encoded, its length, and its bytes.
//!
//! Source: "gRPC over HTTP2" (PROTOCOL-HTTP2.md), Length-Prefixed-Message.

use bytes::{Buf as _, Bytes, BytesMut};
use prost::Message;

/// The flag, and the length in four bytes.
const PREFIX_BYTES: usize = 5;

/// A message as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Framed {
    /// In the encoding that the head names.
    pub(crate) is_encoded: bool,
    pub(crate) message: Bytes,
}

impl Framed {
    /// Takes the next message; none if it has not come entirely.
    pub(crate) fn take(held: &mut BytesMut) -> Option<Self> {
        let [flag, length @ ..] = *held.first_chunk::<PREFIX_BYTES>()?;
        let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
        if held.len() - PREFIX_BYTES < length {
            return None;
        }
        held.advance(PREFIX_BYTES);
        Some(Self {
            is_encoded: flag != 0,
            message: held.split_to(length).freeze(),
        })
    }
}

/// A message that is not encoded, in its frame.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut framed = Vec::with_capacity(PREFIX_BYTES + length);
    framed.push(0);
    // No answer of a model has four gigabytes.
    framed.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    // A vector takes whatever is written.
    message.encode(&mut framed).ok();
    framed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_one_after_the_other_once_they_are_whole() {
        let sent = [framed(&"one".to_owned()), framed(&7_u64), framed(&())].concat();
        let mut held = BytesMut::new();
        let mut taken = Vec::new();
        for byte in sent {
            held.extend_from_slice(&[byte]);
            taken.extend(Framed::take(&mut held));
        }
        let plain = |message: &'static [u8]| Framed {
            is_encoded: false,
            message: message.into(),
        };
        assert_eq!(
            taken,
            [plain(b"\x0a\x03one"), plain(b"\x08\x07"), plain(b"")]
        );
        assert!(held.is_empty());
        let mut held = BytesMut::from(&b"\x01\0\0\0\x01x\0\0"[..]);
        let encoded = Framed::take(&mut held).unwrap();
        assert_eq!((encoded.is_encoded, &*encoded.message), (true, &b"x"[..]));
        assert_eq!(Framed::take(&mut held), None);
    }
}
