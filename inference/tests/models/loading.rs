//! What is refused before it runs: other files than meant, hostile files, what Tract does not know.

use inference::{DIMENSION_NAME_BYTES_MAX, LoadError, Model, NODES_MAX};
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{AttributeProto, TensorProto};

use crate::digits;
use crate::onnx::{Dim, file, graph, load, node, value};

fn digits_file(name: &str) -> Vec<u8> {
    std::fs::read(digits::file(name)).unwrap()
}

/// The error, and what caused it, in one line.
fn refusal(bytes: &[u8]) -> String {
    let error = load(bytes).expect_err("a file that is refused");
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}

fn float(name: &str) -> tract_onnx::pb::ValueInfoProto {
    value(name, DataType::Float, &[Dim::Open, Dim::Fixed(2)])
}

#[test]
fn another_file_than_meant_is_refused_with_both_digests() {
    let error = Model::load(b"not the model", &[0xab; 32]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file's SHA-256 is 9165d8b6a043825d90c9b4f1fbad9a82f757dea5a5b7b32f38e99d7aa2ff2eb9, expected \
         abababababababababababababababababababababababababababababababab"
    );
}

#[test]
fn the_digest_is_checked_before_the_file_is_parsed() {
    let error = Model::load(&digits_file("better.onnx"), &[0; 32]).unwrap_err();
    assert!(
        matches!(error, LoadError::Digest { expected, .. } if expected.0 == [0; 32]),
        "{error}"
    );
}

#[test]
fn an_empty_file_is_no_model() {
    assert!(matches!(load(&[]).unwrap_err(), LoadError::NoOutput));
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let whole = digits_file("worse.onnx");
    for length in (0..whole.len()).step_by(7) {
        load(&whole[..length]).expect_err("a file cut short");
    }
}

#[test]
fn random_bytes_are_refused() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for length in 1..200 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| noise(&mut state))
            .take(length)
            .collect();
        load(&bytes).expect_err("random bytes");
    }
}

/// The high byte of xorshift64*.
fn noise(state: &mut u64) -> u8 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
}

/// Most flips only change a weight, and the file still loads; what must not happen is a panic or an abort.
#[test]
fn a_file_with_a_flipped_byte_loads_or_is_refused() {
    let whole = digits_file("worse.onnx");
    let mut refused = 0;
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0xff;
        refused += usize::from(load(&flipped).is_err());
    }
    assert!(
        refused > 100,
        "only {refused} of {} flips were noticed",
        whole.len()
    );
}

#[test]
fn an_unknown_operator_is_named_with_its_node() {
    let nodes = [node("Relu", &["x"], "r"), node("Frobnicate", &["r"], "y")];
    let bytes = file(graph(&[float("x")], &nodes, float("y")));
    assert_eq!(
        refusal(&bytes),
        "node `y_node` needs operator Frobnicate, which is not supported"
    );
}

#[test]
fn an_unknown_operator_inside_a_branch_is_found() {
    let branch = graph(&[], &[node("Frobnicate", &["x"], "b")], float("b"));
    let attribute = |name: &str| AttributeProto {
        name: name.into(),
        g: Some(branch.clone()),
        ..Default::default()
    };
    let mut choice = node("If", &["x"], "y");
    choice.attribute = vec![attribute("then_branch"), attribute("else_branch")];
    let bytes = file(graph(&[float("x")], &[choice], float("y")));
    assert_eq!(
        refusal(&bytes),
        "node `b_node` needs operator Frobnicate, which is not supported"
    );
}

#[test]
fn weights_in_another_file_are_refused() {
    let mut graph = graph(&[float("x")], &[node("Add", &["x", "w"], "y")], float("y"));
    let location = Some(DataLocation::External.into());
    let (name, dims, data_type) = ("w".into(), vec![2], DataType::Float.into());
    graph.initializer = vec![TensorProto {
        name,
        dims,
        data_type,
        data_location: location,
        ..Default::default()
    }];
    assert_eq!(
        refusal(&file(graph)),
        "tensor `w` lies in another file, want all in one"
    );
}

#[test]
fn a_tensor_that_claims_more_than_it_holds_is_refused() {
    let mut graph = graph(&[float("x")], &[node("Add", &["x", "w"], "y")], float("y"));
    let (dims, raw_data) = (vec![1 << 40, 1 << 20], vec![0; 8]);
    let (name, data_type) = ("w".into(), DataType::Float.into());
    graph.initializer = vec![TensorProto {
        name,
        dims,
        data_type,
        raw_data,
        ..Default::default()
    }];
    let refusal = refusal(&file(graph));
    assert!(
        refusal.starts_with("the model cannot be prepared to run: "),
        "{refusal}"
    );
}

#[test]
fn more_nodes_than_the_limit_are_refused() {
    let nodes = vec![node("Relu", &["x"], "y"); NODES_MAX + 1];
    let bytes = file(graph(&[float("x")], &nodes, float("y")));
    assert_eq!(
        refusal(&bytes),
        "the model has 50001 nodes, the limit is 50000"
    );
}

#[test]
fn a_dimension_whose_name_would_overflow_the_parser_is_refused() {
    let name = "(".repeat(1 << 20);
    let input = value("x", DataType::Float, &[Dim::Named(name)]);
    let bytes = file(graph(&[input], &[node("Relu", &["x"], "y")], float("y")));
    let expected = format!(
        "a dimension of input `x` has a name of 1048576 bytes, the limit is {DIMENSION_NAME_BYTES_MAX}"
    );
    assert_eq!(refusal(&bytes), expected);
}

#[test]
fn a_datatype_that_cannot_cross_the_wire_is_refused() {
    let complex = |name| value(name, DataType::Complex64, &[Dim::Open]);
    let nodes = [node("Identity", &["x"], "y")];
    let bytes = file(graph(&[complex("x")], &nodes, complex("y")));
    let refused = refusal(&bytes);
    assert!(refused.contains("Complex64"), "{refused}");
}

#[test]
fn an_input_without_a_shape_is_refused() {
    let mut input = float("x");
    if let Some(tract_onnx::pb::type_proto::Value::TensorType(tensor)) =
        input.r#type.as_mut().and_then(|of| of.value.as_mut())
    {
        tensor.shape = None;
    }
    let bytes = file(graph(&[input], &[node("Relu", &["x"], "y")], float("y")));
    assert_eq!(
        refusal(&bytes),
        "input `x` declares no datatype or no shape"
    );
}

/// Here by an output that no node gives.
#[test]
fn a_file_that_makes_tract_panic_is_refused() {
    let bytes = file(graph(
        &[float("x")],
        &[node("Relu", &["x"], "y")],
        float("z"),
    ));
    assert_eq!(
        refusal(&bytes),
        "preparing the model panicked: no entry found for key"
    );
}
