//! Keys of issuers: from files and servers, new ones and revoked ones, with and without the server.

use std::time::Instant;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tests::{Client, Folder, KeyServer, SigningKey, Wald, claims, key_set, until, wald};
use tokio::task::JoinSet;

use super::{believing, with_token};

/// Rotations under load.
const ROTATIONS: usize = 10;

/// Requests that ask for the same unknown key at once.
const CROWD: usize = 40;

fn token(key: &SigningKey) -> String {
    key.token(&claims(&json!({})))
}

async fn status(client: &mut Client, token: &str) -> StatusCode {
    with_token(client, "/closed", token).await.status
}

async fn metric(wald: &Wald, line: &str) -> f64 {
    let metrics = wald.connect("admin").await.get("/metrics").await.text();
    metrics
        .lines()
        .find_map(|metric| metric.strip_prefix(line)?.trim().parse().ok())
        .unwrap_or_default()
}

async fn reloads(wald: &Wald, outcome: &str) -> f64 {
    let line = format!("wald_policy_reloads_total{{outcome=\"{outcome}\"}}");
    metric(wald, &line).await
}

#[tokio::test]
async fn a_revoked_key_stops_at_once_though_its_tokens_are_remembered() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::p256("new"));
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&old]));
    let text = believing("{ file: keys.json }", "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let (revoked, good) = (token(&old), token(&new));
    for _ in 0..3 {
        assert_eq!(status(&mut client, &revoked).await, StatusCode::OK);
    }
    let hits = "wald_token_cache_lookups_total{outcome=\"hit\"}";
    assert!(
        metric(&wald, hits).await >= 2.0,
        "the token was not remembered"
    );
    assert_eq!(status(&mut client, &good).await, StatusCode::UNAUTHORIZED);

    folder.swap("keys.json", key_set(&[&new]));
    until("the new keys are in force", async || {
        (status(&mut client, &good).await == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(
        status(&mut client, &revoked).await,
        StatusCode::UNAUTHORIZED
    );
    let trail = wald
        .connect("admin")
        .await
        .get("/api/v1/audit")
        .await
        .text();
    let changed: Vec<serde_json::Value> = trail
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .filter(|record: &serde_json::Value| record["kind"] == "keys")
        .collect();
    let [changed] = &changed[..] else {
        panic!("one change of keys: {trail}");
    };
    let change = &changed["detail"]["changes"][0];
    assert!(
        change["was"].is_string() && change["was"] != change["value"],
        "{change}"
    );
}

#[tokio::test]
async fn keys_rotate_under_requests_and_none_is_refused() {
    let keys: Vec<_> = (0..=ROTATIONS)
        .map(|number| SigningKey::p256(&format!("k{number}")))
        .collect();
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&keys[0], &keys[1]]));
    let text = believing("{ file: keys.json }", "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    for pair in keys.windows(2) {
        let [before, after] = pair else { continue };
        let (before, after) = (token(before), token(after));
        // Whoever holds a token of either key is let in, while the set with both is replaced.
        folder.swap("keys.json", key_set(&[&pair[0], &pair[1]]));
        until("the next key is known", async || {
            assert_eq!(status(&mut client, &before).await, StatusCode::OK);
            (status(&mut client, &after).await == StatusCode::OK).then_some(())
        })
        .await;
    }
    assert!(reloads(&wald, "success").await >= 1.0);
    assert_eq!(reloads(&wald, "failure").await.to_bits(), 0f64.to_bits());
}

#[tokio::test]
async fn a_broken_key_file_leaves_the_keys_before_in_force() {
    let key = SigningKey::p256("k");
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&key]));
    let text = believing("{ file: keys.json }", "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    folder.swap("keys.json", "{ \"keys\": [");
    until("the reload is refused", async || {
        (reloads(&wald, "failure").await > 0.0).then_some(())
    })
    .await;
    let mut client = wald.connect("edge").await;
    assert_eq!(status(&mut client, &token(&key)).await, StatusCode::OK);
    assert!(wald.said().contains("keys.json"), "{}", wald.said());
}

#[tokio::test]
async fn many_requests_with_an_unknown_key_wait_for_one_fetch() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::p256("new"));
    let server = KeyServer::start(key_set(&[&old])).await;
    let folder = Folder::new();
    let keys = format!("{{ url: \"{}\", refresh: 1h }}", server.url());
    let text = believing(&keys, "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    assert_eq!(status(&mut client, &token(&old)).await, StatusCode::OK);
    let fetched = server.asked();

    server.replace(key_set(&[&old, &new]));
    server.close();
    let misses = "wald_token_cache_lookups_total{outcome=\"miss\"}";
    let before = metric(&wald, misses).await;
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (mut client, token) = (wald.connect("edge").await, token(&new));
        crowd.spawn(async move { status(&mut client, &token).await });
    }
    until("all of them have asked for the key", async || {
        (metric(&wald, misses).await >= before + 40.0 && server.asked() > fetched).then_some(())
    })
    .await;
    // Requests with keys that are known do not wait for anything.
    assert_eq!(status(&mut client, &token(&old)).await, StatusCode::OK);
    server.open();
    let answers = crowd.join_all().await;
    assert!(
        answers.iter().all(|status| *status == StatusCode::OK),
        "{answers:?}"
    );
    assert_eq!(server.asked(), fetched + 1, "one fetch for all of them");
}

