//! Texts in, embeddings and labels out, by a tokenizer and a model that are small enough to check by hand.

use std::num::NonZeroUsize;

use inference::{
    Classes, Datatype, Embedding, Ending, Misfit, Mismatch, Model, Pooling, RunError, Scores,
    TEXT_BYTES_MAX, Tensor, Tokenizer, TokenizerError, Values,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{NodeProto, TensorProto, ValueInfoProto};

use crate::onnx::{Dim, file, graph, load, node, value};

/// What each token is, in the order of their numbers; each has a vector of two.
const WORDS: [(&str, [f32; 2]); 7] = [
    ("[PAD]", [1000.0, 1000.0]),
    ("[UNK]", [0.0, 8.0]),
    ("[CLS]", [0.0, 0.0]),
    ("[SEP]", [0.0, 0.0]),
    ("red", [3.0, 0.0]),
    ("green", [0.0, 3.0]),
    ("blue", [6.0, 6.0]),
];

/// Lower case, words at spaces, `[CLS]` before and `[SEP]` behind.
fn written(truncation: &Value) -> Value {
    let vocab: serde_json::Map<_, _> = WORDS
        .iter()
        .enumerate()
        .map(|(number, (word, _))| ((*word).to_owned(), json!(number)))
        .collect();
    let special = |token: &str, id: u32| json!({ "id": token, "ids": [id], "tokens": [token] });
    let sequence = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let around = |token: &str| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    json!({
        "version": "1.0",
        "truncation": truncation,
        "padding": null,
        "added_tokens": [],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [around("[CLS]"), sequence, around("[SEP]")],
            "pair": [around("[CLS]"), sequence, around("[SEP]")],
            "special_tokens": { "[CLS]": special("[CLS]", 2), "[SEP]": special("[SEP]", 3) },
        },
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" },
    })
}

fn read(file: &Value, max_tokens: usize) -> Result<Tokenizer, TokenizerError> {
    let bytes = file.to_string().into_bytes();
    let digest = Sha256::digest(&bytes).into();
    Tokenizer::load(&bytes, &digest, NonZeroUsize::new(max_tokens))
}

fn tokenizer() -> Tokenizer {
    read(&written(&Value::Null), 6).unwrap()
}

fn table() -> TensorProto {
    TensorProto {
        name: "table".to_owned(),
        dims: vec![7, 2],
        data_type: DataType::Float.into(),
        float_data: WORDS.iter().flat_map(|(_, vector)| *vector).collect(),
        ..TensorProto::default()
    }
}

fn tokens(name: &str, rows: Dim, length: Dim) -> ValueInfoProto {
    value(name, DataType::Int64, &[rows, length])
}

/// Gives the vector of each token, and nodes that make something of these.
fn looking_up(inputs: &[ValueInfoProto], nodes: &[NodeProto], output: ValueInfoProto) -> Model {
    let mut all = vec![node("Gather", &["table", "input_ids"], "hidden")];
    all.extend_from_slice(nodes);
    let mut graph = graph(inputs, &all, output);
    let axes = TensorProto {
        name: "axes".to_owned(),
        dims: vec![1],
        data_type: DataType::Int64.into(),
        int64_data: vec![1],
        ..TensorProto::default()
    };
    graph.initializer = vec![table(), axes];
    load(&file(graph)).unwrap()
}

fn hidden() -> ValueInfoProto {
    value(
        "hidden",
        DataType::Float,
        &[Dim::Open, Dim::Open, Dim::Open],
    )
}

/// One vector for each token of rows of any number and length.
fn encoder() -> Model {
    let inputs = ["input_ids", "attention_mask"]
        .map(|name| tokens(name, Dim::named("batch"), Dim::named("length")));
    looking_up(&inputs, &[], hidden())
}

fn mean() -> Ending {
    Ending::Embedding(Embedding {
        pooling: Pooling::Mean,
        normalize: false,
        output: None,
    })
}

