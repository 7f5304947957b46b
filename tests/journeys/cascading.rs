//! Cascades: a small model inside answers what it is sure of, and a server elsewhere the rest.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Folder, Reply, Upstream, Wald, document, until};

const INFER: &str = "/v2/models/digits/infer";

/// What the server elsewhere says to everything.
const BIG: &[u8] = br#"{"model_name":"big"}"#;

/// How sure the small model must be.
const AT_LEAST: f64 = 0.7;

#[tokio::test]
async fn the_small_model_answers_what_it_is_sure_of_and_the_big_one_the_rest() {
    let (big, folder) = (Upstream::start("big", said()).await, Folder::new());
    let text = serving(&big, &format!("backend: {}", cascade("probabilities")), "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let mut sure = 0;
    for (pixels, probability) in images().iter().take(60) {
        let answer = client.post(INFER, &question(pixels)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let is_sure = *probability >= AT_LEAST;
        let expected = if is_sure { "digits" } else { "big" };
        assert_eq!(answer.json()["model_name"], expected, "{probability}");
        sure += u32::from(is_sure);
    }
    assert!(sure > 10 && sure < 50, "both have answered: {sure} of 60");
    for (backend, count) in [("digits/1", sure), ("big", 60 - sure)] {
        let labels =
            format!(r#"listener="edge",route="all",backend="{backend}",arm="",code="200""#);
        wald.shows(&format!("wald_requests_total{{{labels}}} {count}"))
            .await;
    }
}

#[tokio::test]
async fn whatever_the_small_model_cannot_read_goes_on_whole() {
    let (big, folder) = (Upstream::start("big", Reply::Echo).await, Folder::new());
    let text = serving(&big, &format!("backend: {}", cascade("probabilities")), "");
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let long = json!({ "prompt": "a".repeat(300_000) }).to_string();
    for body in [long.as_str(), "no JSON", "{}"] {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let answer = client.send(Method::POST, INFER, &[], body.clone()).await;
        assert_eq!((answer.status, answer.body), (StatusCode::OK, body));
    }
    // Who is asked about the model hears of the one that answers in the end.
    let answer = client.get("/v2/models/digits").await;
    assert_eq!(
        (answer.status, answer.text()),
        (StatusCode::OK, String::new())
    );
}

#[tokio::test]
async fn an_experiment_judges_the_cascade_as_a_whole_and_how_often_it_goes_on() {
    let (big, folder) = (Upstream::start("big", said()).await, Folder::new());
    let experiment = format!(
        "\
experiments:
  - name: trial
    unit: request
    arms:
      - {{ name: control, backend: {{ upstream: big }} }}
      - {{ name: candidate, backend: {} }}
    ramp: [50%]
    metrics:
      - {{ name: latency, kind: mean, source: duration, better: lower, role: goal, window: 2s }}
      - {{ name: escalated, kind: proportion, source: escalated, better: lower, role: guardrail, margin: {{ absolute: 0.9 }}, window: 2s }}
",
        cascade("probabilities")
    );
    let text = serving(&big, "backend: { experiment: trial }", &experiment);
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let (mut of_candidate, mut escalated, mut of_control) = (0_u64, 0_u64, 0_u64);
    for (pixels, probability) in images().iter().take(80) {
        let answer = client.post(INFER, &question(pixels)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        if answer.header("x-wald-arm") == "control" {
            of_control += 1;
        } else {
            of_candidate += 1;
            escalated += u64::from(*probability < AT_LEAST);
        }
    }
    assert!(escalated > 0 && escalated < of_candidate, "{escalated}");
    let metric = until("all of it is counted", async || {
        let trial = wald.ask("/api/v1/experiments/trial").await;
        let metric = trial["metrics"][1].clone();
        (metric["n"] == json!([of_control, of_candidate])).then_some(metric)
    })
    .await;
    let rate = metric["estimate"]["candidate"].as_f64();
    let expected = escalated as f64 / of_candidate as f64;
    assert!(
        rate.is_some_and(|rate| (rate - expected).abs() < 1e-9),
        "{expected}: {metric}"
    );
}

#[tokio::test]
async fn a_score_that_the_model_does_not_give_keeps_the_document_out_of_force() {
    let (big, folder) = (Upstream::start("big", said()).await, Folder::new());
    let text = serving(&big, &format!("backend: {}", cascade("certainty")), "");
    let mut wald = Wald::launch(&folder.write("wald.yaml", text));
    assert_eq!(wald.ended().await.code(), Some(1));
    let said = wald.said();
    assert!(
        said.contains("no output `certainty`") && said.contains("probabilities"),
        "{said}"
    );
}

fn said() -> Reply {
    Reply::Said(
        &[("content-type", "application/json")],
        Bytes::from_static(BIG),
    )
}

fn cascade(output: &str) -> String {
    format!(
        "{{ cascade: [{{ model: digits, accept: {{ output: {output}, at_least: {AT_LEAST} }} }}, {{ upstream: big }}] }}"
    )
}

fn serving(big: &Upstream, backend: &str, more: &str) -> String {
    let digests = fs::read_to_string(digits().join("SHA256SUMS")).expect("digests");
    let digest = digests.split_whitespace().next().expect("the baseline's");
    document(&format!(
        "\
upstreams: [{{ name: big, endpoints: [{}] }}]
models: [{{ name: digits, file: {}, sha256: \"{digest}\" }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], {backend} }}]
{more}",
        big.endpoint(),
        digits().join("baseline.onnx").display()
    ))
}

/// The pixels of images, and how sure the library that trained the model is of what they show.
fn images() -> Vec<(Vec<f64>, f64)> {
    let (pixels, read) = (table("traffic.csv"), table("predictions.csv"));
    let both = pixels.iter().zip(&read);
    both.map(|(image, read)| (image[3..].to_vec(), read[2]))
        .collect()
}

fn question(pixels: &[f64]) -> Value {
    json!({ "inputs": [{ "name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": pixels }] })
}

fn table(name: &str) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(digits().join(name)).expect("a table of the example");
    let number = |field: &str| field.parse().expect("a number");
    text.lines()
        .skip(1)
        .map(|row| row.split(',').map(number).collect())
        .collect()
}

fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/digits")
}
