//! A text encoder as people use it gives the embeddings that ONNX Runtime and the tokenizers package give.
//!
//! `make` has `tests/peers/texts.py` write its files and ask them.

use std::num::NonZeroUsize;
use std::path::Path;

use inference::{Embedding, Ending, Model, Pooling, Tensor, Tokenizer, Values};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::onnx::load;

const TOLERANCE: f64 = 1e-4;

fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv-models/texts");
    std::fs::read(folder.join(name)).expect("`make` writes .venv-models/texts")
}

fn expected() -> Value {
    serde_json::from_slice(&read("expected.json")).unwrap()
}

fn minilm(expected: &Value) -> Model {
    let file = read("tokenizer.json");
    let most = usize::try_from(expected["max_tokens"].as_u64().unwrap()).unwrap();
    let digest = Sha256::digest(&file).into();
    let tokenizer = Tokenizer::load(&file, &digest, NonZeroUsize::new(most)).unwrap();
    let embedding = Embedding {
        pooling: Pooling::Mean,
        normalize: true,
        output: None,
    };
    load(&read("model.onnx"))
        .unwrap()
        .framed(Some(tokenizer), Some(Ending::Embedding(embedding)))
        .unwrap()
}

fn ask(model: &Model, texts: &[&str]) -> (Vec<f32>, Vec<i64>) {
    let text = Tensor {
        name: "text".to_owned(),
        shape: vec![texts.len()],
        values: Values::Bytes(texts.iter().map(|text| text.as_bytes().to_vec()).collect()),
    };
    let given = model.run(vec![text]).unwrap();
    let mut given = given.into_iter().map(|tensor| tensor.values);
    match (given.next(), given.next()) {
        (Some(Values::Fp32(embeddings)), Some(Values::Int64(counts))) => (embeddings, counts),
        other => unreachable!("{other:?}"),
    }
}

#[track_caller]
fn check(case: &Value, embedding: &[f32], count: i64) {
    let text = &case["text"];
    assert_eq!(case["tokens"], count, "{text}");
    let expected = case["embedding"].as_array().unwrap();
    assert_eq!(expected.len(), embedding.len());
    for (expected, given) in expected.iter().zip(embedding) {
        let difference = (expected.as_f64().unwrap() - f64::from(*given)).abs();
        assert!(difference < TOLERANCE, "{difference}: {text}");
    }
}

#[test]
fn embeddings_are_those_of_the_original_alone_and_together() {
    let expected = expected();
    let model = minilm(&expected);
    let cases = expected["cases"].as_array().unwrap();
    let texts: Vec<_> = cases
        .iter()
        .map(|case| case["text"].as_str().unwrap())
        .collect();
    for (case, text) in cases.iter().zip(&texts) {
        let (embedding, counts) = ask(&model, &[text]);
        check(case, &embedding, counts[0]);
    }
    let (embeddings, counts) = ask(&model, &texts);
    let width = embeddings.len() / texts.len();
    for ((case, embedding), count) in cases.iter().zip(embeddings.chunks(width)).zip(counts) {
        check(case, embedding, count);
    }
}
