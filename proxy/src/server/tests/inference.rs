//! Inline models over the wire.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{Answer, Wald};

/// The digest of an example's model, as the repository lists it.
pub(super) fn digest(model: &str) -> String {
    let sums = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/digits/SHA256SUMS");
    let sums = std::fs::read_to_string(sums).unwrap();
    let line = sums.lines().find(|line| line.ends_with(model)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

fn digits(more: &str) -> Wald {
    let digest = digest("better.onnx");
    Wald::serve(&format!(
        "version: wald/v1\n\
         listeners: [{{ name: edge, address: '127.0.0.1:0' }}]\n\
         models: [{{ name: digits, version: '7', file: digits/better.onnx, sha256: {digest} }}]\n\
         routes: [{{ name: models, match: {{ path: {{ prefix: /v2 }} }}, allow: [{{ callers: anyone }}], backend: {{ model: digits }} {more} }}]\n"
    ))
}

async fn get(wald: &Wald, path: &str) -> Answer {
    wald.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
        .await
}

pub(super) fn infer(path: &str, body: &str) -> String {
    let mut request = String::new();
    write!(
        request,
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    request
}

/// A request for the model's own first input, all zeros.
async fn zeros(wald: &Wald) -> Value {
    let input = get(wald, "/v2/models/any").await.json()["inputs"][0].clone();
    let shape: Vec<u64> = input["shape"]
        .as_array()
        .unwrap()
        .iter()
        .map(|length| length.as_u64().unwrap_or(1))
        .collect();
    let count = usize::try_from(shape.iter().product::<u64>()).unwrap();
    json!({ "id": "q1", "parameters": { "anything": true }, "inputs": [
        { "name": input["name"], "datatype": input["datatype"], "shape": shape, "data": vec![0; count] }
    ]})
}

#[tokio::test]
async fn the_server_and_its_model_tell_what_they_are() {
    let wald = digits("");
    assert_eq!(get(&wald, "/v2").await.json()["name"], "wald");
    assert_eq!(get(&wald, "/v2/health/live").await.status(), 200);
    assert_eq!(
        get(&wald, "/v2/health/ready").await.json(),
        json!({ "ready": true })
    );
    assert_eq!(
        get(&wald, "/v2/models/any/versions/7/ready").await.json(),
        json!({ "ready": true })
    );
    let metadata = get(&wald, "/v2/models/any").await.json();
    assert_eq!(
        (&metadata["name"], &metadata["versions"]),
        (&json!("digits"), &json!(["7"]))
    );
    assert_eq!(metadata["inputs"][0]["datatype"], "FP32");
    assert_eq!(metadata["inputs"][0]["shape"][0], -1);
}

#[tokio::test]
async fn an_inference_says_which_model_it_came_from() {
    let wald = digits("");
    let answer = wald
        .ask(&infer(
            "/v2/models/any/infer",
            &zeros(&wald).await.to_string(),
        ))
        .await
        .json();
    assert_eq!(
        (
            &answer["model_name"],
            &answer["model_version"],
            &answer["id"]
        ),
        (&json!("digits"), &json!("7"), &json!("q1"))
    );
    let output = &answer["outputs"][0];
    let count = output["shape"]
        .as_array()
        .unwrap()
        .iter()
        .map(|length| length.as_u64().unwrap())
        .product::<u64>();
    assert_eq!(
        output["data"].as_array().unwrap().len() as u64,
        count,
        "{answer}"
    );
}

#[tokio::test]
async fn only_the_outputs_asked_for_are_answered() {
    let wald = digits("");
    let outputs = get(&wald, "/v2/models/any").await.json()["outputs"].clone();
    let last = &outputs.as_array().unwrap().last().unwrap()["name"];
    let mut request = zeros(&wald).await;
    request["outputs"] = json!([{ "name": last }]);
    let answer = wald
        .ask(&infer("/v2/models/any/infer", &request.to_string()))
        .await
        .json();
    let names: Vec<_> = answer["outputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|output| &output["name"])
        .collect();
    assert_eq!(names, [last]);
}

#[tokio::test]
async fn a_mismatch_is_a_problem_that_says_what_was_expected() {
    let wald = digits("");
    let good = zeros(&wald).await;
    for (pointer, wrong, expected) in [
        (
            "/inputs/0/name",
            json!("nobody"),
            good["inputs"][0]["name"].as_str().unwrap(),
        ),
        ("/inputs/0/datatype", json!("INT64"), "FP32"),
        ("/inputs/0/data", json!([1]), "needs"),
        (
            "/inputs",
            json!([]),
            good["inputs"][0]["name"].as_str().unwrap(),
        ),
    ] {
        let mut request = good.clone();
        *request.pointer_mut(pointer).unwrap() = wrong;
        let answer = wald
            .ask(&infer("/v2/models/any/infer", &request.to_string()))
            .await;
        assert_eq!(
            (answer.status(), &answer.json()["code"]),
            (400, &json!("WALD-4204"))
        );
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expected), "{pointer}: {detail}");
    }
}

#[tokio::test]
async fn what_the_protocol_does_not_have_is_not_found() {
    let wald = digits("");
    assert_eq!(
        get(&wald, "/v2/models/any/versions/8").await.json()["code"],
        "WALD-4202"
    );
    assert_eq!(
        get(&wald, "/v2/repository").await.json()["code"],
        "WALD-4201"
    );
    let wrong = get(&wald, "/v2/models/any/infer").await;
    assert_eq!((wrong.status(), wrong.header("allow")), (405, Some("POST")));
}

#[tokio::test]
async fn an_inference_larger_than_the_limit_is_refused() {
    let wald = digits(", limits: { body_bytes: 100 }");
    let answer = wald
        .ask(&infer("/v2/models/any/infer", &" ".repeat(101)))
        .await;
    assert_eq!(
        (answer.status(), &answer.json()["code"]),
        (413, &json!("WALD-4006"))
    );
}
