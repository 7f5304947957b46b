//! Every refusal of the data plane, as the caller sees it.

use serde_json::json;

use super::{Answer, Upstream, Wald, fronting};

#[track_caller]
fn check(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let problem = answer.json();
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&json!(status), &json!(code)),
        "{problem}"
    );
    assert_eq!(
        problem["request_id"].as_str(),
        answer.header("x-request-id")
    );
    assert!(
        problem["type"].is_string() && problem["title"].is_string(),
        "{problem}"
    );
}

fn routes(routes: &str) -> Wald {
    Wald::serve(&format!(
        "version: wald/v1\nlisteners: [{{ name: edge, address: '127.0.0.1:0' }}]\nroutes: [{routes}]\n"
    ))
}

#[tokio::test]
async fn what_no_route_takes_is_not_found() {
    let wald = routes(
        "{ name: a, match: { path: { exact: /a } }, allow: [{ callers: anyone }], backend: { respond: { status: 200 } } }",
    );
    check(
        &wald.ask("GET /b HTTP/1.1\r\nHost: h\r\n\r\n").await,
        404,
        "WALD-3001",
    );
}

#[tokio::test]
async fn a_route_without_allow_lets_nobody_pass() {
    let wald = routes("{ name: a, backend: { respond: { status: 200 } } }");
    check(
        &wald.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await,
        403,
        "WALD-3002",
    );
}

#[tokio::test]
async fn a_method_that_no_entry_allows_is_refused() {
    let wald = routes(
        "{ name: a, allow: [{ callers: anyone, methods: [GET] }], backend: { respond: { status: 200 } } }",
    );
    check(
        &wald
            .ask("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            .await,
        403,
        "WALD-3003",
    );
}

#[tokio::test]
async fn a_head_with_two_meanings_is_refused() {
    let wald =
        routes("{ name: a, allow: [{ callers: anyone }], backend: { respond: { status: 200 } } }");
    check(
        &wald.ask("GET /a/..%2fb HTTP/1.1\r\nHost: h\r\n\r\n").await,
        400,
        "WALD-4001",
    );
    check(&wald.ask("GET / HTTP/1.1\r\n\r\n").await, 400, "WALD-4002");
    check(
        &wald
            .ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            .await,
        400,
        "WALD-4003",
    );
    check(
        &wald
            .ask("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")
            .await,
        501,
        "WALD-4004",
    );
    check(
        &wald
            .ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await,
        501,
        "WALD-4005",
    );
}

#[tokio::test]
async fn a_request_whose_framing_is_ambiguous_goes_nowhere() {
    let upstream = Upstream::echoing().await;
    let wald = Wald::serve(&fronting(upstream, ["", "", ""]));
    let twice = wald
        .ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")
        .await;
    assert_eq!(twice.status(), 400);
    let both = wald
        .ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
        .await;
    // RFC 9112 §6.3: what is chunked is not also counted, and the length goes no further.
    assert!(
        both.text().contains("transfer-encoding: chunked")
            && !both.text().contains("content-length"),
        "{both:?}"
    );
}

#[tokio::test]
async fn an_answer_that_the_document_gives_is_given() {
    let wald = routes(
        "{ name: a, allow: [{ callers: anyone }], backend: { respond: { status: 418, body: 'short and stout' } } }",
    );
    let answer = wald.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.status(), answer.text()), (418, "short and stout"));
}

#[tokio::test]
async fn an_upstream_that_refuses_connections_is_a_bad_gateway() {
    let gone = Upstream::listen().await.address();
    let wald = Wald::serve(&fronting(gone, ["", "", ""]));
    check(
        &wald.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await,
        502,
        "WALD-5001",
    );
}

#[tokio::test]
async fn an_upstream_that_speaks_no_http_is_a_bad_gateway() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    connection.send("SSH-2.0-OpenSSH\r\n\r\n").await;
    check(&client.answer().await, 502, "WALD-5002");
}

#[tokio::test]
async fn a_request_that_was_sent_is_never_sent_again() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    drop(connection);
    check(&client.answer().await, 502, "WALD-5002");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_given_up() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(
        upstream.address(),
        ["", ", timeouts: { response: 50ms }", ""],
    ));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    check(&client.answer().await, 504, "WALD-5004");
    connection.closed().await;
}

#[tokio::test]
async fn an_upstream_that_changes_its_protocol_unasked_is_a_bad_gateway() {
    let upstream = Upstream::listen().await;
    let wald = Wald::serve(&fronting(upstream.address(), ["", "", ""]));
    let mut client = wald.connect().await;
    let mut connection = upstream
        .accept_after(&mut client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .await;
    connection.answer().await;
    connection
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        )
        .await;
    check(&client.answer().await, 502, "WALD-5002");
}
