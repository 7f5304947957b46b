//! The model that a request asks for, where routes and their `allow` depend on it.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tests::{
    Answer, Client, Folder, Reply, SigningKey, Upstream, Wald, claims, document, key_set, wald,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

struct Front {
    wald: Wald,
    small: Upstream,
    large: Upstream,
    key: SigningKey,
    folder: Folder,
}

impl Front {
    /// `small` and `large` are chosen by model; `/guarded` is open for the model `small` alone, and for the
    /// model `large` to whoever may use it. `/plain` asks for no model.
    async fn start() -> Self {
        let small = Upstream::start("small", Reply::Echo).await;
        let large = Upstream::start("large", Reply::Echo).await;
        let (folder, key) = (Folder::new(), SigningKey::p256("k1"));
        folder.write("keys.json", key_set(&[&key]));
        let text = document(&format!(
            "\
tokens: [{{ issuer: \"https://issuer.test\", audiences: [models], keys: {{ file: keys.json }}, algorithms: [ES256] }}]
upstreams:
  - {{ name: small, endpoints: [{}] }}
  - {{ name: large, endpoints: [{}] }}
routes:
  - {{ name: plain, match: {{ path: {{ prefix: /plain }} }}, allow: [{{ callers: anyone }}], backend: {{ upstream: small }} }}
  - name: guarded
    match: {{ path: {{ prefix: /guarded }} }}
    allow:
      - {{ models: [small] }}
      - {{ models: [large], claims: {{ scope: {{ contains: large }} }} }}
    backend: {{ upstream: large }}
  - {{ name: small, match: {{ model: small }}, allow: [{{ callers: anyone }}], backend: {{ upstream: small }} }}
  - {{ name: large, match: {{ model: large }}, allow: [{{ callers: anyone }}], backend: {{ upstream: large }} }}
",
            small.endpoint(),
            large.endpoint()
        ));
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self {
            wald,
            small,
            large,
            key,
            folder,
        }
    }

    async fn client(&self) -> Client {
        self.wald.connect("edge").await
    }
}

