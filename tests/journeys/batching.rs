//! Models that run requests together, over real connections.

use std::fs;
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::{Value, json};
use tests::{Answer, Client, Folder, Verb, Wald, document};
use tokio::task::JoinSet;

const INFER: &str = "/v2/models/digits/infer";

#[tokio::test]
async fn requests_that_run_together_get_the_answers_that_they_get_alone() {
    let wald = serve("batch: { max: 16, wait: 50ms }").await;
    let (images, labels) = (table("traffic.csv"), table("predictions.csv"));
    let mut asked = JoinSet::new();
    for (number, image) in images.iter().enumerate().take(64) {
        let client = Client::open(wald.address("edge").await).await;
        let question = question(&image[3..]);
        asked.spawn(async move { (number, ask(client, question).await) });
    }
    for (number, answer) in asked.join_all().await {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let label: u64 = labels[number][1].parse().expect("a digit");
        assert_eq!(label_of(&answer), json!([label]), "image {number}");
    }
    let rows = "wald_inference_batch_size_sum{model=\"digits\",version=\"1\"} 64";
    wald.shows(rows).await;
    let text = wald.connect("admin").await.get("/metrics").await.text();
    let runs = "wald_inference_batch_size_count{model=\"digits\",version=\"1\"} ";
    let runs = text.lines().find_map(|line| line.strip_prefix(runs));
    let runs: Option<u32> = runs.and_then(|runs| runs.parse().ok());
    assert!(
        runs.is_some_and(|runs| runs < 64),
        "some ran together: {runs:?}"
    );
}

#[tokio::test]
async fn a_full_queue_refuses_and_says_when_to_come_again() {
    // Two requests have a place, one as if a thread ran it and one in the queue, and wait for company.
    let wald = serve("batch: { max: 8, wait: 2s }, queue: 1").await;
    let question = question(&table("traffic.csv")[0][3..]);
    let mut asked = JoinSet::new();
    for _ in 0..3 {
        let client = Client::open(wald.address("edge").await).await;
        asked.spawn(ask(client, question.clone()));
    }
    let (served, refused): (Vec<_>, Vec<_>) = asked
        .join_all()
        .await
        .into_iter()
        .partition(|answer| answer.status == StatusCode::OK);
    assert_eq!((served.len(), refused.len()), (2, 1));
    let refused = &refused[0];
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["code"], "WALD-5101");
    let reached = "wald_limit_reached_total{limit=\"model_queue\"} 1";
    wald.shows(reached).await;
    // The two ran together.
    let bucket = "wald_inference_batch_size_bucket{model=\"digits\",version=\"1\",le=\"2\"} 1";
    wald.shows(bucket).await;
}

#[tokio::test]
async fn a_preflight_says_what_a_run_takes_and_where_it_runs() {
    let folder = Folder::new();
    let document = folder.write("wald.yaml", serving("batch: { max: 4 }"));
    let said = Verb::new(["check", "-c"]).argument(document).run().await;
    assert!(said.stdout.contains("on threads of its own"), "{said:?}");
}

async fn ask(mut client: Client, question: Value) -> Answer {
    client.post(INFER, &question).await
}

async fn serve(fields: &str) -> Wald {
    let folder = Folder::new();
    Wald::run(&folder.write("wald.yaml", serving(fields))).await
}

fn serving(fields: &str) -> String {
    let digests = fs::read_to_string(digits().join("SHA256SUMS")).expect("digests");
    let digest = digests.split_whitespace().next().expect("the baseline's");
    let file = digits().join("baseline.onnx");
    let file = file.display();
    document(&format!(
        "\
models: [{{ name: digits, file: {file}, sha256: \"{digest}\", {fields} }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ model: digits }} }}]
"
    ))
}

fn question(pixels: &[String]) -> Value {
    let number = |pixel: &String| pixel.parse().expect("a number");
    let pixels: Vec<f64> = pixels.iter().map(number).collect();
    json!({
        "inputs": [{ "name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": pixels }],
        "outputs": [{ "name": "label" }],
    })
}

fn label_of(answer: &Answer) -> Value {
    answer.json()["outputs"][0]["data"].clone()
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
