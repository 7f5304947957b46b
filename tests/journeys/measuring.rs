//! Metrics of what is in an answer: its size, the tokens that it says it took, and numbers of its own.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use tests::{Folder, Reply, Upstream, Wald, trial, until};

const SHORT: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":20,"total_tokens":25}}"#;
const LONG: &str = r#"{"choices":["and so on"],"usage":{"prompt_tokens":5,"completion_tokens":60,"total_tokens":65}}"#;
const MUTE: &str = r#"{"choices":[]}"#;

#[tokio::test]
async fn tokens_and_bytes_of_each_arm_are_its_answers() {
    let seen = ask(SHORT, LONG, 40).await;
    let [control, candidate] = estimates(&seen, "tokens");
    assert_eq!((control, candidate), (Some(20.0), Some(60.0)), "{seen}");
    let [control, candidate] = estimates(&seen, "bytes");
    assert_eq!(control, Some(SHORT.len() as f64));
    assert_eq!(candidate, Some(LONG.len() as f64));
    assert_eq!(count(&seen, "tokens"), count(&seen, "bytes"));
    // 5 tokens in and 20 out, or 60, at the prices of each arm for a million.
    let [control, candidate] = estimates(&seen, "cost").map(Option::unwrap_or_default);
    let (expected, found) = (
        [5.0 * 2.0 + 20.0 * 8.0, 5.0 * 1.0 + 60.0 * 4.0],
        [control, candidate],
    );
    for (expected, found) in expected.into_iter().zip(found) {
        assert!((found * 1e6 / expected - 1.0).abs() < 1e-9, "{seen}");
    }
}

#[tokio::test]
async fn answers_that_say_nothing_of_tokens_count_by_their_bytes_alone() {
    let seen = ask(SHORT, MUTE, 40).await;
    let [control, candidate] = count(&seen, "tokens");
    assert!(control > 0 && candidate == 0, "{seen}");
    assert_eq!(estimates(&seen, "bytes")[1], Some(MUTE.len() as f64));
}

#[tokio::test]
async fn numbers_that_answers_say_are_compared_and_what_is_none_is_not_counted() {
    let control = r#"{"scores":[0.25,0.5],"sure":true}"#;
    let seen = ask(control, r#"{"scores":[0.75],"sure":false}"#, 40).await;
    assert_eq!(estimates(&seen, "score"), [Some(0.25), Some(0.75)]);
    assert_eq!(estimates(&seen, "sure"), [Some(1.0), Some(0.0)]);
    assert_eq!(count(&seen, "score"), count(&seen, "bytes"));
    // Half a truth is no proportion, and a text is no number.
    let seen = ask(control, r#"{"scores":["0.75"],"sure":0.5}"#, 40).await;
    for metric in ["score", "sure"] {
        let [control, candidate] = count(&seen, metric);
        assert!(control > 0 && candidate == 0, "{metric}: {seen}");
    }
}

#[tokio::test]
async fn what_is_said_in_place_of_an_arm_that_is_down_is_no_word_of_that_arm() {
    let control = Upstream::start(r#"{"scores":[0.25],"sure":true}"#, Reply::Name).await;
    let down = Reply::Status(StatusCode::SERVICE_UNAVAILABLE);
    let candidate = Upstream::start("candidate", down).await;
    let seen = ask_of(&control, &candidate, "[{ upstream: control }]", 40).await;
    for metric in ["score", "sure"] {
        let [control, candidate] = count(&seen, metric);
        assert!(control > 0 && candidate == 0, "{metric}: {seen}");
    }
    // What its users waited for and got counts for it.
    assert!(count(&seen, "bytes")[1] > 0, "{seen}");
}

/// What is known of an experiment after so many requests by users of both arms.
async fn ask(control: &'static str, candidate: &'static str, users: usize) -> Value {
    let control = Upstream::start(control, Reply::Name).await;
    let candidate = Upstream::start(candidate, Reply::Name).await;
    ask_of(&control, &candidate, "[]", users).await
}

async fn ask_of(control: &Upstream, candidate: &Upstream, fallback: &str, users: usize) -> Value {
    let folder = Folder::new();
    let text = trial(control, candidate, &folder.path("wald.redb"));
    let route = "backend: { experiment: trial }";
    let text = text.replace(route, &format!("{route}, fallback: {fallback}"));
    let more = "    prices: { control: { input: 2, output: 8 }, candidate: { input: 1, output: 4 } }
    metrics:
      - { name: tokens, kind: mean, source: tokens, better: lower, role: guardrail, margin: { relative: 10% }, window: 1s }
      - { name: cost, kind: mean, source: cost, better: lower, role: guardrail, margin: { relative: 10% }, window: 1s }
      - { name: score, kind: mean, source: { response: /scores/0 }, better: higher, role: guardrail, margin: { relative: 10% }, window: 1s }
      - { name: sure, kind: proportion, source: { response: /sure }, better: higher, role: guardrail, margin: { odds: 1.5 }, window: 1s }
      - { name: bytes, kind: mean, source: response_bytes, better: lower, role: guardrail, margin: { relative: 10% }, window: 1s }";
    let text = text.replace("    metrics:", more);
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    for user in 0..users {
        let user = user.to_string();
        let headers = [("x-user", user.as_str())];
        let answer = client
            .send(Method::POST, "/v1/chat/completions", &headers, Bytes::new())
            .await;
        assert_eq!(answer.status, 200);
    }
    until("all of it is closed", async || {
        let seen = wald.ask("/api/v1/experiments/trial").await;
        let [control, candidate] = count(&seen, "bytes");
        (control + candidate == users as u64).then_some(seen)
    })
    .await
}

fn metric(seen: &Value, name: &str) -> Value {
    let metrics = seen["metrics"].as_array().expect("metrics");
    let found = metrics.iter().find(|metric| metric["name"] == name);
    found.expect("the metric").clone()
}

fn estimates(seen: &Value, name: &str) -> [Option<f64>; 2] {
    let estimate = &metric(seen, name)["estimate"];
    ["control", "candidate"].map(|arm| estimate[arm].as_f64())
}

fn count(seen: &Value, name: &str) -> [u64; 2] {
    let n = &metric(seen, name)["n"];
    [0, 1].map(|arm| n[arm].as_u64().expect("a count"))
}
