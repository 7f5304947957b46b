//! One request on a connection that is there, and the whole of a short answer: for connections that are
//! opened by the thousand, where a client of hyper's for each would cost more than what is measured.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Bytes that an answer may have.
const ANSWER: usize = 4096;

/// Sends a GET and reads until the answer is whole, which has a length.
pub(crate) async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await?;
    let mut answer = Vec::with_capacity(ANSWER);
    while !is_whole(&answer)? {
        if answer.len() >= ANSWER || stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Whether this is a whole answer; an error if it is not the one that was expected.
fn is_whole(answer: &[u8]) -> io::Result<bool> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(answer).map_err(io::Error::other)?;
    let httparse::Status::Complete(head) = parsed else {
        return Ok(false);
    };
    if response.code != Some(200) {
        let refused = format!("answered {:?}", response.code);
        return Err(io::Error::other(refused));
    }
    let mut named = response.headers.iter();
    let length = named.find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    let length: usize = length.ok_or_else(|| io::Error::other("answered without a length"))?;
    Ok(answer.len() >= head + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        assert!(is_whole(text).expect("an answer"));
        assert!(!is_whole(&text[..text.len() - 1]).expect("an answer"));
        assert!(is_whole(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
