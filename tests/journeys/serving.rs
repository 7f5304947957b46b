//! What is said to models that run inside beyond JSON of the Open Inference Protocol: tensors in binary, calls of
//! gRPC, tables.

mod calls;

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tests::{Answer, Client, Folder, Reply, Upstream, Wald, document, onnx, until};

const LENGTH: &str = "inference-header-content-length";

/// A wald with this model, whatever else the document has, and a client of its listener.
async fn serve(model: &[u8], rest: &str) -> (Folder, Wald, Client) {
    let folder = Folder::new();
    folder.write("model.onnx", model);
    let sha256 = onnx::sha256(model);
    let models = format!(
        "models: [{{ name: inside, version: \"7\", file: model.onnx, sha256: \"{sha256}\" }}]\n"
    );
    let wald = Wald::run(&folder.write("wald.yaml", document(&(models + rest)))).await;
    let client = wald.connect("edge").await;
    (folder, wald, client)
}

const TO_THE_MODEL: &str =
    "routes: [{ name: all, allow: [{ callers: anyone }], backend: { model: inside } }]\n";

/// Asks with JSON and what follows it in binary.
async fn ask(client: &mut Client, json: &Value, binary: &[u8]) -> Answer {
    let json = json.to_string();
    let length = json.len().to_string();
    let body = [json.as_bytes(), binary].concat();
    let path = "/v2/models/any/infer";
    client
        .send(Method::POST, path, &[(LENGTH, &length)], body.into())
        .await
}

/// The JSON of an answer and what follows it.
fn parts(answer: &Answer) -> (Value, Bytes) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let length = answer.header(LENGTH).parse().expect("a length");
    let (json, binary) = answer.body.split_at(length);
    let json = serde_json::from_slice(json).expect("JSON");
    (json, Bytes::copy_from_slice(binary))
}

/// Two numbers in binary.
fn question(wanted: &Value) -> Value {
    json!({ "id": "q", "inputs": [{
        "name": "x_FP32", "datatype": "FP32", "shape": [1, 2], "parameters": { "binary_data_size": 8 },
    }], "outputs": wanted })
}

fn two(values: [f32; 2]) -> Vec<u8> {
    values.map(f32::to_le_bytes).concat()
}

#[tokio::test]
async fn tensors_in_binary_and_in_json_mix() {
    let model = onnx::echo(&["FP32", "INT16", "BYTES"]);
    let (_folder, _wald, mut client) = serve(&model, TO_THE_MODEL).await;
    let about = client.get("/v2").await.json();
    assert_eq!(
        about["extensions"],
        json!(["binary_tensor_data", "classification"])
    );
    let question = json!({ "id": "7", "parameters": { "binary_data_output": true }, "inputs": [
        { "name": "x_INT16", "datatype": "INT16", "shape": [1, 2], "data": [1, -2] },
        { "name": "x_BYTES", "datatype": "BYTES", "shape": [1, 2], "parameters": { "binary_data_size": 11 } },
        { "name": "x_FP32", "datatype": "FP32", "shape": [1, 2], "parameters": { "binary_data_size": 8 } },
    ], "outputs": [
        { "name": "y_FP32" },
        { "name": "y_INT16", "parameters": { "binary_data": false } },
        { "name": "y_BYTES" },
    ] });
    let (numbers, texts) = (two([0.1, -3.0]), b"\x03\0\0\0cat\0\0\0\0");
    let answer = ask(&mut client, &question, &[&texts[..], &numbers].concat()).await;
    let (json, binary) = parts(&answer);
    assert_eq!(binary, [&numbers[..], texts].concat());
    let size = |name: &str, datatype: &str, size: u64| json!({ "name": name, "datatype": datatype, "shape": [1, 2], "parameters": { "binary_data_size": size } });
    let expected = json!({ "model_name": "inside", "model_version": "7", "id": "7", "outputs": [
        size("y_FP32", "FP32", 8),
        { "name": "y_INT16", "datatype": "INT16", "shape": [1, 2], "data": [1, -2] },
        size("y_BYTES", "BYTES", 11),
    ] });
    assert_eq!(json, expected);
}

