//! What a client may use up, and what happens then.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Upstream, Wald, fronting};
use crate::observe::Counters;

impl Wald {
    async fn counters(&self) -> Counters {
        self.workers.counters().await.pop().unwrap()
    }
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_is_sent() {
    let wald = Wald::serve(&fronting(
        Upstream::echoing().await,
        ["", "", ", limits: { body_bytes: 4 }"],
    ));
    let answer = wald
        .ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
        .await;
    assert_eq!(
        (answer.status(), &answer.json()["code"]),
        (413, &"WALD-4006".into())
    );
    assert_eq!(wald.counters().await.limits.get("body_bytes"), Some(&1));
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused_and_its_upstream_left() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        ["", "", ", limits: { body_bytes: 4 }"],
    ));
    let mut client = wald.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(
        (answer.status(), &answer.json()["code"]),
        (413, &"WALD-4006".into())
    );
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let wald = Wald::serve(&fronting(
        Upstream::echoing().await,
        [", limits: { header_bytes: 16KiB }", "", ""],
    ));
    let small = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX-Large: {}\r\n\r\n",
        "x".repeat(8 << 10)
    );
    assert_eq!(wald.ask(&small).await.status(), 200);
    let large = format!(
        "GET / HTTP/1.1\r\nHost: h\r\nX-Large: {}\r\n\r\n",
        "x".repeat(17 << 10)
    );
    assert_eq!(wald.ask(&large).await.status(), 431);
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_its_connection() {
    let wald = Wald::serve(&fronting(
        Upstream::echoing().await,
        [", limits: { header_time: 100ms }", "", ""],
    ));
    let mut client = wald.connect().await;
    client.send("GET / HTTP/1.1\r\nHo").await;
    client.closed().await;
}

#[tokio::test]
async fn a_connection_without_requests_ends_and_one_that_is_served_does_not() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        [", limits: { idle: 100ms, header_time: 100ms }", "", ""],
    ));
    let mut served = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut served, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    wald.connect().await.closed().await;
    connection
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(served.answer().await.status(), 200);
    served.closed().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_shed_and_counted() {
    let wald = Wald::serve(&fronting(
        Upstream::echoing().await,
        [", limits: { connections: 1 }", "", ""],
    ));
    let mut first = wald.connect().await;
    first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(first.answer().await.status(), 200);
    wald.connect().await.closed().await;
    assert_eq!(
        wald.counters().await.limits.get("listener_connections"),
        Some(&1)
    );
    first.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(first.answer().await.status(), 200);
}

#[tokio::test]
async fn an_upstream_gets_no_more_connections_than_its_limit() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        ["", ", balance: round_robin, limits: { connections: 1 }", ""],
    ));
    let mut first = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    let shed = wald.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(
        (shed.status(), shed.header("retry-after")),
        (503, Some("1"))
    );
    connection
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(first.answer().await.status(), 200);
}

#[tokio::test]
async fn an_upstream_connection_without_work_is_closed_after_its_idle_time() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        ["", ", timeouts: { idle: 100ms }", ""],
    ));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    connection
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.status(), 200);
    connection.closed().await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_cut_off() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ", idle: 100ms"]));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    connection
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        .await;
    let mut heard = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut client.0, &mut heard)
        .await
        .unwrap();
    assert!(
        heard.ends_with(b"1\r\na\r\n"),
        "{}",
        String::from_utf8_lossy(&heard)
    );
    connection.closed().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_for_too_long_is_left() {
    let upstream = Upstream::listen().await;
    let limits = ", limits: { idle: 200ms }";
    let wald = Wald::serve(&fronting(upstream.address(), [limits, "", ""]));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    connection
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        .await;
    let piece = vec![7; 64 << 10];
    while connection.0.write_all(&piece).await.is_ok() {}
    connection.closed().await;
}

#[tokio::test]
async fn a_client_that_stops_sending_its_body_is_told_so() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        ["", ", timeouts: { response: 50ms }", ""],
    ));
    let answer = wald
        .ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        .await;
    assert_eq!(
        (answer.status(), &answer.json()["code"]),
        (408, &"WALD-4008".into())
    );
}

