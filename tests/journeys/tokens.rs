//! Tokens: who is let in by one, and every way in which one can be wrong.

mod keys;
mod matrix;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tests::{
    Answer, Client, Folder, Reply, SigningKey, Upstream, Wald, claims, document, key_set, wald,
};

/// A document that believes the tokens of one issuer, and a route that needs one. `keys` says where the
/// issuer's keys come from, `route` is added to the route.
fn believing(keys: &str, backend: &str, route: &str) -> String {
    let upstreams = if backend.starts_with("http") {
        format!("upstreams: [{{ name: backend, endpoints: [\"{backend}\"] }}]\n")
    } else {
        String::new()
    };
    let target = if backend.starts_with("http") {
        "{ upstream: backend }".to_owned()
    } else {
        format!("{{ respond: {{ status: 200, body: {backend} }} }}")
    };
    document(&format!(
        "\
tokens:
  - issuer: https://issuer.test
    audiences: [models]
    keys: {keys}
    algorithms: [RS256, PS256, ES256, EdDSA]
    leeway: 0s
{upstreams}routes:
  - name: open
    match: {{ path: {{ prefix: /open }} }}
    allow: [{{ callers: anyone }}]
    backend: {target}
  - name: closed
    match: {{ path: {{ prefix: /closed }} }}
    allow: [{{ issuer: \"https://issuer.test\", claims: {{ scope: {{ contains: infer }} }} }}]
    backend: {target}
    {route}
"
    ))
}

/// The answer to a GET with this token.
async fn with_token(client: &mut Client, path: &str, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer)];
    client.send(Method::GET, path, &headers, Bytes::new()).await
}

#[tokio::test]
async fn an_upstream_learns_what_was_proved_and_never_what_was_claimed() {
    let key = SigningKey::p256("k1");
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&key]));
    let mut upstream = Upstream::start("backend", Reply::Name).await;
    let route = "set_headers: { x-user: { claim: sub }, x-team: { claim: team } }";
    let text = believing("{ file: keys.json }", upstream.endpoint().as_str(), route);
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;

    let token = format!(
        "bearer {}",
        key.token(&claims(&json!({ "team": "a\r\nx-admin: 1" })))
    );
    let headers = [
        ("authorization", &*token),
        ("x-user", "root"),
        ("x_user", "root"),
        ("x-team", "root"),
    ];
    let answer = client
        .send(Method::GET, "/closed", &headers, Bytes::new())
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let seen = upstream.arrived().await.head.headers;
    assert_eq!(
        seen.get("x-user").map(|it| it.as_bytes()),
        Some(&b"ada"[..])
    );
    for gone in ["authorization", "x_user", "x-team", "x-admin"] {
        assert!(!seen.contains_key(gone), "{gone} in {seen:?}");
    }

    // An open route: the token is Wald's to take, whether it is good or not, and other credentials are not.
    for (sent, kept) in [
        (&*token, false),
        ("Bearer abc", false),
        ("Basic YTpi", true),
    ] {
        let headers = [("authorization", sent)];
        let answer = client
            .send(Method::GET, "/open", &headers, Bytes::new())
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let seen = upstream.arrived().await.head.headers;
        assert_eq!(seen.contains_key("authorization"), kept, "{sent}");
    }
}

#[tokio::test]
async fn a_route_may_keep_the_token_for_an_upstream_that_checks_it_again() {
    let key = SigningKey::ed25519("k1");
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&key]));
    let mut upstream = Upstream::start("backend", Reply::Name).await;
    let text = believing("{ file: keys.json }", &upstream.endpoint(), "token: keep");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let token = key.token(&claims(&json!({})));
    let answer = with_token(&mut wald.connect("edge").await, "/closed", &token).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let seen = upstream.arrived().await.head.headers;
    let expected = format!("Bearer {token}");
    assert_eq!(
        seen.get("authorization").map(|it| it.as_bytes()),
        Some(expected.as_bytes())
    );
}

#[tokio::test]
async fn the_log_says_which_entry_failed_and_the_answer_does_not() {
    let key = SigningKey::p256("k1");
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&key]));
    let text = believing("{ file: keys.json }", "closed", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let token = key.token(&claims(&json!({ "scope": "read" })));
    let answer = with_token(&mut wald.connect("edge").await, "/closed", &token).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert!(!answer.text().contains("scope"), "{}", answer.text());
    let id = answer.header("x-request-id").to_owned();
    let event = wald
        .logged("the denial is logged", |event| {
            event["message"] == "refused" && event["request_id"].to_string().contains(&id)
        })
        .await;
    let reason = event["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("allow[0] claim scope says something else"),
        "{event}"
    );
}

#[tokio::test]
async fn explain_says_what_a_user_or_a_bad_token_would_meet() {
    let folder = Folder::new();
    let text = believing("{ file: keys.json }", "closed", "");
    let document = folder.write("wald.yaml", text);
    let document = document.to_str().expect("a path is text");
    for (claims, code, outcome) in [
        (None, 3, json!("WALD-3004")),
        (Some(r#"{"sub":"ada"}"#), 3, json!("WALD-3003")),
        (
            Some(r#"{"sub":"ada","scope":"read infer"}"#),
            0,
            json!(null),
        ),
        (Some(r#"{"scope":"infer","exp":1}"#), 3, json!("WALD-3108")),
        (
            Some(r#"{"scope":"infer","iss":"other"}"#),
            3,
            json!("WALD-3103"),
        ),
        (
            Some(r#"{"scope":"infer","aud":"other"}"#),
            3,
            json!("WALD-3107"),
        ),
    ] {
        let mut arguments = vec!["explain", "-c", document, "--path", "/closed", "-o", "json"];
        arguments.extend(claims.into_iter().flat_map(|claims| ["--claims", claims]));
        let said = wald(&arguments).await;
        assert_eq!(said.code, Some(code), "{claims:?}: {said:?}");
        assert_eq!(said.json()["code"], outcome, "{claims:?}: {said:?}");
    }
}
