//! Models with a tokenizer, an embedding or labels.

use std::path::Path;

use super::*;
use crate::{Ending, Labels, Model, Pooling, Scores};

const FILE: &str = "file: digits-9.onnx";
const DIGEST: &str = "000000000000000000000000000000000000000000000000000000000000000b";

fn model(more: &str) -> Model {
    let policy = sample::policy(&[(FILE, &format!("{FILE}, {more}"))]);
    (*policy.models()[0]).clone()
}

#[track_caller]
fn refused_behind(code: Code, path: &str, more: &str) {
    refused(
        code,
        &format!("models[0].{path}"),
        FILE,
        &format!("{FILE}, {more}"),
    );
}

#[test]
fn a_tokenizer_and_an_embedding_are_what_is_written() {
    let model = model(&format!(
        "tokenizer: {{ file: t.json, sha256: \"{DIGEST}\", max_tokens: 256 }}, embedding: {{ pooling: mean, normalize: true }}"
    ));
    let tokenizer = model.tokenizer.unwrap();
    assert_eq!(tokenizer.file, Path::new("/bank/t.json"));
    assert_eq!(tokenizer.max_tokens.map(NonZeroUsize::get), Some(256));
    assert_eq!(tokenizer.sha256[31], 11);
    assert_eq!(
        model.ending.as_deref(),
        Some(&Ending::Embedding {
            pooling: Pooling::Mean,
            normalize: true,
            output: None
        })
    );
}

#[test]
fn labels_are_listed_or_in_a_file() {
    let listed = model("labels: [no, yes], scores: softmax").ending;
    assert_eq!(
        listed.as_deref(),
        Some(&Ending::Classes {
            labels: Labels::Listed(vec!["no".to_owned(), "yes".to_owned()]),
            scores: Scores::Softmax
        })
    );
    let filed = model(&format!("labels: {{ file: l.txt, sha256: \"{DIGEST}\" }}")).ending;
    assert!(matches!(
        filed.as_deref(),
        Some(Ending::Classes {
            labels: Labels::File { .. },
            scores: Scores::AsGiven
        })
    ));
    assert_eq!(model("threads: 1").ending, None);
}

#[test]
fn what_makes_no_sense_together_is_refused() {
    refused_behind(
        code::BAD_MODEL,
        "labels",
        "embedding: { pooling: cls }, labels: [a]",
    );
    refused_behind(
        code::BAD_MODEL,
        "scores",
        "embedding: { pooling: none }, scores: sigmoid",
    );
    refused_behind(code::NOTHING_THERE, "labels", "labels: []");
    refused_behind(code::DUPLICATE_NAME, "labels[1]", "labels: [a, a]");
    refused_behind(
        code::BAD_DIGEST,
        "tokenizer.sha256",
        "tokenizer: { file: t.json, sha256: 12 }",
    );
    refused_behind(
        code::BAD_DIGEST,
        "labels.sha256",
        "labels: { file: l.txt, sha256: 12 }",
    );
    refused_behind(
        code::OUT_OF_RANGE,
        "tokenizer.max_tokens",
        &format!("tokenizer: {{ file: t.json, sha256: \"{DIGEST}\", max_tokens: 0 }}"),
    );
}

#[test]
fn whatever_stands_around_a_model_is_a_part_of_what_is_compared() {
    let definition = |more: &str| {
        let written = format!("{FILE}{more}");
        sample::policy(&[(FILE, &written)]).experiments()[1].definition
    };
    let tokenizer = |digest: &str| {
        format!(
            ", tokenizer: {{ file: t.json, sha256: \"{digest}\" }}, embedding: {{ pooling: mean }}"
        )
    };
    let others = [
        String::new(),
        tokenizer(DIGEST),
        tokenizer(&"1".repeat(64)),
        tokenizer(DIGEST).replace("mean", "cls"),
        ", labels: [no, yes]".to_owned(),
        ", labels: [yes, no]".to_owned(),
        ", labels: [no, yes], scores: softmax".to_owned(),
    ];
    let definitions: Vec<_> = others.iter().map(|more| definition(more)).collect();
    for (place, one) in definitions.iter().enumerate() {
        assert_eq!(*one, definition(&others[place]));
        assert!(!definitions[..place].contains(one), "{}", others[place]);
    }
}