fn texts(texts: &[&str]) -> Vec<Tensor> {
    vec![Tensor {
        name: "text".to_owned(),
        shape: vec![texts.len()],
        values: Values::Bytes(texts.iter().map(|text| text.as_bytes().to_vec()).collect()),
    }]
}

fn floats(tensor: &Tensor) -> &[f32] {
    match &tensor.values {
        Values::Fp32(values) => values,
        other => unreachable!("{other:?}"),
    }
}

#[track_caller]
fn check(model: &Model, asked: &[&str], embeddings: &[[f32; 2]], counts: &[i64]) {
    let given = model.run(texts(asked)).unwrap();
    assert_eq!(floats(&given[0]), embeddings.concat());
    assert_eq!(given[1].values, Values::Int64(counts.to_vec()));
}

#[test]
fn texts_become_embeddings_whatever_stands_beside_them() {
    let model = encoder().framed(Some(tokenizer()), Some(mean())).unwrap();
    let names =
        |all: &[inference::Signature]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(model.inputs()), ["text BYTES[-1]"]);
    assert_eq!(
        names(model.outputs()),
        ["embedding FP32[-1,2]", "tokens INT64[-1]"]
    );
    check(&model, &["RED"], &[[1.0, 0.0]], &[3]);
    check(
        &model,
        &["red", "green blue", "", "grün"],
        &[[1.0, 0.0], [1.5, 2.25], [0.0, 0.0], [0.0, 8.0 / 3.0]],
        &[3, 4, 2, 3],
    );
}

#[test]
fn a_long_text_is_cut_to_what_is_declared() {
    let model = encoder().framed(Some(tokenizer()), Some(mean())).unwrap();
    // Six tokens with [CLS] and [SEP].
    check(&model, &["red red red red blue blue"], &[[2.0, 0.0]], &[6]);
    let other = written(&json!({
        "direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0
    }));
    let written = other.to_string().into_bytes();
    let digest = Sha256::digest(&written).into();
    let tokenizer = Tokenizer::load(&written, &digest, None).unwrap();
    let model = encoder().framed(Some(tokenizer), Some(mean())).unwrap();
    check(&model, &["red blue blue"], &[[1.0, 0.0]], &[3]);
}

#[test]
fn many_texts_come_back_in_the_order_in_which_they_were_asked() {
    let model = encoder().framed(Some(tokenizer()), Some(mean())).unwrap();
    let asked: Vec<_> = (0..1024)
        .map(|index| ["red", "green blue", "blue blue blue blue"][index % 3])
        .collect();
    let alone = [[1.0, 0.0], [1.5, 2.25], [4.0, 4.0]];
    let given = model.run(texts(&asked)).unwrap();
    for (index, embedding) in floats(&given[0]).chunks(2).enumerate() {
        assert_eq!(embedding, alone[index % 3], "{index}");
    }
}

#[test]
fn tokens_that_others_have_made_are_taken_too() {
    let model = encoder().framed(Some(tokenizer()), Some(mean())).unwrap();
    let input = |name: &str, values: Vec<i64>| Tensor {
        name: name.to_owned(),
        shape: vec![2, 3],
        values: Values::Int64(values),
    };
    let ids = input("input_ids", vec![2, 4, 3, 6, 0, 0]);
    let mask = input("attention_mask", vec![1, 1, 1, 1, 0, 0]);
    let given = model.run(vec![mask, ids]).unwrap();
    assert_eq!(floats(&given[0]), [1.0, 0.0, 6.0, 6.0]);
    assert_eq!(given[1].values, Values::Int64(vec![3, 1]));
    let fed = model.feed(&[vec![2, 4, 3], vec![6]]).unwrap();
    assert_eq!(model.run(fed).unwrap(), given);
}

