//! The time that one run of a model takes here and in ONNX Runtime, as a table for docs/models.md.
//!
//! `make models` runs it. Both run on one thread, one after the other, on the same rows.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program whose output is read by whoever started it"
)]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use inference::{Model, Tensor, Values};
use prost::Message;
use sha2::{Digest, Sha256};
use tract_onnx::pb::TensorProto;

const BATCHES: [usize; 3] = [1, 8, 32];
/// For each model and batch; the first tenth warms up.
const TIME: Duration = Duration::from_millis(400);
const CASES: [&str; 14] = [
    "tree",
    "forest-cancer",
    "forest-digits",
    "forest-regressor",
    "extra-trees",
    "boosting-cancer",
    "boosting-digits",
    "histogram-holes",
    "lightgbm-cancer",
    "lightgbm-digits",
    "xgboost-cancer",
    "xgboost-digits",
    "catboost-digits",
    "logistic",
];

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cases = root.join(".venv-models/cases");
    let runtime = runtime(&root, &cases);
    println!("| model | rows | Wald µs | ONNX Runtime µs | Wald / ONNX Runtime |");
    println!("|---|---|---|---|---|");
    for name in CASES {
        let (model, input) = load(&cases.join(name));
        for batch in BATCHES {
            let ours = median(&model, &input, batch);
            let theirs = runtime.get(&(name.to_owned(), batch)).copied().unwrap();
            println!(
                "| {name} | {batch} | {ours:.1} | {theirs:.1} | {:.2} |",
                ours / theirs
            );
        }
    }
}

/// The medians of ONNX Runtime, in microseconds.
fn runtime(root: &Path, cases: &Path) -> HashMap<(String, usize), f64> {
    let output = Command::new(root.join(".venv-models/bin/python"))
        .arg(root.join("tests/peers/timing.py"))
        .arg(cases)
        .args(CASES)
        .output()
        .expect("`make` installs .venv-models");
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let line = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let batch = words[1].parse().unwrap();
        ((words[0].to_owned(), batch), words[2].parse().unwrap())
    };
    lines.lines().map(line).collect()
}

fn load(case: &Path) -> (Model, Tensor) {
    let bytes = std::fs::read(case.join("model.onnx")).unwrap();
    let model = Model::load(&bytes, &Sha256::digest(&bytes).into()).unwrap();
    let input = std::fs::read(case.join("input_0.pb")).unwrap();
    let input = TensorProto::decode(&*input).unwrap();
    let floats = input.raw_data.chunks_exact(4);
    let floats = floats.map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    let input = Tensor {
        name: input.name,
        shape: input
            .dims
            .iter()
            .map(|length| usize::try_from(*length).unwrap())
            .collect(),
        values: Values::Fp32(floats.collect()),
    };
    (model, input)
}

/// The median of many runs, each of other rows, in microseconds.
fn median(model: &Model, input: &Tensor, batch: usize) -> f64 {
    let Values::Fp32(values) = &input.values else {
        unreachable!("every case here has floats")
    };
    let width = input.shape[1];
    let parts: Vec<_> = values.chunks_exact(batch * width).collect();
    let mut times = Vec::new();
    let start = Instant::now();
    for part in parts.iter().cycle() {
        let request = vec![Tensor {
            name: input.name.clone(),
            shape: vec![batch, width],
            values: Values::Fp32(part.to_vec()),
        }];
        let run = Instant::now();
        let answer = model.run(request).unwrap();
        let time = run.elapsed();
        drop(answer);
        if start.elapsed() > TIME / 10 {
            times.push(time);
        }
        if start.elapsed() > TIME {
            break;
        }
    }
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}
