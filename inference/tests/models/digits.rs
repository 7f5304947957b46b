//! The models of the digits example say what scikit-learn says.

use std::path::{Path, PathBuf};

use inference::{Datatype, Model, Signature, Tensor, Values};
use sha2::{Digest, Sha256};

const NAMES: [&str; 3] = ["baseline", "better", "worse"];

/// What scikit-learn computes with 64-bit floats differs from ONNX's 32-bit ones by less.
const PROBABILITY_TOLERANCE: f32 = 1e-5;

pub(crate) fn load(name: &str) -> Model {
    let bytes = std::fs::read(file(&format!("{name}.onnx"))).unwrap();
    Model::load(&bytes, &Sha256::digest(&bytes).into()).unwrap()
}

pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../config/examples/digits")
        .join(name)
}

pub(crate) fn pixels(images: &[Vec<f32>]) -> Vec<Tensor> {
    vec![Tensor {
        name: "pixels".into(),
        shape: vec![images.len(), 64],
        values: Values::Fp32(images.concat()),
    }]
}

/// The pixels of every image of the traffic.
pub(crate) fn traffic() -> Vec<Vec<f32>> {
    let mut rows = csv::Reader::from_path(file("traffic.csv")).unwrap();
    let first = rows
        .headers()
        .unwrap()
        .iter()
        .position(|column| column == "p0")
        .unwrap();
    rows.records()
        .map(|row| {
            row.unwrap()
                .iter()
                .skip(first)
                .map(|pixel| pixel.parse().unwrap())
                .collect()
        })
        .collect()
}

/// A column of scikit-learn's predictions.
fn predicted<T: std::str::FromStr<Err: std::fmt::Debug>>(column: &str) -> Vec<T> {
    let mut rows = csv::Reader::from_path(file("predictions.csv")).unwrap();
    let index = rows
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == column)
        .unwrap();
    rows.records()
        .map(|row| row.unwrap()[index].parse().unwrap())
        .collect()
}

/// Labels and the probability of each, for as many images as are asked for at once.
fn answers(model: &Model, images: &[Vec<f32>]) -> (Vec<i64>, Vec<f32>) {
    let outputs = model.run(pixels(images)).unwrap();
    let (Values::Int64(labels), Values::Fp32(probabilities)) =
        (&outputs[0].values, &outputs[1].values)
    else {
        unreachable!("the signature of the digits, which has its own test")
    };
    let top = |row: &[f32]| row.iter().copied().fold(0.0, f32::max);
    (
        labels.clone(),
        probabilities.chunks_exact(10).map(top).collect(),
    )
}

#[track_caller]
fn agrees(name: &str, found: &(Vec<i64>, Vec<f32>)) {
    let (labels, probabilities) = found;
    assert_eq!(
        labels,
        &predicted::<i64>(&format!("{name}_label")),
        "labels of {name}"
    );
    let expected: Vec<f32> = predicted(&format!("{name}_probability"));
    assert_eq!(probabilities.len(), expected.len());
    for (image, (found, expected)) in probabilities.iter().zip(&expected).enumerate() {
        assert!(
            (found - expected).abs() < PROBABILITY_TOLERANCE,
            "{name}, image {image}: {found}, not {expected}"
        );
    }
}

#[test]
fn every_model_answers_the_whole_traffic_as_scikit_learn_does() {
    for name in NAMES {
        agrees(name, &answers(&load(name), &traffic()));
    }
}

#[test]
fn one_image_at_a_time_gets_the_same_answers() {
    for name in NAMES {
        let model = load(name);
        let one = |image: Vec<f32>| answers(&model, &[image]);
        let (labels, probabilities): (Vec<_>, Vec<_>) = traffic().into_iter().map(one).unzip();
        agrees(name, &(labels.concat(), probabilities.concat()));
    }
}

#[test]
fn a_model_says_what_it_takes_and_gives() {
    let signature = |name: &str, datatype, shape: &[Option<usize>]| Signature {
        name: name.into(),
        datatype,
        shape: shape.into(),
        classes: vec![],
    };
    for name in NAMES {
        let model = load(name);
        assert_eq!(
            model.inputs(),
            [signature("pixels", Datatype::Fp32, &[None, Some(64)])]
        );
        let outputs = [
            signature("label", Datatype::Int64, &[None]),
            signature("probabilities", Datatype::Fp32, &[None, Some(10)]),
        ];
        assert_eq!(model.outputs(), outputs, "{name}");
    }
}

#[test]
fn the_digests_of_the_example_are_those_of_its_files() {
    let sums = std::fs::read_to_string(file("SHA256SUMS")).unwrap();
    for line in sums.lines() {
        let (expected, name) = line.split_once("  ").unwrap();
        let found: [u8; 32] = Sha256::digest(std::fs::read(file(name)).unwrap()).into();
        assert_eq!(inference::Digest(found).to_string(), expected, "{name}");
    }
    assert_eq!(sums.lines().count(), 5);
}
