//! Another version of a model comes into force: tried first, then for every request at once, and the old one leaves
//! with its last request.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use serde_json::{Value, json};
use tests::{Client, Folder, Verb, Wald, document, until};

const INFER: &str = "/v2/models/digits/infer";
/// What scikit-learn computes with 64-bit floats differs from ONNX's 32-bit ones by less.
const TOLERANCE: f64 = 1e-5;

/// A model of the example, and which columns of its predictions are its own.
#[derive(Clone, Copy)]
struct Version {
    name: &'static str,
    file: &'static str,
    column: usize,
}

const OLD: Version = Version {
    name: "1",
    file: "baseline.onnx",
    column: 1,
};
const NEW: Version = Version {
    name: "2",
    file: "better.onnx",
    column: 3,
};

#[tokio::test]
async fn under_load_a_model_is_replaced_without_a_failed_or_a_mixed_answer() {
    let folder = Folder::new();
    let wald = Wald::run(&folder.write("wald.yaml", serving(OLD, ""))).await;
    let stop = Arc::new(AtomicBool::new(false));
    let edge = wald.address("edge").await;
    let load: Vec<_> = (0..4)
        .map(|_| tokio::spawn(ask_all(edge, Arc::clone(&stop))))
        .collect();
    let mut client = wald.connect("edge").await;
    for version in [NEW, OLD, NEW, OLD, NEW] {
        folder.swap("wald.yaml", serving(version, ""));
        until("the other version serves", async || {
            (served(&mut client).await == version.name).then_some(())
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for asked in load {
        let [old, new] = asked.await.expect("no answer was failed or mixed");
        assert!(old > 0 && new > 0, "{old} of the old one, {new} of the new");
    }
    until("the old ones have left", async || {
        (wald.threads("model-") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_request_of_the_old_version_keeps_it_until_it_is_answered() {
    let folder = Folder::new();
    // The first request waits so long for another.
    let waiting = "batch: { max: 2, wait: 2s }";
    let wald = Wald::run(&folder.write("wald.yaml", serving(OLD, waiting))).await;
    let (images, _) = tables();
    let mut early = wald.connect("edge").await;
    let held = question(&images[0][3..]);
    let held = tokio::spawn(async move { early.post(INFER, &held).await });
    wald.shows("wald_in_flight_requests{route=\"all\"} 1").await;
    folder.swap("wald.yaml", serving(NEW, ""));
    let mut client = wald.connect("edge").await;
    wald.shows("wald_policy_reloads_total{outcome=\"success\"} 1")
        .await;
    until("the new version serves", async || {
        (served(&mut client).await == NEW.name).then_some(())
    })
    .await;
    let answer = held.await.expect("it is answered");
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json()["model_version"], OLD.name);
    until("the old one has left", async || {
        (wald.threads("model-") == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_model_that_answers_its_example_otherwise_does_not_replace_the_old_one() {
    let folder = Folder::new();
    let example = example(&folder, OLD);
    let wald = Wald::run(&folder.write("wald.yaml", serving(OLD, &example))).await;
    // Right for the old model, and so wrong for the new one.
    folder.swap("wald.yaml", serving(NEW, &example));
    wald.shows("wald_policy_reloads_total{outcome=\"failure\"} 1")
        .await;
    let said = wald.said();
    assert!(said.contains("the example gets another answer"), "{said}");
    assert!(said.contains("value 0 of output `label` is"), "{said}");
    let mut client = wald.connect("edge").await;
    assert_eq!(served(&mut client).await, OLD.name);
    let right = self::example(&folder, NEW);
    folder.swap("wald.yaml", serving(NEW, &right));
    until("the new version serves", async || {
        (served(&mut client).await == NEW.name).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_preflight_tries_the_example() {
    let folder = Folder::new();
    let example = example(&folder, OLD);
    let check = async |version| {
        let document = folder.write("wald.yaml", serving(version, &example));
        let said = Verb::new(["check", "-c"]).argument(document).run().await;
        (said.code, said.stdout)
    };
    let (code, said) = check(OLD).await;
    assert!(said.contains("answers its example in "), "{said}");
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = check(NEW).await;
    assert!(said.contains("the example gets another answer"), "{said}");
    assert_eq!(code, Some(1), "{said}");
}

/// An image that both versions read differently as the model's example, with the label that the library gave which
/// trained this one.
fn example(folder: &Folder, version: Version) -> String {
    let (images, predictions) = tables();
    let differ = |said: &Vec<String>| said[OLD.column] != said[NEW.column];
    let number = predictions.iter().position(differ).expect("a better one");
    let file = format!("request-{}.json", version.name);
    folder.write(&file, question(&images[number][3..]).to_string());
    let label: u64 = predictions[number][version.column]
        .parse()
        .expect("a digit");
    let label = json!({ "name": "label", "datatype": "INT64", "shape": [1], "data": [label] });
    format!("example: {{ request: {file}, response: {{ outputs: [{label}] }} }}")
}

/// Asks for every image again and again, until it is told to stop; how many answers were of the old version, and of
/// the new one. Panics at an answer that is no version's.
async fn ask_all(edge: SocketAddr, stop: Arc<AtomicBool>) -> [usize; 2] {
    let (images, predictions) = tables();
    let mut client = Client::open(edge).await;
    let mut counts = [0; 2];
    for (image, predicted) in images.iter().zip(&predictions).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let answer = client.post(INFER, &question(&image[3..])).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let answer = answer.json();
        let version = usize::from(answer["model_version"] == NEW.name);
        let column = [OLD, NEW][version].column;
        let label: u64 = predicted[column].parse().expect("a digit");
        let expected: f64 = predicted[column + 1].parse().expect("a number");
        assert_eq!(answer["outputs"][0]["data"], json!([label]), "{answer}");
        let scores = answer["outputs"][1]["data"].as_array().expect("a list");
        let found = scores.iter().filter_map(Value::as_f64).fold(0.0, f64::max);
        assert!((found - expected).abs() < TOLERANCE, "{answer}");
        counts[version] += 1;
    }
    counts
}

/// Which version answers.
async fn served(client: &mut Client) -> String {
    let (images, _) = tables();
    let answer = client.post(INFER, &question(&images[0][3..])).await;
    let version = &answer.json()["model_version"];
    version.as_str().expect("an answer").to_owned()
}

fn serving(version: Version, fields: &str) -> String {
    let Version { name, file, .. } = version;
    let digests = fs::read_to_string(digits().join("SHA256SUMS")).expect("digests");
    let mut lines = digests.lines().filter_map(|line| line.split_once("  "));
    let digest = lines.find(|(_, of)| *of == file).expect("its digest").0;
    let file = digits().join(file);
    let file = file.display();
    document(&format!(
        "\
models: [{{ name: digits, version: \"{name}\", file: {file}, sha256: \"{digest}\", {fields} }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ model: digits }} }}]
"
    ))
}

fn question(pixels: &[String]) -> Value {
    let number = |pixel: &String| pixel.parse().expect("a number");
    let pixels: Vec<f64> = pixels.iter().map(number).collect();
    json!({ "inputs": [{ "name": "pixels", "datatype": "FP32", "shape": [1, 64], "data": pixels }] })
}

/// The images of the example, and what each model is known to say of them.
fn tables() -> (Vec<Vec<String>>, Vec<Vec<String>>) {
    let table = |name: &str| {
        let text = fs::read_to_string(digits().join(name)).expect("a table of the example");
        let row = |row: &str| row.split(',').map(str::to_owned).collect();
        text.lines().skip(1).map(row).collect()
    };
    (table("traffic.csv"), table("predictions.csv"))
}

fn digits() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/digits")
}
