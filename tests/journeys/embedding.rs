//! Texts in, embeddings out: MiniLM inside Wald, asked as OpenAI is and over the Open Inference Protocol.

use std::fs;
use std::path::PathBuf;

use http::StatusCode;
use serde_json::{Value, json};
use tests::peer::said;
use tests::{Client, Folder, Wald, document, wald};

/// What `tests/peers/texts.py` wrote.
fn files() -> PathBuf {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../.venv-models/texts"
    ));
    assert!(folder.is_dir(), "{}: `make` writes it", folder.display());
    folder
}

fn expected() -> Value {
    let text = fs::read_to_string(files().join("expected.json")).expect("what is expected");
    serde_json::from_str(&text).expect("JSON")
}

/// The entry of `models` for MiniLM, with more around it.
fn minilm(name: &str, more: &str) -> String {
    let (files, about) = (files(), expected());
    let file = |name: &str| {
        let path = files.join(name);
        format!(
            "file: {}, sha256: {}",
            path.display(),
            about["sha256"][name]
        )
    };
    format!(
        "  - {{ name: {name}, {}, tokenizer: {{ {}, max_tokens: {} }}, {more} }}\n",
        file("model.onnx"),
        file("tokenizer.json"),
        about["max_tokens"],
    )
}

const EMBEDDING: &str = "embedding: { pooling: mean, normalize: true }";

async fn serve() -> Wald {
    let text = document(&format!(
        "models:\n{}routes: [{{ name: texts, allow: [{{ callers: anyone }}], backend: {{ model: minilm }} }}]\n",
        minilm("minilm", EMBEDDING)
    ));
    Wald::run(&Folder::new().write("wald.yaml", text)).await
}

/// The largest difference between numbers and those that are expected.
fn difference(given: &Value, expected: &Value) -> f64 {
    let numbers = |value: &Value| -> Vec<f64> {
        let values = value.as_array().expect("numbers");
        values.iter().filter_map(Value::as_f64).collect()
    };
    let (given, expected) = (numbers(given), numbers(expected));
    assert_eq!(given.len(), expected.len());
    let differences = given.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f64::max)
}

#[tokio::test]
async fn the_openai_client_gets_the_embeddings_of_the_original() {
    let wald = serve().await;
    let base = format!("http://{}/v1", wald.address("edge").await);
    let folder = files();
    let told = said("embeddings.py", &[&base, folder.to_str().expect("text")]);
    let (lines, told_tokens) = told.trim_end().rsplit_once('\n').expect("lines");
    let cases = expected()["cases"].as_array().expect("cases").len();
    let width = expected()["cases"][0]["embedding"]
        .as_array()
        .expect("numbers")
        .len();
    let tokens = &expected()["cases"][0]["tokens"];
    let known = expected()["vocabulary"].clone();
    let answers = format!(
        "\
together True {cases} minilm
tokens True
alone True {width} {tokens}
nearer True
tokens of the client 2 5
refused 400 WALD-4204 `input` is empty, expected one text at least
refused 400 WALD-4204 `dimensions` is 7, expected {width}: embeddings of this model are not cut
refused 400 WALD-4204 text 0 has a token 1073741824, expected less than {known}
models ['minilm']"
    );
    assert_eq!(lines, answers);
    // What the client was told that its answers took is what is counted.
    let counted = format!(
        "wald_tokens_total{{route=\"texts\",backend=\"minilm/1\",arm=\"\",kind=\"input\"}} {}",
        told_tokens.rsplit(' ').next().expect("a number")
    );
    let text = wald.connect("admin").await.get("/metrics").await.text();
    assert!(
        text.lines().any(|line| line == counted),
        "{counted}: {text}"
    );
}