#[tokio::test]
async fn each_kind_of_wrong_tensor_is_told_what_was_expected() {
    let (_folder, _wald, mut client) = serve(&onnx::echo(&["FP32"]), TO_THE_MODEL).await;
    let good = question(&json!([]));
    let numbers = two([1.0, 2.0]);
    for (pointer, wrong, expected) in wrong() {
        let mut asked = good.clone();
        *asked.pointer_mut(pointer).expect("it is there") = wrong;
        let answer = ask(&mut client, &asked, &numbers).await;
        check_refused(&answer, expected);
    }
    let short = ask(&mut client, &good, &numbers[..7]).await;
    check_refused(&short, "announces 8 bytes, and 7 are left");
    let long = ask(&mut client, &good, &[&numbers[..], &[0]].concat()).await;
    check_refused(&long, "1 bytes follow the last tensor");
    let (json, binary) = parts(&ask(&mut client, &binary_out(good), &numbers).await);
    assert_eq!((&json["id"], &*binary), (&json!("q"), &*numbers));
}

/// What to put where into a good question, and what is said of it then.
fn wrong() -> [(&'static str, Value, &'static str); 10] {
    let shape = "/inputs/0/shape";
    let datatype = "/inputs/0/datatype";
    [
        (
            shape,
            json!([1, 3]),
            "3 values of 4 bytes each are expected, got 8 bytes",
        ),
        (shape, json!([2, 1]), "has shape [2, 1], expected [-1,2]"),
        (shape, json!([u64::MAX, 2]), "too large"),
        (datatype, json!("FP64"), "2 values of 8 bytes each"),
        (datatype, json!("INT32"), "is INT32, expected FP32"),
        (datatype, json!("FP8"), "expected one of BOOL"),
        ("/inputs/0/name", json!("x"), "input `x` is unknown"),
        (
            "/inputs/0/parameters",
            json!({ "binary_data_size": "8" }),
            "expected usize",
        ),
        ("/inputs/0/parameters", json!({}), "missing field `data`"),
        (
            "/outputs",
            json!([{ "name": "z" }]),
            "output `z` is not known",
        ),
    ]
}

#[track_caller]
fn check_refused(answer: &Answer, expected: &str) {
    let problem = answer.json();
    let (status, code) = (answer.status, &problem["code"]);
    assert_eq!(
        (status, code),
        (StatusCode::BAD_REQUEST, &json!("WALD-4204"))
    );
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(expected), "{expected}: {detail}");
}

fn binary_out(mut question: Value) -> Value {
    question["parameters"] = json!({ "binary_data_output": true });
    question
}

