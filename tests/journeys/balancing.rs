//! Behind balancers and other proxies: whose word about the client is taken.

use std::net::SocketAddr;

use tests::{Folder, Reply, Upstream, Wald, document};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// What a version 2 header says of 203.0.113.7 (section 2.2 of the PROXY protocol).
const HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x7f\0\0\x01\xc0\0\x1f\x90";
/// The same from the balancer itself, as for a health check.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: models.example\r\nConnection: close\r\n\r\n";

/// A wald whose listener `edge` has these fields, in front of an upstream.
async fn front(upstream: &Upstream, folder: &Folder, fields: &str) -> Wald {
    let text = document(&format!(
        "\
upstreams: [{{ name: backend, endpoints: [{}] }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ upstream: backend }} }}]
",
        upstream.endpoint()
    ));
    let listener = "{ name: edge, address: 127.0.0.1:0 }";
    let text = text.replace(listener, &format!("{{ name: edge, {fields} }}"));
    Wald::run(&folder.write("wald.yaml", text)).await
}

/// What comes back when these bytes are sent and nothing else is.
async fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let mut answer = Vec::new();
    // Whoever is refused may find the connection closed in the middle of what it says.
    if stream.write_all(bytes).await.is_ok() {
        stream.read_to_end(&mut answer).await.unwrap_or_default();
    }
    String::from_utf8_lossy(&answer).into_owned()
}

async fn counted(wald: &Wald, outcome: &str) {
    let line = format!("wald_proxy_headers_total{{listener=\"edge\",outcome=\"{outcome}\"}} 1");
    wald.shows(&line).await;
}

#[tokio::test]
async fn a_trusted_balancer_says_who_the_client_is() {
    let (mut upstream, folder) = (Upstream::start("b", Reply::Name).await, Folder::new());
    let fields = "address: 127.0.0.1:0, proxy_protocol: { trusted: [127.0.0.0/8] }";
    let wald = front(&upstream, &folder, fields).await;
    let edge = wald.address("edge").await;
    let answer = say(edge, &[HEADER, GET].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let headers = upstream.arrived().await.head.headers;
    assert_eq!(headers["x-forwarded-for"], "203.0.113.7");
    counted(&wald, "client").await;
    let answer = say(edge, &[LOCAL, GET].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let headers = upstream.arrived().await.head.headers;
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    counted(&wald, "local").await;
}

#[tokio::test]
async fn without_a_header_or_without_trust_there_is_no_connection() {
    let (upstream, folder) = (Upstream::start("b", Reply::Name).await, Folder::new());
    let fields = "address: 127.0.0.1:0, proxy_protocol: { trusted: [127.0.0.0/8] }";
    let wald = front(&upstream, &folder, fields).await;
    let edge = wald.address("edge").await;
    assert_eq!(say(edge, GET).await, "");
    counted(&wald, "malformed").await;
    // A head that promises more than is taken.
    let long = [&HEADER[..14], b"\xff\xff", GET].concat();
    assert_eq!(say(edge, &long).await, "");

    let fields = "address: 127.0.0.1:0, proxy_protocol: { trusted: [10.0.0.0/8] }";
    let wald = front(&upstream, &folder, fields).await;
    let edge = wald.address("edge").await;
    assert_eq!(say(edge, &[HEADER, GET].concat()).await, "");
    counted(&wald, "untrusted").await;
}

#[tokio::test]
async fn a_listener_without_proxy_headers_refuses_them_as_bad_requests() {
    let (upstream, folder) = (Upstream::start("b", Reply::Name).await, Folder::new());
    let wald = front(&upstream, &folder, "address: 127.0.0.1:0").await;
    let answer = say(wald.address("edge").await, &[HEADER, GET].concat()).await;
    assert!(!answer.contains(" 200 "), "{answer}");
}

#[tokio::test]
async fn a_unix_socket_serves_and_is_made_anew_after_a_crash() {
    let (mut upstream, folder) = (Upstream::start("b", Reply::Name).await, Folder::new());
    let socket = folder.path("wald.sock");
    let fields = format!(
        "address: 'unix://{}', trust_forwarded: [unix]",
        socket.display()
    );
    for _ in 0..2 {
        // Killed when it is dropped, which leaves its socket behind.
        let _wald = front(&upstream, &folder, &fields).await;
        let mut stream = UnixStream::connect(&socket).await.expect("a connection");
        let get =
            b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
        stream.write_all(get).await.expect("it is read");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let headers = upstream.arrived().await.head.headers;
        let said: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        assert_eq!(said, ["192.0.2.1", "unknown"]);
    }
}

/// What a request that passed two walds in a row says at its end, when the inner one has these fields.
async fn in_a_row(trust: &str) -> http::HeaderMap {
    let (mut upstream, folder) = (Upstream::start("b", Reply::Name).await, Folder::new());
    let inner = format!("address: 127.0.0.1:0{trust}");
    let inner = front(&upstream, &folder, &inner).await;
    let behind = inner.address("edge").await;
    let other = Folder::new();
    let outer = document(&format!(
        "\
upstreams: [{{ name: inner, endpoints: ['http://{behind}'] }}]
routes: [{{ name: outer, allow: [{{ callers: anyone }}], backend: {{ experiment: trial }} }}]
experiments:
  - name: trial
    unit: request
    arms:
      - {{ name: control, backend: {{ upstream: inner }} }}
      - {{ name: candidate, backend: {{ upstream: inner }} }}
    metrics:
      - {{ name: errors, kind: proportion, source: failed, better: lower, role: goal }}
"
    ));
    let outer = Wald::run(&other.write("wald.yaml", outer)).await;
    let mut client = outer.connect("edge").await;
    let headers = [
        ("x-request-id", "order-17"),
        ("x-forwarded-for", "10.9.9.9"),
    ];
    client
        .send(http::Method::GET, "/", &headers, bytes::Bytes::new())
        .await;
    upstream.arrived().await.head.headers
}

#[tokio::test]
async fn a_wald_behind_a_wald_keeps_what_the_first_one_said() {
    let headers = in_a_row(", trust_forwarded: [127.0.0.1]").await;
    let said: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    assert_eq!(
        said,
        ["127.0.0.1", "127.0.0.1"],
        "one line a wald; the client's own is gone"
    );
    assert_eq!(headers["x-request-id"], "order-17");
    assert_eq!(headers["x-wald-experiment"], "trial");
    assert_eq!(headers["x-wald-route"], "all", "the last wald's own");
}

#[tokio::test]
async fn who_is_not_believed_is_as_anybody() {
    let headers = in_a_row("").await;
    assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
    assert_eq!(headers.get("x-wald-experiment"), None);
    assert_eq!(
        headers["x-request-id"], "order-17",
        "nobody in particular is believed"
    );

    let headers = in_a_row(", trust_forwarded: [10.0.0.0/8]").await;
    assert_eq!(headers.get_all("x-forwarded-for").iter().count(), 1);
    assert_eq!(headers.get("x-wald-experiment"), None);
    assert_ne!(headers["x-request-id"], "order-17");
}
