//! Models that run inside Wald as shadows of servers elsewhere: asked when nothing else is to be done.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use tests::{Client, Folder, Reply, Upstream, Wald, document, until};

const INFER: &str = "/v2/models/digits/infer";

#[tokio::test]
async fn a_model_inside_is_compared_with_a_server_elsewhere() {
    let server = Upstream::start("server", Reply::Name).await;
    let shadow = "shadow: [{ backend: { model: digits }, compare: { only: [/outputs/*/data/*] } }]";
    let journey = Journey::start(&server, shadow, "").await;
    let mut client = journey.wald.connect("edge").await;
    let images = table("traffic.csv");
    let labels = table("predictions.csv");
    // As the library that trained the model read them, and then something else.
    for (number, (image, read)) in images.iter().zip(&labels).take(40).enumerate() {
        let label: u64 = read[1].parse().expect("a digit");
        let wrong = u64::from(number >= 30);
        server.reply(saying((label + wrong) % 10));
        let answer = client.post(INFER, &question(&image[3..])).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    let seen = journey.compared(40).await;
    assert_eq!(
        (&seen["backend"], &seen["agreed"]),
        (&json!("digits/1"), &json!(30)),
        "{seen}"
    );
    let place = json!([{ "at": "/outputs/*/data/*", "disagreements": 10 }]);
    assert_eq!(seen["fields"], place);
    let labels = r#"route="all",backend="digits/1""#;
    let copies = format!("wald_shadow_requests_total{{{labels},outcome=\"answered\"}} 40");
    journey.wald.shows(&copies).await;
    let agreement = format!("wald_shadow_agreement_ratio{{{labels}}} 0.75");
    journey.wald.shows(&agreement).await;
    // Nobody asked for it: it is no inference of a request.
    let inferences = r#"wald_inference_duration_seconds_count{model="digits",version="1"} 0"#;
    journey.wald.shows(inferences).await;
}

#[tokio::test]
async fn what_a_model_inside_does_not_understand_is_its_answer() {
    let server = Upstream::start("server", saying(1)).await;
    let journey = Journey::start(&server, "shadow: [{ backend: { model: digits } }]", "").await;
    let mut client = journey.wald.connect("edge").await;
    assert_eq!(client.post(INFER, &json!({})).await.status, StatusCode::OK);
    let seen = journey.compared(1).await;
    let difference = json!({ "at": "status", "primary": "200", "shadow": "400" });
    assert_eq!(seen["samples"][0][0], difference, "{seen}");
}

#[tokio::test]
async fn a_flood_of_requests_for_a_model_sheds_its_copies_and_no_request() {
    let server = Upstream::start("server", saying(1)).await;
    let shadow = "shadow: [{ backend: { model: digits }, compare: { only: [/model_name] } }]";
    let model = "threads: 1, queue: 8";
    let journey = Journey::start(&server, shadow, model).await;
    let mut client = journey.wald.connect("edge").await;
    let small = question(&table("traffic.csv")[0][3..]);
    for count in 1..=5 {
        client.post(INFER, &small).await;
        journey.compared(count).await;
    }
    assert_eq!(
        journey.copies("shed").await,
        0,
        "there is room while there is"
    );
    // As many at once as the model takes, each of them with a thousand images.
    let stop = Arc::new(AtomicBool::new(false));
    let address = journey.wald.address("edge").await;
    let many: Bytes = json!({ "inputs": [{
        "name": "pixels", "datatype": "FP32", "shape": [1000, 64], "data": vec![1; 64_000],
    }], "outputs": [{ "name": "label" }] })
    .to_string()
    .into();
    let flood: Vec<_> = (0..8)
        .map(|_| tokio::spawn(ask(address, many.clone(), Arc::clone(&stop))))
        .collect();
    until("copies are shed", async || {
        client.post(INFER, &small).await;
        (journey.copies("shed").await > 0).then_some(())
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    for asked in flood {
        let refused = asked.await.expect("it ends");
        assert_eq!(refused, 0, "requests have their places");
    }
    let before = journey.copies("answered").await;
    until("copies are answered again", async || {
        client.post(INFER, &small).await;
        (journey.copies("answered").await > before + 10).then_some(())
    })
    .await;
    assert_eq!(journey.copies("failed").await, 0);
}

#[tokio::test]
async fn a_candidate_that_runs_inside_is_tried_in_the_shadow_first() {
    let server = Upstream::start("server", saying(1)).await;
    let folder = Folder::new();
    let text = document(&format!(
        "\
store: {{ path: {} }}
{}
upstreams: [{{ name: server, endpoints: [{}] }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ experiment: trial }} }}]
experiments:
  - name: trial
    unit: request
    arms:
      - {{ name: control, backend: {{ upstream: server }} }}
      - {{ name: candidate, backend: {{ model: digits }} }}
    ramp: [50%]
    shadow_first: {{ agreement: 80%, observations: 50, compare: {{ only: [/outputs/*/data/*] }} }}
    metrics:
      - {{ name: failures, kind: proportion, source: failed, better: lower, role: goal, window: 1s }}
",
        folder.path("wald.redb").display(),
        models(""),
        server.endpoint(),
    ));
    let wald = Wald::run(&folder.write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    let question = question(&table("traffic.csv")[0][3..]);
    let answer = client.post(INFER, &question).await;
    assert_eq!(answer.header("x-wald-arm"), "control");
    until("the candidate serves", async || {
        let answer = client.post(INFER, &question).await;
        assert_eq!(answer.status, StatusCode::OK);
        (answer.header("x-wald-arm") == "candidate").then_some(())
    })
    .await;
    let seen = wald.ask("/api/v1/shadows").await["shadows"][0].clone();
    assert!(seen["compared"].as_u64() >= Some(50), "{seen}");
    assert_eq!(seen["agreed"], seen["compared"], "{seen}");
}

/// Asks until it is told to stop; how often it was refused.
async fn ask(address: std::net::SocketAddr, body: Bytes, stop: Arc<AtomicBool>) -> usize {
    let mut client = Client::open(address).await;
    let mut refused = 0;
    while !stop.load(Ordering::Relaxed) {
        let asked = client.send(
            http::Method::POST,
            "/v2/models/flood/infer",
            &[],
            body.clone(),
        );
        refused += usize::from(asked.await.status != StatusCode::OK);
    }
    refused
}

/// An answer as a server of the protocol gives it.
fn saying(label: u64) -> Reply {
    let answer = json!({ "model_name": "fraud", "outputs": [
        { "name": "label", "datatype": "INT64", "shape": [1], "data": [label] },
    ] });
    Reply::Said(
        &[("content-type", "application/json")],
        answer.to_string().into(),
    )
}

fn question(pixels: &[String]) -> Value {
    let number = |pixel: &String| pixel.parse().expect("a number");
    let pixels: Vec<f64> = pixels.iter().map(number).collect();
    json!({
        "inputs": [{ "name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": pixels }],
        "outputs": [{ "name": "label" }],
    })
}

/// The rows of one of the example's tables.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(digits().join(name)).expect("a table of the example");
    let row = |row: &str| row.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(row).collect()
}

fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/digits")
}

fn models(fields: &str) -> String {
    let digests = fs::read_to_string(digits().join("SHA256SUMS")).expect("digests");
    let digest = digests.split_whitespace().next().expect("the baseline's");
    let file = digits().join("baseline.onnx");
    let file = file.display();
    format!("models: [{{ name: digits, file: {file}, sha256: \"{digest}\", {fields} }}]")
}

/// A server whose requests are copied, and a route to the model itself.
struct Journey {
    wald: Wald,
    _folder: Folder,
}

impl Journey {
    async fn start(server: &Upstream, shadow: &str, fields: &str) -> Self {
        let folder = Folder::new();
        let text = document(&format!(
            "\
{}
upstreams: [{{ name: server, endpoints: [{}] }}]
routes:
  - {{ name: flood, match: {{ path: {{ prefix: /v2/models/flood }} }}, allow: [{{ callers: anyone }}], backend: {{ model: digits }} }}
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: server }}
    {shadow}
",
            models(fields),
            server.endpoint(),
        ));
        let wald = Wald::run(&folder.write("wald.yaml", text)).await;
        Self {
            wald,
            _folder: folder,
        }
    }

    /// What is known of the shadow once so many answers were compared.
    async fn compared(&self, count: u64) -> Value {
        until("the answers are compared", async || {
            let seen = self.wald.ask("/api/v1/shadows").await["shadows"][0].clone();
            (seen["compared"] == count).then_some(seen)
        })
        .await
    }

    /// How many copies ended so.
    async fn copies(&self, outcome: &str) -> u64 {
        let shadows = self.wald.ask("/api/v1/shadows").await;
        let copies = shadows["copies"].as_array().expect("a list");
        let found = copies.iter().find(|it| it["outcome"] == outcome);
        found
            .and_then(|it| it["count"].as_u64())
            .unwrap_or_default()
    }
}