#[tokio::test]
async fn invented_keys_do_not_make_an_attack_of_us() {
    let key = SigningKey::p256("k");
    let server = KeyServer::start(key_set(&[&key])).await;
    let folder = Folder::new();
    let keys = format!("{{ url: \"{}\", refresh: 1h }}", server.url());
    let text = believing(&keys, "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    assert_eq!(status(&mut client, &token(&key)).await, StatusCode::OK);
    let began = Instant::now();
    for number in 0..50 {
        let invented = token(&SigningKey::p256(&format!("invented-{number}")));
        assert_eq!(
            status(&mut client, &invented).await,
            StatusCode::UNAUTHORIZED
        );
    }
    let pauses = usize::try_from(began.elapsed().as_secs() / 5).expect("a short time");
    let asked = server.asked();
    assert!(
        (2..=2 + pauses).contains(&asked),
        "{asked} fetches for fifty invented keys"
    );
}

#[tokio::test]
async fn keys_outlive_their_server_until_they_are_stale() {
    let key = SigningKey::p256("k");
    let server = KeyServer::start(key_set(&[&key])).await;
    let folder = Folder::new();
    let keys = format!("{{ url: \"{}\", refresh: 1s, stale: 3s }}", server.url());
    let text = believing(&keys, "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let token = token(&key);
    assert_eq!(status(&mut client, &token).await, StatusCode::OK);
    drop(server);
    let failed = "wald_key_set_refreshes_total{issuer=\"https://issuer.test\",outcome=\"failed\"}";
    until("a fetch fails", async || {
        (metric(&wald, failed).await >= 1.0).then_some(())
    })
    .await;
    let age = "wald_key_set_age_seconds{issuer=\"https://issuer.test\"}";
    let (age, then) = (metric(&wald, age).await, status(&mut client, &token).await);
    assert!(
        age >= 3.0 || then == StatusCode::OK,
        "given up at an age of {age} s"
    );
    until("the keys are too old", async || {
        (status(&mut client, &token).await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert!(wald.said().contains("too old"), "{}", wald.said());
}

#[tokio::test]
async fn a_reload_keeps_the_keys_that_a_server_gave() {
    let key = SigningKey::p256("k");
    let server = KeyServer::start(key_set(&[&key])).await;
    let folder = Folder::new();
    let keys = format!("{{ url: \"{}\", refresh: 1h }}", server.url());
    let wald = Wald::run(&folder.write("wald.yaml", believing(&keys, "before", ""))).await;
    let mut client = wald.connect("edge").await;
    let token = token(&key);
    assert_eq!(status(&mut client, &token).await, StatusCode::OK);
    drop(server);
    folder.swap("wald.yaml", believing(&keys, "after", ""));
    until("the document is in force", async || {
        let answer = with_token(&mut client, "/closed", &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        (answer.text() == "after").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_server_proves_itself_by_an_authority_of_the_document() {
    let key = SigningKey::p256("k");
    let folder = Folder::new();
    let (server, trust) = KeyServer::start_tls(key_set(&[&key]), &folder).await;
    let (_other, elsewhere) = {
        let elsewhere = Folder::new();
        let (_, trust) = KeyServer::start_tls(String::new(), &elsewhere).await;
        (elsewhere, trust)
    };
    for (trust, expected) in [
        (trust, StatusCode::OK),
        (elsewhere, StatusCode::UNAUTHORIZED),
    ] {
        let keys = format!(
            "{{ url: \"{}\", trust: {} }}",
            server.url(),
            trust.display()
        );
        let text = believing(&keys, "welcome", "");
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        let mut client = wald.connect("edge").await;
        assert_eq!(status(&mut client, &token(&key)).await, expected);
    }
}

#[tokio::test]
async fn check_looks_at_keys_wherever_they_come_from() {
    let key = SigningKey::p256("k");
    let server = KeyServer::start(key_set(&[&key])).await;
    let folder = Folder::new();
    let gone = {
        let gone = KeyServer::start(String::new()).await;
        gone.url()
    };
    folder.write("keys.json", key_set(&[&key]));
    folder.write("none.json", "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}");
    folder.write("broken.json", "no");
    for (keys, mark) in [
        ("{ file: keys.json }".to_owned(), "fine"),
        ("{ file: none.json }".to_owned(), "doubtful"),
        ("{ file: broken.json }".to_owned(), "failed"),
        ("{ file: absent.json }".to_owned(), "failed"),
        (format!("{{ url: \"{}\" }}", server.url()), "fine"),
        (format!("{{ url: \"{gone}\" }}"), "doubtful"),
    ] {
        let document = folder.write("wald.yaml", believing(&keys, "welcome", ""));
        let document = document.to_str().expect("a path is text");
        let said = wald(&["check", "-c", document, "-o", "json"]).await.json();
        let checks = said["checks"].as_array().expect("a list").clone();
        let of_keys = |check: &&serde_json::Value| check["subject"].to_string().contains("keys of");
        let found: Vec<_> = checks.iter().filter(of_keys).collect();
        assert_eq!(
            (found.len(), &found[0]["mark"]),
            (1, &json!(mark)),
            "{keys}: {said}"
        );
    }
}

#[tokio::test]
async fn a_document_whose_keys_are_missing_is_not_served() {
    let folder = Folder::new();
    let text = believing("{ file: absent.json }", "welcome", "");
    let mut wald = Wald::launch(&folder.write("wald.yaml", text));
    assert_eq!(wald.ended().await.code(), Some(1));
    assert!(wald.said().contains("absent.json"), "{}", wald.said());
}

#[tokio::test]
async fn feedback_needs_no_token_and_takes_any() {
    let key = SigningKey::p256("k");
    let folder = Folder::new();
    folder.write("keys.json", key_set(&[&key]));
    let text = believing("{ file: keys.json }", "welcome", "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let headers = [("authorization", "Bearer abc")];
    let path = "/.wald/feedback";
    let answer = client
        .send(Method::POST, path, &headers, Bytes::from_static(b"[]"))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}
