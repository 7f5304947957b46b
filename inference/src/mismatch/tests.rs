//! What a client is told about tensors that do not fit.

use super::*;

fn signatures() -> Vec<Signature> {
    let signature = |name: &str, datatype, shape: &[Option<usize>]| Signature {
        name: name.to_owned(),
        datatype,
        shape: shape.to_vec(),
        classes: vec![],
    };
    vec![
        signature("pixels", Datatype::Fp32, &[None, Some(4)]),
        signature("words", Datatype::Bytes, &[None, None]),
    ]
}

const SAME_BATCH: Tie = Tie {
    first: (0, 0),
    other: (1, 0),
};

fn pixels(shape: &[usize], count: usize) -> Tensor {
    Tensor {
        name: "pixels".into(),
        shape: shape.to_vec(),
        values: Values::Fp32(vec![0.5; count]),
    }
}

fn words(shape: &[usize], values: &[&[u8]]) -> Tensor {
    let values = Values::Bytes(values.iter().map(|value| value.to_vec()).collect());
    Tensor {
        name: "words".into(),
        shape: shape.to_vec(),
        values,
    }
}

#[track_caller]
fn refused(inputs: &[Tensor], expected: &str) {
    let mismatch = check(&signatures(), &[SAME_BATCH], inputs).expect_err("a mismatch");
    assert_eq!(mismatch.to_string(), expected);
}

#[test]
fn inputs_fit_in_any_order() {
    let inputs = [words(&[2, 1], &[b"a", b"b"]), pixels(&[2, 4], 8)];
    assert_eq!(check(&signatures(), &[SAME_BATCH], &inputs), Ok(()));
}

#[test]
fn a_missing_input_is_named_with_what_it_should_be() {
    refused(
        &[pixels(&[1, 4], 4)],
        "input `words` is missing, expected words BYTES[-1,-1]",
    );
}

#[test]
fn an_unknown_input_is_told_the_known_ones() {
    let stranger = Tensor {
        name: "pixel".into(),
        ..pixels(&[1, 4], 4)
    };
    refused(
        &[stranger],
        "input `pixel` is unknown, expected `pixels` or `words`",
    );
}

#[test]
fn an_input_given_twice_is_refused() {
    let inputs = [
        pixels(&[1, 4], 4),
        words(&[1, 1], &[b"a"]),
        pixels(&[1, 4], 4),
    ];
    refused(&inputs, "input `pixels` is given twice, expected once");
}

#[test]
fn another_datatype_is_refused() {
    let wrong = Tensor {
        values: Values::Int64(vec![0; 4]),
        ..pixels(&[1, 4], 4)
    };
    refused(
        &[wrong, words(&[1, 1], &[b"a"])],
        "input `pixels` is INT64, expected FP32",
    );
}

#[test]
fn another_length_of_a_fixed_dimension_is_refused() {
    let word = words(&[1, 1], &[b"a"]);
    refused(
        &[pixels(&[1, 5], 5), word.clone()],
        "input `pixels` has shape [1, 5], expected [-1,4]",
    );
    refused(
        &[pixels(&[4], 4), word],
        "input `pixels` has shape [4], expected [-1,4]",
    );
}

#[test]
fn an_empty_batch_and_one_above_the_limit_are_refused() {
    let word = words(&[1, 1], &[b"a"]);
    refused(
        &[pixels(&[0, 4], 0), word.clone()],
        "dimension 0 of input `pixels` is 0, expected 1 to 1024",
    );
    refused(
        &[pixels(&[1025, 4], 4100), word],
        "dimension 0 of input `pixels` is 1025, expected 1 to 1024",
    );
}

#[test]
fn a_length_above_the_limit_is_refused() {
    let inputs = [pixels(&[1, 4], 4), words(&[1, 65_537], &[b"a"])];
    refused(
        &inputs,
        "dimension 1 of input `words` is 65537, expected 1 to 65536",
    );
}

#[test]
fn batches_of_different_lengths_are_refused() {
    let inputs = [pixels(&[2, 4], 8), words(&[1, 1], &[b"a"])];
    refused(
        &inputs,
        "dimension 0 of input `words` is 1, expected 2 as in input `pixels`",
    );
}

#[test]
fn too_few_values_are_refused() {
    let inputs = [pixels(&[2, 4], 7), words(&[2, 1], &[b"a", b"b"])];
    refused(
        &inputs,
        "input `pixels` has 7 values, expected 8 for its shape",
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let inputs = [pixels(&[2, 4], 8), words(&[2, 1], &[b"a", b"\xff"])];
    refused(
        &inputs,
        "value 1 of input `words` is not text, expected UTF-8",
    );
}
