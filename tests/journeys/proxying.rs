//! A request to an upstream and back.

use bytes::Bytes;
use http::{Method, StatusCode};
use tests::{Answer, Client, Folder, Reply, Upstream, Wald, document, fronting};

#[tokio::test]
async fn a_request_reaches_the_upstream_and_its_answer_comes_back() {
    let (mut upstream, _wald, mut client) = front(Reply::Echo).await;
    let body = Bytes::from_static(b"{\"inputs\":[]}");
    let answer = client
        .send(Method::POST, "/v2/models/m/infer?x=%20y", &[], body.clone())
        .await;
    assert_eq!((answer.status, &answer.body), (StatusCode::OK, &body));
    assert_ne!(answer.header("x-request-id"), "");
    let arrived = upstream.arrived().await;
    assert_eq!(arrived.head.method, Method::POST);
    assert_eq!(arrived.head.uri, "/v2/models/m/infer?x=%20y");
    assert_eq!(arrived.body, body);
    assert_eq!(arrived.head.headers["x-wald-route"], "all");
    assert_eq!(
        arrived.head.headers["x-request-id"],
        answer.header("x-request-id")
    );
    assert_eq!(arrived.head.headers["x-forwarded-for"], "127.0.0.1");
}

#[tokio::test]
async fn what_only_wald_may_say_does_not_pass_from_a_client() {
    let (mut upstream, _wald, mut client) = front(Reply::Name).await;
    let claims = [
        ("x-wald-arm", "candidate"),
        ("x-wald-route", "other"),
        ("x-forwarded-for", "10.0.0.1"),
    ];
    client.send(Method::GET, "/", &claims, Bytes::new()).await;
    let headers = upstream.arrived().await.head.headers;
    assert_eq!(headers.get("x-wald-arm"), None);
    assert_eq!(headers["x-wald-route"], "all");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
}

#[tokio::test]
async fn a_header_that_connection_names_ends_at_the_next_hop() {
    let (mut upstream, _wald, mut client) = front(Reply::Name).await;
    let headers = [
        ("connection", "x-private"),
        ("x-private", "1"),
        ("x-public", "1"),
    ];
    client.send(Method::GET, "/", &headers, Bytes::new()).await;
    let arrived = upstream.arrived().await.head.headers;
    assert_eq!(arrived.get("x-private"), None);
    assert_eq!(arrived["x-public"], "1");
}

#[tokio::test]
async fn a_large_body_passes_unchanged_both_ways() {
    let (_upstream, _wald, mut client) = front(Reply::Echo).await;
    let body: Bytes = (0..8 << 20)
        .map(|at: u32| at.to_le_bytes()[usize::from(at.is_multiple_of(7))])
        .collect();
    let answer = client.send(Method::POST, "/", &[], body.clone()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body == body, "{} bytes came back", answer.body.len());
}

#[tokio::test]
async fn a_clients_connection_serves_many_requests() {
    let (upstream, _wald, mut client) = front(Reply::Name).await;
    for _ in 0..200 {
        assert_eq!(client.get("/").await.text(), "backend");
    }
    assert_eq!(upstream.asked(), 200);
}

#[tokio::test]
async fn a_body_over_the_routes_limit_is_refused() {
    let upstream = Upstream::start("backend", Reply::Echo).await;
    let text = fronting(&upstream).replace(
        "backend: { upstream",
        "limits: { body_bytes: 1KiB }, backend: { upstream",
    );
    let (_wald, mut client) = serve(&text).await;
    let answer = client
        .send(Method::POST, "/", &[], vec![b'x'; 1025].into())
        .await;
    check_problem(&answer, 413, "WALD-4006");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_a_bad_gateway() {
    let upstream = Upstream::start("backend", Reply::Name).await;
    let text = fronting(&upstream);
    drop(upstream);
    let (_wald, mut client) = serve(&text).await;
    check_problem(&client.get("/").await, 502, "WALD-5001");
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_a_timeout() {
    let upstream = Upstream::start("backend", Reply::Held).await;
    let text =
        fronting(&upstream).replace("backend: { upstream", "timeout: 100ms, backend: { upstream");
    let (_wald, mut client) = serve(&text).await;
    check_problem(&client.get("/").await, 504, "WALD-5004");
}

#[tokio::test]
async fn a_route_that_allows_nobody_is_closed() {
    let upstream = Upstream::start("backend", Reply::Name).await;
    let text = fronting(&upstream).replace("allow: [{ callers: anyone }], ", "");
    let (_wald, mut client) = serve(&text).await;
    let answer = client.get("/").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(upstream.asked(), 0);
}

#[tokio::test]
async fn a_request_that_no_route_takes_is_not_found() {
    let text = document(
        "routes: [{ name: one, match: { path: { prefix: /one } }, allow: [{ callers: anyone }], backend: { respond: { status: 200, body: one } } }]\n",
    );
    let (_wald, mut client) = serve(&text).await;
    assert_eq!(client.get("/one/more").await.text(), "one");
    assert_eq!(client.get("/onemore").await.status, StatusCode::NOT_FOUND);
}

/// A Wald before a backend that replies so, and a client of it.
async fn front(reply: Reply) -> (Upstream, Wald, Client) {
    let upstream = Upstream::start("backend", reply).await;
    let (wald, client) = serve(&fronting(&upstream)).await;
    (upstream, wald, client)
}

/// The document is read once, so its folder need not outlive the start.
async fn serve(text: &str) -> (Wald, Client) {
    let folder = Folder::new();
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let client = wald.connect("edge").await;
    (wald, client)
}

#[track_caller]
fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(
        (&problem["status"], &problem["code"]),
        (&status.into(), &code.into())
    );
    assert_eq!(problem["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn an_upstream_is_asked_for_what_the_route_says_instead() {
    let (mut upstream, folder) = (Upstream::start("b", Reply::Echo).await, Folder::new());
    let text = fronting(&upstream).replace(
        "backend: { upstream: backend } }]",
        "match: { path: { prefix: /bank } }, backend: { upstream: backend }, rewrite: { host: models.internal, prefix: /, model: new } }]",
    );
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    client.get("/bank/v2/models/old/ready?x=1").await;
    let head = upstream.arrived().await.head;
    assert_eq!(head.uri, "/v2/models/new/ready?x=1");
    assert_eq!(head.headers["host"], "models.internal");
    let asked_for = wald.address("edge").await.to_string();
    assert_eq!(head.headers["x-forwarded-host"], asked_for);
    // The model of a body: its length is another, and all else stays as it was written.
    let body = serde_json::json!({ "model": "old", "messages": ["model"] });
    let answer = client.post("/bank/v1/chat/completions", &body).await;
    let expected = r#"{"messages":["model"],"model":"new"}"#;
    assert_eq!(answer.text(), expected);
    let head = upstream.arrived().await.head;
    assert_eq!(head.uri, "/v1/chat/completions");
    assert_eq!(head.headers["content-length"], expected.len().to_string());
}

#[tokio::test]
async fn a_client_is_sent_elsewhere() {
    let folder = Folder::new();
    let text = document(
        "routes: [{ name: moved, allow: [{ callers: anyone }], backend: { redirect: { scheme: https, host: \"models.example:8443\" } } }]\n",
    );
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let answer = wald.connect("edge").await.get("/v2/models?x=1").await;
    assert_eq!(answer.status.as_u16(), 308);
    let there = "https://models.example:8443/v2/models?x=1";
    assert_eq!(answer.header("location"), there);
}
