//! What a model says to requests that fit it, and to those that do not.

use inference::{Datatype, Mismatch, Model, RunError, Signature, Tensor, Values};
use tract_onnx::pb::tensor_proto::DataType;

use crate::digits;
use crate::onnx::{Dim, file, graph, load, node, value};

fn floats(name: &str, shape: &[usize], values: &[f32]) -> Tensor {
    Tensor {
        name: name.into(),
        shape: shape.to_vec(),
        values: Values::Fp32(values.to_vec()),
    }
}

/// `z = x - y`, for any number of rows of two.
fn difference(first: &Dim) -> Model {
    let float = |name| value(name, DataType::Float, &[first.clone(), Dim::Fixed(2)]);
    load(&file(graph(
        &[float("x"), float("y")],
        &[node("Sub", &["x", "y"], "z")],
        float("z"),
    )))
    .unwrap()
}

#[test]
fn inputs_are_told_by_name_whatever_their_order() {
    let (x, y) = (
        floats("x", &[1, 2], &[5.0, 7.0]),
        floats("y", &[1, 2], &[1.0, 2.0]),
    );
    let expected = vec![floats("z", &[1, 2], &[4.0, 5.0])];
    let model = difference(&Dim::Open);
    assert_eq!(model.run(vec![x.clone(), y.clone()]).unwrap(), expected);
    assert_eq!(model.run(vec![y, x]).unwrap(), expected);
}

#[test]
fn a_model_with_an_open_or_a_named_batch_takes_any() {
    for first in [Dim::Open, Dim::named("batch"), Dim::named("N")] {
        let model = difference(&first);
        for rows in [1, 2, 17] {
            let ones = vec![1.0; rows * 2];
            let outputs = model
                .run(vec![
                    floats("x", &[rows, 2], &ones),
                    floats("y", &[rows, 2], &ones),
                ])
                .unwrap();
            assert_eq!(outputs, [floats("z", &[rows, 2], &vec![0.0; rows * 2])]);
        }
    }
}

#[test]
fn inputs_with_batches_of_different_lengths_are_a_mismatch() {
    for first in [Dim::Open, Dim::named("batch")] {
        let inputs = [
            floats("x", &[1, 2], &[0.0; 2]),
            floats("y", &[3, 2], &[0.0; 6]),
        ];
        let mismatch = difference(&first).check(&inputs).unwrap_err();
        assert_eq!(
            mismatch.to_string(),
            "dimension 0 of input `y` is 3, expected 1 as in input `x`"
        );
    }
}

#[test]
fn a_model_with_a_fixed_batch_takes_no_other() {
    let inputs = vec![
        floats("x", &[1, 2], &[0.0; 2]),
        floats("y", &[1, 2], &[0.0; 2]),
    ];
    let error = difference(&Dim::Fixed(3)).run(inputs).unwrap_err();
    let RunError::Mismatch(Mismatch::Shape {
        input,
        expected,
        found,
    }) = error
    else {
        panic!("{error}")
    };
    assert_eq!(
        (input.as_str(), expected, found),
        ("x", vec![Some(3), Some(2)], vec![1, 2])
    );
}

#[test]
fn a_wrong_request_to_the_digits_is_told_what_was_expected() {
    let error = digits::load("better")
        .run(vec![floats("pixels", &[1, 63], &[0.0; 63])])
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "input `pixels` has shape [1, 63], expected [-1,64]"
    );
}

#[test]
fn dimensions_as_an_output_are_numbers_of_64_bits() {
    let input = value("x", DataType::Float, &[Dim::Open, Dim::Fixed(2)]);
    let output = value("y", DataType::Int64, &[Dim::Fixed(2)]);
    let model = load(&file(graph(
        &[input],
        &[node("Shape", &["x"], "y")],
        output,
    )))
    .unwrap();
    assert_eq!(
        model.outputs(),
        [Signature {
            name: "y".into(),
            datatype: Datatype::Int64,
            shape: vec![Some(2)],
            classes: vec![],
        }]
    );
    let outputs = model.run(vec![floats("x", &[3, 2], &[0.0; 6])]).unwrap();
    assert_eq!(
        outputs,
        [Tensor {
            name: "y".into(),
            shape: vec![2],
            values: Values::Int64(vec![3, 2])
        }]
    );
}

/// `Gather` looks up one of three rows, and Tract does not look whether there is such a row.
fn lookup() -> Model {
    let mut graph = graph(
        &[value("at", DataType::Int64, &[Dim::Open])],
        &[node("Gather", &["table", "at"], "y")],
        value("y", DataType::Float, &[Dim::Open]),
    );
    graph.initializer = vec![tract_onnx::pb::TensorProto {
        name: "table".into(),
        dims: vec![3],
        data_type: DataType::Float.into(),
        float_data: vec![10.0, 20.0, 30.0],
        ..Default::default()
    }];
    load(&file(graph)).unwrap()
}

fn index(at: i64) -> Vec<Tensor> {
    vec![Tensor {
        name: "at".into(),
        shape: vec![1],
        values: Values::Int64(vec![at]),
    }]
}

#[test]
fn a_request_that_makes_tract_panic_fails_alone() {
    let model = lookup();
    let error = model.run(index(7)).unwrap_err();
    let expected = "the model panicked: index out of bounds: the len is 3 but the index is 7";
    assert_eq!(error.to_string(), expected);
    assert_eq!(model.run(index(2)).unwrap(), [floats("y", &[1], &[30.0])]);
}
