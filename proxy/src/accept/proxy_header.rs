//! The PROXY protocol, version 2: what a balancer says about the client behind it, before anything else.
//!
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>, section 2.2. Version 1, the readable
//! one, is not taken: it has no length, so it would have to be guessed where it ends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What every header begins with, which no HTTP and no TLS does.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The signature, version and command, family and protocol, length.
const HEAD_BYTES: usize = 16;

/// The most behind that: addresses, and additions that are passed over.
const REST_BYTES_MAX: usize = 4096;

/// Who a header says that the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Someone at this address.
    Client(IpAddr),
    /// The balancer itself, for a health check.
    Itself,
    /// Someone who has no address of the Internet.
    Nobody,
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the connection does not begin with a PROXY header of version 2")]
    Signature,
    #[error("version {0} of the PROXY protocol, want 2")]
    Version(u8),
    #[error("command {0} of the PROXY protocol")]
    Command(u8),
    #[error("the PROXY header has {0} bytes, want {REST_BYTES_MAX} at most")]
    Length(usize),
    #[error("the addresses of the PROXY header are cut off")]
    Addresses,
    #[error("the connection ended within the PROXY header")]
    Broken(#[from] io::Error),
}

/// Reads a header, and not a byte more.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Said, Malformed> {
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    let mut rest = vec![0; length(&head)?];
    stream.read_exact(&mut rest).await?;
    said(&head, &rest)
}

/// How many bytes come behind the head.
fn length(head: &[u8; HEAD_BYTES]) -> Result<usize, Malformed> {
    let (signature, numbers) = head.split_at(SIGNATURE.len());
    if signature != SIGNATURE {
        return Err(Malformed::Signature);
    }
    let length = usize::from(u16::from_be_bytes([numbers[2], numbers[3]]));
    if length > REST_BYTES_MAX {
        return Err(Malformed::Length(length));
    }
    Ok(length)
}

fn said(head: &[u8; HEAD_BYTES], rest: &[u8]) -> Result<Said, Malformed> {
    let [version_and_command, family_and_protocol] = [head[12], head[13]];
    match (version_and_command >> 4, version_and_command & 15) {
        (2, 0) => return Ok(Said::Itself),
        (2, 1) => {}
        (2, command) => return Err(Malformed::Command(command)),
        (version, _) => return Err(Malformed::Version(version)),
    }
    // TCP over IPv4 and over IPv6; whoever comes another way has no address that a connection could have.
    match family_and_protocol {
        0x11 => {
            let source: [u8; 4] = addresses(rest, 12)?;
            Ok(Said::Client(Ipv4Addr::from(source).into()))
        }
        0x21 => {
            let source: [u8; 16] = addresses(rest, 36)?;
            Ok(Said::Client(Ipv6Addr::from(source).into()))
        }
        _ => Ok(Said::Nobody),
    }
}

/// The source address, which comes first, of so many bytes of addresses and ports.
fn addresses<const N: usize>(rest: &[u8], bytes: usize) -> Result<[u8; N], Malformed> {
    let whole = rest.get(..bytes).ok_or(Malformed::Addresses)?;
    let source = whole.first_chunk().ok_or(Malformed::Addresses)?;
    Ok(*source)
}

/// What bytes say, if they begin with a header; for tests that make bytes up.
#[cfg(test)]
pub(crate) fn parse(bytes: &[u8]) -> Result<Said, Malformed> {
    let (head, rest) = bytes.split_first_chunk().ok_or(Malformed::Signature)?;
    let length = length(head)?;
    said(head, rest.get(..length).ok_or(Malformed::Addresses)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        let numbers = [version_and_command, family, length[0], length[1]];
        [&SIGNATURE[..], &numbers, rest].concat()
    }

    const IPV4: [u8; 12] = [203, 0, 113, 7, 127, 0, 0, 1, 0xc0, 0, 0x1f, 0x90];

    #[tokio::test]
    async fn the_client_is_read_and_what_follows_is_left() {
        // An addition (type 4, one byte) is passed over.
        let rest = [&IPV4[..], &[4, 0, 1, 0]].concat();
        let bytes = [&header(0x21, 0x11, &rest)[..], b"GET /"].concat();
        let mut stream = &bytes[..];
        let client = IpAddr::from([203, 0, 113, 7]);
        assert_eq!(read(&mut stream).await.unwrap(), Said::Client(client));
        assert_eq!(stream, b"GET /");
    }

    #[test]
    fn every_family_and_command_is_understood_or_refused() {
        let mut ipv6 = [0; 36];
        ipv6[15] = 1;
        let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
        assert_eq!(parse(&header(0x21, 0x21, &ipv6)).unwrap(), Said::Client(v6));
        assert_eq!(parse(&header(0x20, 0, &[])).unwrap(), Said::Itself);
        assert_eq!(parse(&header(0x21, 0, &[])).unwrap(), Said::Nobody);
        assert_eq!(parse(&header(0x21, 0x31, &[0; 216])).unwrap(), Said::Nobody);
        assert_eq!(parse(&header(0x21, 0x12, &IPV4)).unwrap(), Said::Nobody);
        let refused = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
        assert!(refused(&header(0x11, 0x11, &IPV4)).contains("version 1"));
        assert!(refused(&header(0x22, 0x11, &IPV4)).contains("command 2"));
        assert!(refused(&header(0x21, 0x11, &IPV4[..11])).contains("cut off"));
        assert!(refused(&header(0x21, 0x11, &[0; 5000])).contains("5000 bytes"));
        assert!(refused(b"GET / HTTP/1.1\r\nHost: a").contains("does not begin"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_header_or_none(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            proptest::prop_assert!(parse(&bytes).is_err() || bytes.starts_with(&SIGNATURE));
            let framed = [&SIGNATURE[..], &bytes].concat();
            let is_taken = bytes.len() >= 4 && matches!(bytes[0], 0x20 | 0x21);
            proptest::prop_assert!(is_taken || parse(&framed).is_err());
        }
    }
}
