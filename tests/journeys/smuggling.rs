//! Requests that two readers could take for different ones: each is refused, or goes on as exactly one that
//! nobody can misread.
//!
//! Behind Wald stands a recorder with a parser of its own. `/smuggled` is what an attacker hides; it must never
//! be a request there.

use tests::frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, fields, frame};
use tests::{Folder, Recorder, Wald, document, in_time};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn front() -> (Wald, Recorder, Folder) {
    let (recorder, folder) = (Recorder::start().await, Folder::new());
    let text = document(&format!(
        "\
upstreams: [{{ name: backend, endpoints: [{}] }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }} }}]
",
        recorder.endpoint()
    ));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    (wald, recorder, folder)
}

/// What comes back for these bytes: the first answer, and what follows it by itself.
async fn say(wald: &Wald, bytes: &[u8]) -> String {
    let connected = TcpStream::connect(wald.address("edge").await).await;
    let mut stream = connected.expect("a connection");
    let mut answer = Vec::new();
    // Whoever is refused may find the connection closed in the middle of what it says.
    if stream.write_all(bytes).await.is_ok() {
        in_time("an answer", stream.read_buf(&mut answer))
            .await
            .unwrap_or_default();
        if !is_last(bytes) {
            stream.shutdown().await.unwrap_or_default();
        }
        let rest = stream.read_to_end(&mut answer);
        in_time("the connection ends", rest)
            .await
            .unwrap_or_default();
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Whether the connection ends by itself, as the bytes ask it to.
fn is_last(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains("Connection: close")
}

/// What stands behind a request to be taken for another.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Each must be refused as a bad request, and nothing of it may reach the backend.
const REFUSED: &[(&str, &str)] = &[
    (
        "two lengths that differ",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n{HIDDEN}",
    ),
    (
        "two lengths in one line",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 44\r\n\r\n{HIDDEN}",
    ),
    (
        "a length with a sign",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n{HIDDEN}",
    ),
    (
        "a length below nought",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{HIDDEN}",
    ),
    (
        "a length in hexadecimal",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x2c\r\n\r\n{HIDDEN}",
    ),
    (
        "a length with a space inside",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4 4\r\n\r\n{HIDDEN}",
    ),
    (
        "a length that overflows",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n{HIDDEN}",
    ),
    (
        "an unknown coding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
    (
        "chunked and then another coding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
    (
        "a coding with a tab before",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
    (
        "a space before the colon",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
    (
        "a folded line",
        "POST / HTTP/1.1\r\nHost: a\r\nX: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
    (
        "a folded coding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
    (
        "nothing before the colon",
        "POST / HTTP/1.1\r\nHost: a\r\n: chunked\r\n\r\n",
    ),
    (
        "a zero byte in a value",
        "POST / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    ),
    (
        "a zero byte in a name",
        "POST / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n",
    ),
    (
        "a bare carriage return",
        "POST / HTTP/1.1\r\nHost: a\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
    (
        "a space before the first field",
        "POST / HTTP/1.1\r\n Host: a\r\n\r\n",
    ),
    (
        "a target with a space",
        "GET / a HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        "a target with a zero byte",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    ("no version", "GET /\r\nHost: a\r\n\r\n"),
    (
        "a version that is none",
        "GET / HTTP/1.11\r\nHost: a\r\n\r\n",
    ),
    ("a lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("no host", "GET / HTTP/1.1\r\n\r\n"),
    (
        "a coding in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
    ),
];

#[tokio::test]
async fn what_has_two_meanings_is_refused_and_reaches_nobody() {
    let (wald, recorder, _folder) = front().await;
    for (what, written) in REFUSED {
        let answer = say(&wald, written.replace("{HIDDEN}", HIDDEN).as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "501"].contains(&status), "{what}: {answer:?}");
        let (seen, unclear) = recorder.take();
        assert_eq!((seen, unclear), (vec![], vec![]), "{what}");
    }
}

/// A length beside chunks counts for nothing, goes no further, and ends the connection (RFC 9112 §6.1).
const CHUNKED_ALONE: &[&str] = &[
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
];

#[tokio::test]
async fn of_a_length_and_chunks_the_chunks_count_and_nothing_comes_after() {
    let (wald, recorder, _folder) = front().await;
    for written in CHUNKED_ALONE {
        let answer = say(&wald, format!("{written}{HIDDEN}").as_bytes()).await;
        let (seen, unclear) = recorder.take();
        let is_refused = answer.starts_with("HTTP/1.1 400") && seen.is_empty();
        let is_one = answer.matches("HTTP/1.1").count() == 1
            && seen.len() == 1
            && seen
                .iter()
                .all(|request| request.line == "POST /" && request.body.is_empty());
        assert!(is_refused || is_one, "{written:?}: {answer:?} {seen:?}");
        assert_eq!(unclear, [], "{written:?}");
    }
}

/// Each is one request with this body and then another, whoever reads it.
const CLEAR: &[(&str, &str, &str)] = &[
    (
        "a request that hides nothing",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "hi",
    ),
    (
        "a body that looks like a request",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n{HIDDEN}",
        "{HIDDEN}",
    ),
    (
        "chunks with extensions",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c=\"d\"\r\nhi\r\n0;e\r\n\r\n",
        "hi",
    ),
    (
        "chunks with leading noughts and capitals",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n00A\r\n0123456789\r\n0\r\n\r\n",
        "0123456789",
    ),
    (
        "lengths that agree",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "hi",
    ),
    (
        "a length that Connection wants removed",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nhi",
        "hi",
    ),
    (
        "a coding that Connection wants removed",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "hi",
    ),
    (
        "an upgrade to what nobody speaks",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\nhi",
        "hi",
    ),
    (
        "a target in absolute form",
        "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
        "hi",
    ),
];

#[tokio::test]
async fn what_has_one_meaning_goes_on_as_one_request_and_the_next_is_the_next() {
    let (wald, recorder, _folder) = front().await;
    for (what, written, body) in CLEAR {
        let next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let written = written.replace("{HIDDEN}", HIDDEN);
        let answer = say(&wald, format!("{written}{next}").as_bytes()).await;
        assert_eq!(
            answer.matches("HTTP/1.1 200 OK").count(),
            2,
            "{what}: {answer:?}"
        );
        let (seen, unclear) = recorder.take();
        assert_eq!(unclear, [], "{what}");
        let lines: Vec<_> = seen.iter().map(|request| &*request.line).collect();
        assert_eq!(lines, ["POST /", "GET /next"], "{what}");
        let body = body.replace("{HIDDEN}", HIDDEN);
        assert_eq!(String::from_utf8_lossy(&seen[0].body), body, "{what}");
    }
}

/// Bodies whose chunks are none: the request may have begun to go on, but never as a whole.
const BROKEN: &[(&str, &str)] = &[
    (
        "a size that overflows",
        "11111111111111112\r\nhi\r\n0\r\n\r\n",
    ),
    ("a size with a sign", "+2\r\nhi\r\n0\r\n\r\n"),
    ("a size in other digits", "0x2\r\nhi\r\n0\r\n\r\n"),
    ("no size", "\r\nhi\r\n0\r\n\r\n"),
    ("data longer than its size", "2\r\nhidden\r\n0\r\n\r\n"),
    ("an extension with a bare line feed", "2;a\nhi\r\n0\r\n\r\n"),
    ("a bare line feed behind the size", "2\nhi\r\n0\r\n\r\n"),
];

#[tokio::test]
async fn a_body_with_broken_chunks_never_arrives_as_a_whole_request() {
    let (wald, recorder, _folder) = front().await;
    for (what, chunks) in BROKEN {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = say(&wald, format!("{head}{chunks}{HIDDEN}").as_bytes()).await;
        assert!(!answer.contains(" 200 "), "{what}: {answer:?}");
        let (seen, _unclear) = recorder.take();
        assert_eq!(seen, [], "{what}");
    }
}

/// A field as it is written into a head.
type Field<'a> = (&'a [u8], &'a [u8]);

/// An honest head but for these fields.
fn head(extra: &[Field<'_>]) -> Vec<u8> {
    let usual: [Field<'_>; 4] = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/"),
        (b":authority", b"a"),
    ];
    let mut all: Vec<_> = usual
        .into_iter()
        .filter(|(name, _)| !extra.iter().any(|(other, _)| other == name))
        .collect();
    let is_pseudo = |field: &&Field<'_>| field.0.starts_with(b":");
    all.extend(extra.iter().filter(is_pseudo));
    all.extend(extra.iter().filter(|field| !is_pseudo(field)));
    fields(&all)
}

#[tokio::test]
async fn nothing_can_be_injected_through_http2() {
    let (wald, recorder, _folder) = front().await;
    let inject: &[u8] = b"a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a";
    let cases: &[(&str, &[Field<'_>])] = &[
        ("lines in a value", &[(b"x", inject)]),
        (
            "lines in a name",
            &[(b"x: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost", b"a")],
        ),
        (
            "lines in the path",
            &[(b":path", b"/ HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled")],
        ),
        (
            "lines in the method",
            &[(b":method", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nPOST")],
        ),
        ("lines in the host", &[(b":authority", inject)]),
        ("a bare line feed", &[(b"x", b"a\nb")]),
        ("a zero byte", &[(b"x", b"a\0b")]),
        (
            "a space in the path",
            &[(b":path", b"/smuggled HTTP/1.1 /")],
        ),
        ("an empty path", &[(b":path", b"")]),
        ("capitals in a name", &[(b"X-A", b"b")]),
        ("a coding", &[(b"transfer-encoding", b"chunked")]),
        ("a connection", &[(b"connection", b"keep-alive")]),
        ("two paths", &[(b":path", b"/"), (b":path", b"/smuggled")]),
        ("an unknown pseudo field", &[(b":smuggled", b"1")]),
    ];
    for (what, extra) in cases {
        let mut client = Frames::open(wald.address("edge").await).await;
        let flags = END_HEADERS | END_STREAM;
        client.write(&frame(HEADERS, flags, 1, &head(extra))).await;
        let answered = client.find(HEADERS, 1).await;
        let (seen, unclear) = recorder.take();
        assert_eq!((seen, unclear), (vec![], vec![]), "{what}: {answered:?}");
    }
}

#[tokio::test]
async fn the_authority_counts_and_a_host_beside_it_goes_no_further() {
    let (wald, recorder, _folder) = front().await;
    let mut client = Frames::open(wald.address("edge").await).await;
    let flags = END_HEADERS | END_STREAM;
    let head = head(&[(b"host", b"smuggled")]);
    client.write(&frame(HEADERS, flags, 1, &head)).await;
    assert!(client.find(HEADERS, 1).await.is_some());
    let (seen, _unclear) = recorder.take();
    let hosts = seen.iter().flat_map(|request| &request.fields);
    let hosts: Vec<_> = hosts.filter(|(name, _)| name == "host").collect();
    assert_eq!(hosts, [&("host".to_owned(), "a".to_owned())]);
}

#[tokio::test]
async fn a_length_that_http2_does_not_keep_makes_no_whole_request() {
    let (wald, recorder, _folder) = front().await;
    for (what, length, data) in [
        ("more than it says", "2", "hidden"),
        ("less than it says", "20", "hi"),
        ("two lengths", "2, 20", "hi"),
    ] {
        let mut client = Frames::open(wald.address("edge").await).await;
        let head = head(&[(b"content-length", length.as_bytes())]);
        client.write(&frame(HEADERS, END_HEADERS, 1, &head)).await;
        client
            .write(&frame(DATA, END_STREAM, 1, data.as_bytes()))
            .await;
        let answered = client.find(HEADERS, 1).await;
        let (seen, _unclear) = recorder.take();
        assert_eq!(seen, [], "{what}: {answered:?}");
    }
    let mut client = Frames::open(wald.address("edge").await).await;
    let head = head(&[(b"content-length", b"2")]);
    client.write(&frame(HEADERS, END_HEADERS, 1, &head)).await;
    client.write(&frame(DATA, END_STREAM, 1, b"hi")).await;
    assert!(
        client.find(HEADERS, 1).await.is_some(),
        "an honest one is answered"
    );
    let (seen, unclear) = recorder.take();
    assert_eq!((seen.len(), unclear), (1, vec![]));
}
