//! Models that run inside.

use std::time::Duration;

use super::*;
use crate::{Batch, ExampleBody, Model};

const FILE: &str = "file: digits-9.onnx";

fn with(fields: &str) -> Model {
    let policy = sample::policy(&[(FILE, &format!("{FILE}, {fields}"))]);
    (*policy.models()[0]).clone()
}

#[test]
fn requests_run_together_where_it_says_so_and_wait_for_nobody() {
    assert_eq!(with("threads: 1").batch, None);
    let Batch { max, wait } = with("batch: { max: 16 }").batch.unwrap();
    assert_eq!((max.get(), wait), (16, Duration::ZERO));
    let batch = with("batch: { max: 2, wait: 500us }").batch.unwrap();
    assert_eq!(batch.wait, Duration::from_micros(500));
    for max in ["0", "1", "1025"] {
        let new = format!("{FILE}, batch: {{ max: {max} }}");
        refused(code::OUT_OF_RANGE, "models[0].batch.max", FILE, &new);
    }
}

#[test]
fn an_example_is_a_file_or_written_out() {
    let example = with("example: { request: r.json, response: { outputs: [1.5] } }").example;
    let example = example.unwrap();
    let ExampleBody::File(path) = &example.request else {
        panic!("{example:?}")
    };
    assert!(path.ends_with("r.json"));
    let written = ExampleBody::Written(r#"{"outputs":[1.5]}"#.to_owned());
    assert_eq!(example.response, Some(written));
    assert!((example.tolerance - 1e-4).abs() < 1e-12);
    let loose = with("example: { request: r.json, tolerance: 0.1 }").example;
    assert!((loose.unwrap().tolerance - 0.1).abs() < 1e-12);
    let new = format!("{FILE}, example: {{ request: r.json, tolerance: 1.5 }}");
    refused(
        code::OUT_OF_RANGE,
        "models[0].example.tolerance",
        FILE,
        &new,
    );
}