#[tokio::test]
async fn an_upstream_gets_no_more_requests_than_its_limit() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        ["", ", limits: { in_flight: 1, queued: 0 }", ""],
    ));
    let mut first = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut first, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    let shed = wald.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(
        (shed.status(), &shed.json()["code"]),
        (503, &"WALD-5005".into())
    );
    assert_eq!(
        wald.counters().await.limits.get("upstream_queued"),
        Some(&1)
    );
}

#[tokio::test]
async fn a_full_upstream_is_asked_over_whichever_connection_waits() {
    let (one, two) = (Upstream::listen().await, Upstream::listen().await);
    let both = format!("'http://{}', 'http://{}'", one.address(), two.address());
    let document = fronting(
        one.address(),
        ["", ", balance: round_robin, limits: { connections: 1 }", ""],
    );
    let wald = Wald::serve(&document.replace(&format!("'http://{}'", one.address()), &both));
    let mut client = wald.connect().await;
    let mut connection = one
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    for _ in 0..3 {
        connection.answer().await;
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert_eq!(client.answer().await.status(), 200);
        client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    }
}

const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

#[tokio::test]
async fn requests_wait_for_their_turn() {
    let upstream = Upstream::listen().await;
    let limits = ", limits: { in_flight: 1, queued: 1 }, timeouts: { queue: 30s }";
    let wald = Wald::serve(&fronting(upstream.address(), ["", limits, ""]));
    let (mut first, mut second) = (wald.connect().await, wald.connect().await);
    let mut connection = upstream.accept_after(&mut first, GET).await;
    second.send(GET).await;
    for client in [&mut first, &mut second] {
        connection.answer().await;
        connection.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.answer().await.status(), 204);
    }
}

#[tokio::test]
async fn nobody_waits_for_a_turn_longer_than_that_is_worth() {
    let upstream = Upstream::listen().await;
    let limits = ", limits: { in_flight: 1 }, timeouts: { queue: 50ms }";
    let wald = Wald::serve(&fronting(upstream.address(), ["", limits, ""]));
    let mut first = wald.connect().await;
    let mut connection = upstream.accept_after(&mut first, GET).await;
    connection.answer().await;
    let late = wald.ask(GET).await;
    assert_eq!(
        (late.status(), late.header("retry-after")),
        (503, Some("1"))
    );
    let limits = wald.counters().await.limits;
    assert_eq!(limits.get("upstream_queue_time"), Some(&1));
}

#[tokio::test]
async fn a_client_that_sends_its_body_byte_by_byte_is_told_so() {
    let upstream = Upstream::listen().await;
    let limits = ", limits: { body_rate: 1MiB }";
    let document = fronting(
        upstream.address(),
        [limits, ", timeouts: { response: 1s }", ""],
    );
    let wald = Wald::serve(&document);
    let mut client = wald.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n";
    let _connection = upstream.accept_after(&mut client, head).await;
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    // Until nobody listens any more: never silent, and never fast enough.
    for _ in 0..60 {
        beat.tick().await;
        let is_answered = client.0.peek(&mut [0]).now_or_never().is_some();
        if is_answered || client.0.write_all(b"x").await.is_err() {
            break;
        }
    }
    let answer = client.answer().await;
    assert_eq!(
        (answer.status(), &answer.json()["code"]),
        (408, &"WALD-4008".into())
    );
}

#[tokio::test]
async fn an_exchange_lasts_no_longer_than_the_route_says_however_it_moves() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ", total: 300ms"]));
    let mut client = wald.connect().await;
    let mut connection = upstream.accept_after(&mut client, GET).await;
    connection.answer().await;
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.send(head).await;
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    loop {
        beat.tick().await;
        if connection.0.write_all(b"1\r\na\r\n").await.is_err() {
            break;
        }
    }
    let mut begun = Vec::new();
    client.0.read_to_end(&mut begun).await.unwrap_or_default();
    assert!(!begun.ends_with(b"0\r\n\r\n"), "it broke off");
    let (late, _connection) = tokio::join!(wald.ask(GET), upstream.accept());
    assert_eq!(
        (late.status(), &late.json()["code"]),
        (504, &"WALD-5004".into())
    );
}