#[tokio::test]
async fn texts_go_in_over_the_open_inference_protocol_and_it_says_so() {
    let wald = serve().await;
    let mut client = wald.connect("edge").await;
    let about = client.get("/v2/models/minilm").await.json();
    assert_eq!(
        about["inputs"],
        json!([{ "name": "text", "datatype": "BYTES", "shape": [-1] }])
    );
    let case = &expected()["cases"][0];
    let asked = json!({ "inputs": [
        { "name": "text", "datatype": "BYTES", "shape": [2], "data": [case["text"], "another"] }
    ]});
    let answer = client.post("/v2/models/minilm/infer", &asked).await.json();
    let [embedding, tokens] = [0, 1].map(|place| answer["outputs"][place].clone());
    assert_eq!(
        (&embedding["name"], &tokens["name"]),
        (&json!("embedding"), &json!("tokens"))
    );
    assert_eq!(tokens["data"][0], case["tokens"]);
    let width = case["embedding"].as_array().expect("numbers").len();
    let first = &embedding["data"].as_array().expect("numbers")[..width];
    assert!(difference(&json!(first), &case["embedding"]) < 1e-4);
}

#[tokio::test]
async fn what_is_no_request_for_embeddings_is_told_why() {
    let wald = serve().await;
    let mut client = wald.connect("edge").await;
    let refused = client.get("/v1/embeddings").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    let check = async |client: &mut Client, body: Value, says: &str| {
        let answer = client.post("/v1/embeddings", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
        let detail = answer.json()["detail"].clone();
        assert!(detail.as_str().expect("text").contains(says), "{detail}");
    };
    check(
        &mut client,
        json!({ "model": "m" }),
        "missing field `input`",
    )
    .await;
    check(&mut client, json!({ "input": 7 }), "a list of texts").await;
    let many = json!({ "input": vec!["a"; 1025] });
    check(&mut client, many, "at most 1024 texts").await;
    let format = json!({ "input": "a", "encoding_format": "int8" });
    check(&mut client, format, "expected `float` or `base64`").await;
}

#[tokio::test]
async fn the_model_in_the_body_chooses_the_route() {
    let text = document(&format!(
        "models:\n{}{}routes:\n{}{}",
        minilm("normal", EMBEDDING),
        minilm("plain", "embedding: { pooling: cls }"),
        "  - { name: first, match: { model: normal }, allow: [{ callers: anyone }], backend: { model: normal } }\n",
        "  - { name: second, match: { model: plain }, allow: [{ callers: anyone }], backend: { model: plain } }\n",
    ));
    let wald = Wald::run(&Folder::new().write("wald.yaml", text)).await;
    let mut client = wald.connect("edge").await;
    for model in ["plain", "normal"] {
        let asked = json!({ "input": "a text", "model": model });
        let answer = client.post("/v1/embeddings", &asked).await.json();
        assert_eq!(answer["model"], model);
        let vector = answer["data"][0]["embedding"].clone();
        let squares = vector
            .as_array()
            .expect("numbers")
            .iter()
            .filter_map(Value::as_f64);
        let length: f64 = squares.map(|value| value * value).sum();
        assert_eq!((length - 1.0).abs() < 1e-3, model == "normal", "{length}");
    }
    let neither = json!({ "input": "a text", "model": "other" });
    let refused = client.post("/v1/embeddings", &neither).await;
    assert_eq!(refused.json()["code"], "WALD-3001");
}

#[tokio::test]
async fn check_names_the_line_of_what_does_not_fit_and_what_to_do() {
    let folder = Folder::new();
    let text = document(&format!(
        "models:\n{}routes: [{{ name: texts, allow: [{{ callers: anyone }}], backend: {{ model: minilm }} }}]\n",
        minilm("minilm", "embedding: { pooling: mean, output: pooled }")
    ));
    let path = folder.write("wald.yaml", text);
    let checked = wald(["check", "-c", path.to_str().expect("text")]).await;
    assert_eq!(checked.code, Some(1));
    let line = checked
        .stdout
        .lines()
        .find(|line| line.contains("model minilm/1"));
    let line = line.expect("a line of the model");
    assert!(
        line.contains("line 7, models[0].embedding: the model has no output `pooled`"),
        "{line}"
    );
    assert!(
        checked.stdout.contains("mend `output`"),
        "{}",
        checked.stdout
    );
    // The same document is not served.
    let mut wald = Wald::launch(&path);
    assert_eq!(wald.ended().await.code(), Some(1));
    assert!(
        wald.said().contains("no output `pooled`"),
        "{}",
        wald.said()
    );
}