#[tokio::test]
async fn an_encoded_question_is_what_it_stands_for() {
    let (_folder, _wald, mut client) = serve(&onnx::echo(&["FP32"]), TO_THE_MODEL).await;
    let question = json!({ "inputs": [{ "name": "x_FP32", "datatype": "FP32", "shape": [1, 2], "data": [1, 2] }] });
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(question.to_string().as_bytes())
        .expect("memory");
    let encoded = Bytes::from(encoder.finish().expect("memory"));
    let path = "/v2/models/any/infer";
    let mut send = async |coding: &str, body: &Bytes| {
        let headers = [("content-encoding", coding)];
        client
            .send(Method::POST, path, &headers, body.clone())
            .await
    };
    let answer = send("gzip", &encoded).await;
    assert_eq!(answer.json()["outputs"][0]["data"], json!([1.0, 2.0]));
    let refused = send("br", &encoded).await;
    assert_eq!(refused.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(refused.header("accept-encoding"), "gzip, deflate, zstd");
    let broken = send("gzip", &encoded.slice(..20)).await;
    assert_eq!(broken.json()["code"], "WALD-4204");
}

#[tokio::test]
async fn the_best_classes_come_with_their_labels() {
    let model = onnx::classifier(&["cat", "dog", "owl"]);
    let (_folder, _wald, mut client) = serve(&model, TO_THE_MODEL).await;
    let mut question = json!({
        "inputs": [{ "name": "x", "datatype": "FP32", "shape": [2, 3], "data": [0.5, 0.25, 0.75, 3, 2, 1] }],
        "outputs": [{ "name": "y", "parameters": { "classification": 2 } }],
    });
    let answer = client.post("/v2/models/any/infer", &question).await;
    let expected = json!({ "name": "y", "datatype": "BYTES", "shape": [2, 2],
        "data": ["0.75:2:owl", "0.5:0:cat", "3:0:cat", "2:1:dog"] });
    assert_eq!(answer.json()["outputs"][0], expected);
    question["outputs"][0]["parameters"]["classification"] = json!("two");
    let refused = client.post("/v2/models/any/infer", &question).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_table_is_asked_by_the_names_of_its_columns() {
    let (_folder, _wald, mut client) = serve(&onnx::table(), TO_THE_MODEL).await;
    let path = "/v1/models/people/versions/7:predict";
    let rows = json!([{ "age": 3, "sex": "f" }, { "age": 41.5, "sex": "m" }]);
    let told = json!([{ "years": [3.0], "label": ["f"] }, { "years": [41.5], "label": ["m"] }]);
    for form in ["rows", "instances"] {
        let answer = client.post(path, &json!({ form: rows })).await;
        assert_eq!(answer.json(), json!({ "predictions": told }), "{form}");
    }
    let columns = json!({ "inputs": { "age": [3, 41.5], "sex": ["f", "m"] } });
    let answer = client.post(path, &columns).await;
    let outputs = json!({ "years": [[3.0], [41.5]], "label": [["f"], ["m"]] });
    assert_eq!(answer.json(), json!({ "outputs": outputs }));
    let refused = client.post(path, &json!({ "rows": [{ "age": 3 }] })).await;
    assert_eq!(refused.json()["code"], "WALD-4204");
    assert!(
        refused.text().contains("`sex` is missing"),
        "{}",
        refused.text()
    );
    let status = client.get("/v1/models/people").await.json();
    let version = &status["model_version_status"][0];
    assert_eq!(
        (&version["version"], &version["state"]),
        (&json!("7"), &json!("AVAILABLE"))
    );
    let other = client.get("/v1/models/people/versions/8").await;
    assert_eq!(other.json()["code"], "WALD-4202");
}

#[tokio::test]
async fn a_shadow_inside_is_asked_in_binary_what_a_server_was() {
    let server = Upstream::start("server", said([0.25, 8.0])).await;
    let model = onnx::echo(&["FP32"]);
    let (_folder, wald, mut client) = serve(
        &model,
        &format!(
            "\
upstreams: [{{ name: server, endpoints: [{}] }}]
routes:
  - name: all
    allow: [{{ callers: anyone }}]
    backend: {{ upstream: server }}
    shadow: [{{ backend: {{ model: inside }}, compare: {{ only: [/outputs] }} }}]
",
            server.endpoint()
        ),
    )
    .await;
    let asked = binary_out(question(&json!([])));
    ask(&mut client, &asked, &two([0.25, 8.0])).await;
    let seen = compared(&wald, 1).await;
    assert_eq!(seen["agreed"], 1, "{seen}");
    ask(&mut client, &asked, &two([0.25, 9.0])).await;
    let seen = compared(&wald, 2).await;
    let place = json!([{ "at": "/outputs/*/data/*", "disagreements": 1 }]);
    assert_eq!(
        (&seen["agreed"], &seen["fields"]),
        (&json!(1), &place),
        "{seen}"
    );
}

/// An answer of `y_FP32` in JSON, as a server gives it.
fn said(values: [f32; 2]) -> Reply {
    let output = json!({ "name": "y_FP32", "datatype": "FP32", "shape": [1, 2], "data": values });
    let answer = json!({ "model_name": "elsewhere", "outputs": [output] }).to_string();
    Reply::Said(&[("content-type", "application/json")], answer.into())
}

async fn compared(wald: &Wald, count: u64) -> Value {
    until("the answers are compared", async || {
        let seen = wald.ask("/api/v1/shadows").await["shadows"][0].clone();
        (seen["compared"] == count).then_some(seen)
    })
    .await
}
