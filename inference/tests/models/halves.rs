//! Numbers of 16 bits: FP16, and BF16, which is computed in FP32.

use half::{bf16, f16};
use inference::{Datatype, Tensor, Values};
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, TensorProto};

use crate::onnx::{Dim, file, graph, load, node, value};

const ROWS_OF_TWO: [Dim; 2] = [Dim::Open, Dim::Fixed(2)];

fn tensor(name: &str, values: Values) -> Tensor {
    Tensor {
        name: name.to_owned(),
        shape: vec![1, 2],
        values,
    }
}

#[test]
fn fp16_is_computed_and_answered_in_fp16() {
    let half = |name| value(name, DataType::Float16, &ROWS_OF_TWO);
    let model = load(&file(graph(
        &[half("x")],
        &[node("Add", &["x", "x"], "y")],
        half("y"),
    )))
    .unwrap();
    let types = [&model.inputs()[0], &model.outputs()[0]].map(|it| it.datatype);
    assert_eq!(types, [Datatype::Fp16; 2]);
    let given = model.run(vec![tensor(
        "x",
        Values::Fp16(vec![f16::from_f32(0.1), f16::MAX]),
    )]);
    let twice = vec![f16::from_f32(0.1) + f16::from_f32(0.1), f16::INFINITY];
    assert_eq!(given.unwrap(), [tensor("y", Values::Fp16(twice))]);
}

/// `y = cast(x) + [1, 0.5]`, where all is BF16, and the constant is written as `write` does.
fn shifted(write: impl Fn(&mut TensorProto, [bf16; 2])) -> GraphProto {
    let narrow = |name| value(name, DataType::Bfloat16, &ROWS_OF_TWO);
    let mut shift = TensorProto {
        name: "shift".to_owned(),
        dims: vec![2],
        data_type: DataType::Bfloat16.into(),
        ..TensorProto::default()
    };
    write(&mut shift, [bf16::ONE, bf16::from_f32(0.5)]);
    let mut cast = node("Cast", &["x"], "cast");
    cast.attribute = vec![AttributeProto {
        name: "to".to_owned(),
        r#type: AttributeType::Int.into(),
        i: i64::from(DataType::Bfloat16 as i32),
        ..AttributeProto::default()
    }];
    let nodes = [cast, node("Add", &["cast", "shift"], "y")];
    let mut graph = graph(&[narrow("x")], &nodes, narrow("y"));
    graph.initializer = vec![shift];
    graph
}

#[track_caller]
fn check(write: impl Fn(&mut TensorProto, [bf16; 2])) {
    let model = load(&file(shifted(write))).unwrap();
    let types = [&model.inputs()[0], &model.outputs()[0]].map(|it| it.datatype);
    assert_eq!(types, [Datatype::Bf16; 2]);
    let narrow = |values: [f32; 2]| Values::Bf16(values.map(bf16::from_f32).to_vec());
    let given = model.run(vec![tensor("x", narrow([2.0, 0.25]))]).unwrap();
    assert_eq!(given, [tensor("y", narrow([3.0, 0.75]))]);
    let wide = model.run(vec![tensor("x", Values::Fp32(vec![2.0, 0.25]))]);
    let told = wide.unwrap_err().to_string();
    assert_eq!(told, "input `x` is FP32, expected BF16");
}

#[test]
fn bf16_is_taken_and_answered_where_a_graph_declares_it() {
    check(|shift, values| {
        shift.raw_data = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
    });
    check(|shift, values| {
        shift.int32_data = values.iter().map(|value| value.to_bits().into()).collect();
    });
}

#[test]
fn a_constant_of_bf16_that_is_cut_off_is_refused() {
    let cut = shifted(|shift, _| shift.raw_data = vec![0, 0, 1]);
    assert!(load(&file(cut)).is_err());
}