#[test]
fn tokens_that_the_tokenizer_does_not_have_are_refused() {
    let model = encoder().framed(Some(tokenizer()), Some(mean())).unwrap();
    let refused = |tokens: &[u32]| model.feed(&[vec![4], tokens.to_vec()]).unwrap_err();
    assert!(matches!(
        refused(&[4, 7]),
        Mismatch::UnknownToken {
            index: 1,
            found: 7,
            known: 7
        }
    ));
    for tokens in [&[][..], &[4; 7]] {
        assert!(matches!(
            refused(tokens),
            Mismatch::TokenCount {
                index: 1,
                max: 6,
                ..
            }
        ));
    }
}

#[test]
fn other_inputs_are_told_that_texts_are_expected() {
    let model = encoder().framed(Some(tokenizer()), Some(mean())).unwrap();
    let nothing = model.check(&[]).unwrap_err().to_string();
    assert_eq!(nothing, "input `text` is missing, expected text BYTES[-1]");
    let long = "a".repeat(TEXT_BYTES_MAX + 1);
    assert!(matches!(
        model.check(&texts(&["a", &long])),
        Err(Mismatch::LongText { index: 1, .. })
    ));
    let half = Tensor {
        values: Values::Bytes(vec![vec![0xff]]),
        ..texts(&[""]).remove(0)
    };
    assert!(matches!(
        model.check(&[half]),
        Err(Mismatch::NotText { .. })
    ));
}

#[test]
fn without_an_ending_the_models_own_outputs_are_given() {
    let model = encoder().framed(Some(tokenizer()), None).unwrap();
    let given = model.run(texts(&["red", "red green"])).unwrap();
    assert_eq!(
        (&*given[0].name, &given[0].shape[..]),
        ("hidden", &[2, 4, 2][..])
    );
    assert_eq!(
        &floats(&given[0])[..8],
        [0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1000.0, 1000.0]
    );
    assert_eq!(given[1].values, Values::Int64(vec![3, 4]));
}

#[test]
fn a_model_of_one_row_and_one_length_is_fed_row_by_row() {
    let inputs =
        ["input_ids", "attention_mask"].map(|name| tokens(name, Dim::Fixed(1), Dim::Fixed(5)));
    let model = looking_up(&inputs, &[], hidden());
    let longer = model.clone().framed(Some(tokenizer()), Some(mean()));
    assert_eq!(
        longer.unwrap_err(),
        Misfit::TooLong {
            max_tokens: 6,
            length: 5
        }
    );
    let tokenizer = read(&written(&Value::Null), 0).unwrap();
    let model = model.framed(Some(tokenizer), Some(mean())).unwrap();
    check(
        &model,
        &["red red red red red", "green"],
        &[[1.8, 0.0], [0.0, 1.0]],
        &[5, 3],
    );
}

#[test]
fn a_classifier_tells_labels_and_scores() {
    let inputs = [tokens("input_ids", Dim::Open, Dim::named("length"))];
    let sum = node("ReduceSum", &["hidden", "axes"], "sum");
    let squeezed = node("Squeeze", &["sum", "axes"], "logits");
    let logits = value("logits", DataType::Float, &[Dim::Open, Dim::Fixed(2)]);
    let model = looking_up(&inputs, &[sum, squeezed], logits);
    let ending = |labels: &[&str]| {
        Some(Ending::Classes(Classes {
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            scores: Scores::Softmax,
        }))
    };
    let misfit = model.clone().framed(None, ending(&["one"])).unwrap_err();
    assert!(matches!(
        misfit,
        Misfit::Labels {
            labels: 1,
            columns: 2,
            ..
        }
    ));
    let model = model
        .framed(Some(tokenizer()), ending(&["reddish", "greenish"]))
        .unwrap();
    assert_eq!(model.outputs()[1].classes, ["reddish", "greenish"]);
    let given = model.run(texts(&["green red", "green green"])).unwrap();
    let labels = ["reddish", "greenish"].map(|label| label.as_bytes().to_vec());
    assert_eq!(given[0].values, Values::Bytes(labels.to_vec()));
    // e^6 / (e^6 + e^0)
    let expected = [0.5, 0.5, 0.002_472_623, 0.997_527_4];
    let differs = |(one, other): (&f32, &f32)| (one - other).abs() > 1e-6;
    assert!(
        !floats(&given[1]).iter().zip(&expected).any(differs),
        "{given:?}"
    );
}

