//! HTTP/2 byte by byte: frames that no honest client would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::in_time;

/// What a connection begins with (RFC 9113 §3.4), and empty settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Types of frames (RFC 9113 §6).
pub const DATA: u8 = 0;
/// See [`DATA`].
pub const HEADERS: u8 = 1;
/// See [`DATA`].
pub const RST_STREAM: u8 = 3;
/// See [`DATA`].
pub const PING: u8 = 6;
/// See [`DATA`].
pub const GOAWAY: u8 = 7;
/// See [`DATA`].
pub const CONTINUATION: u8 = 9;

/// Flags of `HEADERS` (RFC 9113 §6.2).
pub const END_STREAM: u8 = 1;
/// See [`END_STREAM`].
pub const END_HEADERS: u8 = 4;

/// A connection on which any frame can be sent.
pub struct Frames(TcpStream);

/// A frame as it arrived.
#[derive(Debug)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// The stream.
    pub stream: u32,
    /// What is in it.
    pub payload: Vec<u8>,
}

impl Frames {
    /// Connects with prior knowledge.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = in_time("a connection opens", TcpStream::connect(address)).await;
        let mut frames = Self(stream.expect("a connection opens"));
        frames.write(PREFACE).await;
        frames
    }

    /// Sends some frames; false if the other end is gone.
    pub async fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// The next frame; none at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        in_time("a frame", self.0.read_exact(&mut head))
            .await
            .ok()?;
        let [a, b, c, kind, _flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        in_time("a frame", self.0.read_exact(&mut payload))
            .await
            .ok()?;
        let stream = u32::from_be_bytes(stream);
        Some(Frame {
            kind,
            stream,
            payload,
        })
    }

    /// What becomes of a stream: its frame of this type, or none if the stream or the connection ended without.
    pub async fn find(&mut self, kind: u8, stream: u32) -> Option<Frame> {
        while let Some(frame) = self.next().await {
            if frame.kind == kind && frame.stream == stream {
                return Some(frame);
            }
            if frame.kind == GOAWAY || frame.kind == RST_STREAM && frame.stream == stream {
                return None;
            }
        }
        None
    }
}

/// One frame (RFC 9113 §4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short");
    let [_, length @ ..] = length.to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields as HPACK writes them without any compression (RFC 7541 §6.2.2), names and values as they are.
pub fn fields(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let text = |text: &[u8]| {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127);
        [&[length.expect("a text of a journey is short")], text].concat()
    };
    let field = |(name, value): &(&[u8], &[u8])| [vec![0], text(name), text(value)].concat();
    fields.iter().flat_map(field).collect()
}

/// The head of an honest GET.
pub fn get() -> Vec<u8> {
    fields(&[
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"models.example"),
    ])
}
