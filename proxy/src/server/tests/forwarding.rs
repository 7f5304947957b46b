//! What arrives at an upstream and what comes back.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Upstream, Wald, fronting, read};

async fn echoed() -> (Wald, SocketAddr) {
    let upstream = Upstream::echoing().await;
    (Wald::serve(&fronting(upstream, ["", "", ""])), upstream)
}

#[tokio::test]
async fn a_request_arrives_with_its_body_and_where_it_came_from() {
    let (wald, _) = echoed().await;
    let answer = wald
        .ask("POST /v2/x?y=1 HTTP/1.1\r\nHost: models.example\r\nX-Request-Id: 17\r\nX-Wald-Arm: mine\r\nX-Forwarded-For: 8.8.8.8\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!(
        (answer.status(), answer.header("x-request-id")),
        (200, Some("17"))
    );
    let seen = answer.text();
    for line in [
        "POST /v2/x?y=1 HTTP/1.1\r\n",
        "\r\nhost: models.example\r\n",
        "\r\nx-request-id: 17\r\n",
        "\r\nx-wald-route: all\r\n",
        "\r\nx-forwarded-for: 127.0.0.1\r\n",
        "\r\nx-forwarded-proto: http\r\n",
        "\r\nx-forwarded-host: models.example\r\n",
        "\r\ntraceparent: 00-",
        "\r\ncontent-length: 5\r\n",
        "\r\n\r\nhello",
    ] {
        assert!(seen.contains(line), "{line:?} in {seen}");
    }
    assert!(
        !seen.contains("mine") && !seen.contains("8.8.8.8"),
        "{seen}"
    );
}

#[tokio::test]
async fn what_concerns_one_connection_is_not_passed_on_in_either_direction() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\nConnection: x-secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\n\r\n").await;
    let mut connection = upstream.accept().await;
    let seen = connection.answer().await;
    for gone in ["connection", "x-secret", "keep-alive", "proxy-connection"] {
        assert_eq!(seen.header(gone), None, "{gone} in {}", seen.head);
    }
    connection.send("HTTP/1.1 200 OK\r\nConnection: x-internal\r\nX-Internal: 1\r\nKeep-Alive: timeout=9\r\nContent-Length: 2\r\n\r\nok").await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.text()), (200, "ok"));
    for gone in ["x-internal", "keep-alive"] {
        assert_eq!(answer.header(gone), None, "{gone} in {}", answer.head);
    }
}

#[tokio::test]
async fn a_chunked_body_passes_in_both_directions() {
    let (wald, _) = echoed().await;
    let answer = wald
        .ask("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n")
        .await;
    assert!(
        answer.text().contains("transfer-encoding: chunked") && answer.text().ends_with("abcdefg")
    );
}

#[tokio::test]
async fn bodies_arrive_while_they_are_being_sent() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na")
        .await;
    let mut connection = upstream.accept().await;
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\na") {
        seen.push(connection.0.read_u8().await.unwrap());
    }
    connection
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx")
        .await;
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\nx") {
        heard.push(client.0.read_u8().await.unwrap());
    }
    client.send("b").await;
    assert_eq!(connection.0.read_u8().await.unwrap(), b'b');
    connection.send("y").await;
    assert_eq!(client.0.read_u8().await.unwrap(), b'y');
}

/// More than all buffers between them can hold: sockets, and at most 64 KiB a connection in Wald.
const MUCH: usize = 64 << 20;

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_upstream_back() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut connection = upstream.accept().await;
    connection.answer().await;
    connection
        .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {MUCH}\r\n\r\n"))
        .await;
    let sent = stuffed(&mut connection.0, MUCH).await;
    assert!(
        sent < MUCH / 2,
        "{sent} bytes were taken from the upstream, none by the client"
    );

    let (mut reading, mut writing) = (client.0, connection.0);
    let rest = tokio::spawn(async move { writing.write_all(&vec![7; MUCH - sent]).await.unwrap() });
    let answer = read(&mut reading).await.unwrap();
    assert!(answer.body.len() == MUCH && answer.body.iter().all(|byte| *byte == 7));
    rest.await.unwrap();
}

#[tokio::test]
async fn an_upstream_that_does_not_read_holds_its_client_back() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {MUCH}\r\n\r\n"
        ))
        .await;
    let _connection = upstream.accept().await;
    let sent = stuffed(&mut client.0, MUCH).await;
    assert!(
        sent < MUCH / 2,
        "{sent} bytes were taken from the client, none by the upstream"
    );
}