#[test]
fn what_a_tokenizer_cannot_feed_is_a_misfit() {
    let pixels = value("pixels", DataType::Float, &[Dim::Open, Dim::Fixed(2)]);
    let relu = node("Relu", &["pixels"], "out");
    let out = value("out", DataType::Float, &[Dim::Open, Dim::Fixed(2)]);
    let image = load(&file(graph(&[pixels], &[relu], out))).unwrap();
    assert_eq!(
        image.framed(Some(tokenizer()), None).unwrap_err(),
        Misfit::OtherInput {
            input: "pixels".to_owned()
        }
    );
    let endless = read(&written(&Value::Null), 0).unwrap();
    assert_eq!(
        encoder().framed(Some(endless), None).unwrap_err(),
        Misfit::NoLength
    );
    let short = read(&written(&Value::Null), 2).unwrap();
    assert_eq!(
        encoder().framed(Some(short), None).unwrap_err(),
        Misfit::TooShort {
            max_tokens: 2,
            added: 2
        }
    );
    let pooled = Ending::Embedding(Embedding {
        pooling: Pooling::None,
        normalize: true,
        output: None,
    });
    let misfit = encoder()
        .framed(Some(tokenizer()), Some(pooled))
        .unwrap_err();
    let told = "the model has no output like FP32[-1,-1], it has hidden FP32[-1,-1,2]";
    assert_eq!(misfit.to_string(), told);
    assert_eq!(encoder().inputs()[0].datatype, Datatype::Int64);
}

#[test]
fn a_text_without_tokens_is_refused_and_its_neighbours_are_not_blamed() {
    let mut bare = written(&Value::Null);
    bare["post_processor"] = Value::Null;
    let model = encoder()
        .framed(Some(read(&bare, 6).unwrap()), Some(mean()))
        .unwrap();
    let refused = model.run(texts(&["red", " "])).unwrap_err();
    assert!(matches!(
        refused,
        RunError::Mismatch(Mismatch::TokenCount {
            index: 1,
            found: 0,
            ..
        })
    ));
}

#[test]
fn another_file_than_the_expected_one_is_not_parsed() {
    let bytes = written(&Value::Null).to_string().into_bytes();
    assert!(matches!(
        Tokenizer::load(&bytes, &[0; 32], None),
        Err(TokenizerError::Digest { .. })
    ));
    let (nothing, digest) = (b"{}", Sha256::digest(b"{}").into());
    assert!(matches!(
        Tokenizer::load(nothing, &digest, None),
        Err(TokenizerError::Malformed { .. })
    ));
}

/// Every byte of a file is changed in turn: each file reads texts, or is refused, and the process goes on.
#[test]
fn a_damaged_file_is_refused_or_reads_texts() {
    let whole = written(&json!({
        "direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0
    }));
    let whole = whole.to_string().into_bytes();
    let mut refused = 0;
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x11;
        let digest = Sha256::digest(&bytes).into();
        let read = Tokenizer::load(&bytes, &digest, None)
            .map_err(|error| error.to_string())
            .and_then(|it| {
                let framed = encoder().framed(Some(it), Some(mean()));
                framed.map_err(|misfit| misfit.to_string())
            })
            .and_then(|model| {
                let given = model.run(texts(&["red green", "blue"]));
                given.map_err(|error| error.to_string())
            });
        refused += usize::from(read.is_err());
    }
    assert!(refused > whole.len() / 2, "{refused} of {}", whole.len());
}