async fn post(client: &mut Client, path: &str, body: impl Into<Bytes>) -> Answer {
    client.send(Method::POST, path, &[], body.into()).await
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["code"]),
        (status, &json!(code)),
        "{answer:?}"
    );
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn a_request_goes_where_its_model_is_whether_path_or_body_names_it() {
    let mut front = Front::start().await;
    let mut client = front.client().await;
    for (path, body) in [
        (CHAT, r#"{"messages":[],"model":"large"}"#),
        (CHAT, r#"{"mod\u0065l":"large"}"#),
        ("/v2/models/large/infer", "{}"),
        ("/v2/models/large/infer", r#"{"model":"small"}"#),
        ("/v1/models/large:predict", "no JSON at all"),
    ] {
        let answer = post(&mut client, path, body).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::OK, body.to_owned())
        );
        assert_eq!(front.large.arrived().await.head.uri.path(), path);
    }
    post(&mut client, CHAT, r#"{"model":"small"}"#).await;
    front.small.arrived().await;
    for body in [r#"{"model":"other"}"#, "{}", "", "[]", "not JSON"] {
        refused(&post(&mut client, CHAT, body).await, 404, "WALD-3001");
    }
    refused(&client.get("/").await, 404, "WALD-3001");
}

#[tokio::test]
async fn a_large_body_arrives_as_it_was_sent_wherever_it_names_its_model() {
    let mut front = Front::start().await;
    let mut client = front.client().await;
    let long = "x".repeat(900 << 10);
    for body in [
        format!(r#"{{"model":"large","prompt":"{}"}}"#, "y".repeat(4 << 20)),
        format!(r#"{{"prompt":"{long}","model":"large"}}"#),
    ] {
        let answer = post(&mut client, CHAT, body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK);
        let arrived = front.large.arrived().await;
        assert!(
            arrived.body == body.as_bytes(),
            "{} bytes",
            arrived.body.len()
        );
        let length = &arrived.head.headers["content-length"];
        assert_eq!(length.to_str().expect("digits"), body.len().to_string());
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_told_for_sure_is_refused() {
    let front = Front::start().await;
    let mut client = front.client().await;
    for body in [
        r#"{"model":"small","model":"large"}"#,
        r#"{"model":"small","Model":"large"}"#,
        r#"{"model":17}"#,
        r#"{"model":"small""#,
        r#"{"model":"small"} {"model":"large"}"#,
    ] {
        let mut client = front.client().await;
        refused(&post(&mut client, CHAT, body).await, 400, "WALD-4009");
    }
    let late = format!(r#"{{"prompt":"{}","model":"small"}}"#, "x".repeat(2 << 20));
    refused(
        &post(&mut client, CHAT, late.clone()).await,
        413,
        "WALD-4010",
    );
    let mut client = front.client().await;
    let encoded = [("content-encoding", "gzip")];
    let answer = client
        .send(Method::POST, CHAT, &encoded, Bytes::from_static(b"{}"))
        .await;
    refused(&answer, 415, "WALD-4011");
    // Who asks for no model is not looked into.
    let mut client = front.client().await;
    for body in [r#"{"model":"small","model":"large"}"#, &late] {
        let answer = post(&mut client, "/plain", body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
}

/// The second name comes when the first part is with the backend already.
#[tokio::test]
async fn a_second_name_later_in_the_body_cuts_the_request_off_before_its_end() {
    let front = Front::start().await;
    let mut stream = TcpStream::connect(front.wald.address("edge").await)
        .await
        .expect("a connection");
    let head = format!("POST {CHAT} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let first = head + &chunk(r#"{"model":"small","prompt":"x","#);
    stream
        .write_all(first.as_bytes())
        .await
        .expect("it is read");
    tests::until("the first part is on its way", async || {
        let text = front
            .wald
            .connect("admin")
            .await
            .get("/metrics")
            .await
            .text();
        text.contains("wald_in_flight_requests{route=\"small\"} 1")
            .then_some(())
    })
    .await;
    let second = chunk(r#""model":"large"}"#) + "0\r\n\r\n";
    stream
        .write_all(second.as_bytes())
        .await
        .expect("it is read");
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("WALD-4009"),
        "{answer}"
    );
    // The backend got no whole request of it: the next one that is whole is the next one.
    let body = json!({ "model": "small", "prompt": "whole" });
    let answer = front.wald.connect("edge").await.post(CHAT, &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let mut small = front.small;
    loop {
        let arrived = small.arrived().await;
        if arrived.body == body.to_string() {
            return;
        }
        // A head may have got through, if the backend was reached before the second name was.
        assert_eq!(
            arrived.body, "",
            "a body that breaks off is remembered as empty"
        );
    }
}

#[tokio::test]
async fn who_may_ask_for_a_model_is_checked_before_the_backend_hears_of_it() {
    let mut front = Front::start().await;
    let mut client = front.client().await;
    let ask = |model: &str| Bytes::from(format!(r#"{{"model":"{model}"}}"#));
    let answer = post(&mut client, "/guarded", ask("small")).await;
    assert_eq!(answer.status, StatusCode::OK);
    front.large.arrived().await;
    refused(
        &post(&mut client, "/guarded", ask("large")).await,
        401,
        "WALD-3004",
    );
    refused(
        &post(&mut client, "/guarded", ask("other")).await,
        403,
        "WALD-3003",
    );
    refused(&post(&mut client, "/guarded", "{}").await, 403, "WALD-3003");
    refused(&client.get("/guarded").await, 403, "WALD-3003");
    let token = front.key.token(&claims(&json!({ "scope": "large" })));
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer)];
    let answer = client
        .send(Method::POST, "/guarded", &headers, ask("large"))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        &front.large.arrived().await.body[..],
        br#"{"model":"large"}"#,
        "nothing came between"
    );
}

#[tokio::test]
async fn explain_says_which_model_was_found() {
    let front = Front::start().await;
    let body = front.folder.write("body.json", r#"{"model":"large"}"#);
    let twice = front
        .folder
        .write("twice.json", r#"{"model":"large","model":"small"}"#);
    let document = front.folder.path("wald.yaml");
    let [document, body, twice] =
        [&document, &body, &twice].map(|path| path.to_str().expect("text").to_owned());
    let explain = [
        "explain", "-c", &document, "-o", "json", "--method", "POST", "--path", CHAT,
    ];
    let said = wald(explain.iter().copied().chain(["--body", &body])).await;
    assert_eq!(
        (said.code, &said.json()["route"]),
        (Some(0), &json!("large")),
        "{said:?}"
    );
    assert!(said.stdout.contains("asks for model large"), "{said:?}");
    let said = wald(explain.iter().copied().chain(["--body", &twice])).await;
    assert_eq!(
        (said.code, &said.json()["code"]),
        (Some(3), &json!("WALD-4009")),
        "{said:?}"
    );
    let said = wald(explain).await;
    assert_eq!(said.code, Some(4), "{said:?}");
}