/// Writes until nothing more is taken for a while; says how much was.
async fn stuffed(stream: &mut TcpStream, most: usize) -> usize {
    let piece = vec![7; 64 << 10];
    let mut sent = 0;
    while sent < most {
        let wrote =
            tokio::time::timeout(std::time::Duration::from_millis(500), stream.write(&piece)).await;
        match wrote {
            Ok(wrote) => sent += wrote.unwrap(),
            Err(_nothing_moves) => break,
        }
    }
    sent
}

#[tokio::test]
async fn a_connection_is_used_again_and_a_closed_one_is_replaced() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut client = wald.connect().await;
    let mut first = upstream.accept_after(&mut client, request).await;
    for _ in 0..2 {
        first.answer().await;
        first
            .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .await;
        assert_eq!(client.answer().await.status(), 200);
        client.send(request).await;
    }
    first.answer().await;
    first
        .send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .await;
    drop(first);
    assert_eq!(client.answer().await.status(), 200);
    let mut second = upstream.accept_after(&mut client, request).await;
    second.answer().await;
    second.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(client.answer().await.status(), 204);
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_upstream_request_with_it() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    drop(client);
    connection.closed().await;
}

#[tokio::test]
async fn head_and_informational_answers_have_no_body() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    connection.send("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.0.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("content-length: 9"),
        "{head}"
    );
}

#[tokio::test]
async fn http2_by_prior_knowledge_reaches_an_http1_upstream() {
    let (wald, _) = echoed().await;
    let stream = TcpStream::connect(wald.address).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://models.example/v2/x")
        .header("cookie", "a=1")
        .header("cookie", "b=2");
    let answer = sender
        .send_request(request.body(Full::<bytes::Bytes>::from("hello")).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let seen = answer.into_body().collect().await.unwrap().to_bytes();
    let seen = std::str::from_utf8(&seen).unwrap();
    for line in [
        "POST /v2/x HTTP/1.1\r\n",
        "\r\nhost: models.example\r\n",
        "\r\ncookie: a=1; b=2\r\n",
        "\r\n\r\nhello",
    ] {
        assert!(seen.contains(line), "{line:?} in {seen}");
    }
}

#[tokio::test]
async fn requests_go_to_the_endpoints_in_turn() {
    let (one, two) = (Upstream::listen().await, Upstream::listen().await);
    let both = format!(
        "endpoints: ['http://{}', 'http://{}']",
        one.address(),
        two.address()
    );
    let document = fronting(one.address(), ["", ", balance: round_robin", ""])
        .replace(&format!("endpoints: ['http://{}']", one.address()), &both);
    let wald = Wald::serve(&document);
    for upstream in [&one, &two] {
        let mut client = wald.connect().await;
        let mut connection = upstream
            .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .await;
        connection.answer().await;
    }
}

#[tokio::test]
async fn a_connection_that_its_server_is_about_to_close_is_not_used_again() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut client = wald.connect().await;
    // Nought seconds: the next request comes too late in any case.
    for kept in ["timeout=0", "timeout=60, max=100"] {
        let mut connection = upstream.accept_after(&mut client, get).await;
        connection.answer().await;
        let answer = format!("HTTP/1.1 204 No Content\r\nKeep-Alive: {kept}\r\n\r\n");
        connection.send(&answer).await;
        let answered = client.answer().await;
        assert_eq!(
            (answered.status(), answered.header("keep-alive")),
            (204, None)
        );
        if kept != "timeout=0" {
            client.send(get).await;
            connection.answer().await;
        }
    }
}

#[tokio::test]
async fn a_client_that_waits_before_it_sends_is_told_to_go_on_when_its_body_is_wanted() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let mut connection = upstream.accept_after(&mut client, head).await;
    let expected = "HTTP/1.1 100 Continue\r\n\r\n";
    let mut told = vec![0; expected.len()];
    client.0.read_exact(&mut told).await.unwrap();
    assert_eq!(told, expected.as_bytes());
    client.send("hi").await;
    assert_eq!(connection.answer().await.body, b"hi");
    // What the upstream says meanwhile is for Wald.
    connection
        .send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n")
        .await;
    connection
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let answer = client.answer().await;
    assert_eq!((answer.status(), answer.text()), (200, "ok"));
}

#[tokio::test]
async fn a_client_that_is_refused_is_not_told_to_send_its_body() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        ["", "", ", limits: { body_bytes: 1B }"],
    ));
    let head = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    assert_eq!(wald.ask(head).await.status(), 413);
}
