//! A model is tried before it serves.

use std::time::Duration;

use inference::{Place, Pool, RunError, Tensor, Values};
use tract_onnx::pb::tensor_proto::DataType;

use crate::digits::{load, pixels, traffic};
use crate::onnx::{self, Dim, file, graph, node, value};
use crate::pool::crew;

#[test]
fn a_trial_gives_what_a_run_gives() {
    let model = load("better");
    let image = pixels(&traffic()[..1]);
    let trial = model.try_with(&image).unwrap();
    assert_eq!(trial.outputs, model.run(image).unwrap());
    assert!(trial.cost.time() > Duration::ZERO);
}

#[test]
fn one_row_of_a_model_is_made_up() {
    let trial = load("better").try_without().unwrap();
    let shapes: Vec<_> = trial.outputs.iter().map(|it| it.shape.clone()).collect();
    assert_eq!(shapes, [vec![1], vec![1, 10]]);
}

#[test]
fn open_lengths_are_tried_until_one_runs() {
    let (batch, length) = (Dim::named("batch"), Dim::named("length"));
    let float = |name, shape: &[Dim]| value(name, DataType::Float, shape);
    // Column 200 is there from the third length on.
    let mut column = node("Gather", &["m", "at"], "y");
    column.attribute = vec![{
        let mut axis = onnx::attribute("axis", &onnx::Of::Int(1));
        axis.r#type = 2;
        axis
    }];
    let mut graph = graph(
        &[
            float("x", &[batch.clone(), length.clone()]),
            float("mask", &[batch, length]),
        ],
        &[node("Mul", &["x", "mask"], "m"), column],
        float("y", &[Dim::Open, Dim::Fixed(1)]),
    );
    graph.initializer = vec![tract_onnx::pb::TensorProto {
        name: "at".into(),
        dims: vec![1],
        data_type: DataType::Int64.into(),
        int64_data: vec![200],
        ..Default::default()
    }];
    let trial = onnx::load(&file(graph)).unwrap().try_without().unwrap();
    assert_eq!(trial.outputs[0].shape, [1, 1]);
}

#[test]
fn what_cannot_be_made_up_says_why() {
    let mut graph = graph(
        &[value("at", DataType::Int64, &[Dim::Open])],
        &[node("Gather", &["table", "at"], "y")],
        value("y", DataType::Float, &[Dim::Open]),
    );
    graph.initializer = vec![tract_onnx::pb::TensorProto {
        name: "table".into(),
        dims: vec![1],
        data_type: DataType::Float.into(),
        float_data: vec![10.0],
        ..Default::default()
    }];
    let error = onnx::load(&file(graph)).unwrap().try_without().unwrap_err();
    assert!(matches!(error, RunError::Panicked { .. }), "{error}");
}

#[test]
fn many_rows_are_no_quick_request_and_without_a_cost_none_is() {
    let model = load("better");
    let trial = model.try_with(&pixels(&traffic()[..1])).unwrap();
    let pool = Pool::start(model.clone(), crew(1, 1, None), Some(trial.cost)).unwrap();
    assert!(!pool.is_quick(&pixels(&vec![vec![0.0; 64]; 1000])));
    let pool = Pool::start(model, crew(1, 1, None), None).unwrap();
    assert!(!pool.is_quick(&pixels(&traffic()[..1])));
    assert_eq!(pool.place(), Place::Own);
}

#[test]
fn a_model_whose_work_a_value_decides_is_never_quick() {
    let number = |name: &str, value| tract_onnx::pb::TensorProto {
        name: name.into(),
        data_type: DataType::Int64.into(),
        int64_data: vec![value],
        ..Default::default()
    };
    let mut graph = graph(
        &[value("end", DataType::Int64, &[])],
        &[node("Range", &["zero", "end", "one"], "y")],
        value("y", DataType::Int64, &[Dim::Open]),
    );
    graph.initializer = vec![number("zero", 0), number("one", 1)];
    let model = onnx::load(&file(graph)).unwrap();
    let few = vec![Tensor {
        name: "end".to_owned(),
        shape: vec![],
        values: Values::Int64(vec![3]),
    }];
    let trial = model.try_with(&few).unwrap();
    assert_eq!(trial.outputs[0].values, Values::Int64(vec![0, 1, 2]));
    let pool = Pool::start(model, crew(1, 1, None), Some(trial.cost)).unwrap();
    assert!(!pool.is_quick(&few));
    assert_eq!(pool.place(), Place::Own);
}
