//! Models that Wald runs itself, over the Open Inference Protocol.

use std::fs;
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::{Value, json};
use tests::{Client, Folder, Wald, document};

#[tokio::test]
async fn an_inline_model_answers_as_the_library_that_trained_it() {
    let (_wald, mut client) = serve().await;
    let (pixels, labels) = (table("traffic.csv"), table("predictions.csv"));
    for (image, expected) in pixels.iter().zip(&labels).take(50) {
        let answer = client
            .post("/v2/models/digits/infer", &question(&image[3..]))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let outputs = answer.json()["outputs"].clone();
        let label = outputs
            .as_array()
            .and_then(|all| all.iter().find(|output| output["name"] == "label"))
            .cloned();
        assert_eq!(
            label.expect("a label")["data"],
            json!([expected[1].parse::<i64>().expect("a digit")])
        );
    }
}

#[tokio::test]
async fn a_wrong_shape_is_told_what_was_expected() {
    let (_wald, mut client) = serve().await;
    let mut question = question(&["1".to_owned(), "2".to_owned()]);
    question["inputs"][0]["shape"] = json!([1, 2]);
    let answer = client.post("/v2/models/digits/infer", &question).await;
    assert_eq!(
        (answer.status, answer.json()["code"].clone()),
        (StatusCode::BAD_REQUEST, json!("WALD-4204"))
    );
    assert!(answer.text().contains("64"), "{}", answer.text());
}

#[tokio::test]
async fn a_model_says_that_it_is_ready_and_what_it_takes() {
    let (_wald, mut client) = serve().await;
    assert_eq!(
        client.get("/v2/models/digits/ready").await.status,
        StatusCode::OK
    );
    let about = client.get("/v2/models/digits").await.json();
    assert_eq!(about["name"], "digits");
    assert_eq!(about["inputs"][0]["name"], "pixels");
    assert_eq!(about["inputs"][0]["datatype"], "FP32");
}

#[tokio::test]
async fn a_model_file_with_another_digest_is_not_served() {
    let folder = Folder::new();
    let document = folder.write("wald.yaml", serving(&"0".repeat(64)));
    let mut wald = Wald::launch(&document);
    assert_eq!(wald.ended().await.code(), Some(1));
    assert!(wald.said().contains("SHA-256"), "{}", wald.said());
}

async fn serve() -> (Wald, Client) {
    let digests = fs::read_to_string(digits().join("SHA256SUMS")).expect("digests");
    let digest = digests
        .split_whitespace()
        .next()
        .expect("the baseline comes first");
    let folder = Folder::new();
    let wald = Wald::run(&folder.write("wald.yaml", serving(digest))).await;
    let client = wald.connect("edge").await;
    (wald, client)
}

fn serving(digest: &str) -> String {
    document(&format!(
        "\
models: [{{ name: digits, file: {}, sha256: \"{digest}\" }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ model: digits }} }}]
",
        digits().join("baseline.onnx").display()
    ))
}

fn question(pixels: &[String]) -> Value {
    let pixels: Vec<f64> = pixels
        .iter()
        .map(|pixel| pixel.parse().expect("a number"))
        .collect();
    json!({ "inputs": [{ "name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": pixels }] })
}

/// The rows of one of the example's tables.
fn table(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(digits().join(name)).expect("a table of the example");
    text.lines()
        .skip(1)
        .map(|row| row.split(',').map(str::to_owned).collect())
        .collect()
}

fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/digits")
}
