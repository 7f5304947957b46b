//! Graphs with numbers of BF16, which Tract does not have: they are computed in FP32, and only what goes in and
//! comes out is BF16.
//!
//! Each BF16 is an FP32 whose lower half is zero, so that nothing is lost on the way in; on the way out the nearest
//! one is taken. Between nodes nothing is rounded, where a runtime that computes in BF16 would do so.

use std::collections::BTreeSet;

use half::bf16;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::Value;
use tract_onnx::pb::{AttributeProto, GraphProto, TensorProto, ValueInfoProto};

use crate::{Datatype, Signature};

const NARROW: i32 = DataType::Bfloat16 as i32;
const WIDE: i32 = DataType::Float as i32;

/// Attributes that name a datatype: of casts, and of what makes tensors.
const NAMES_A_DATATYPE: [&str; 2] = ["to", "dtype"];

/// The inputs and outputs of a graph that were BF16.
#[derive(Debug, Default)]
pub(super) struct Bfloats(BTreeSet<String>);

impl Bfloats {
    /// Makes FP32 of every BF16 in a graph.
    pub(super) fn widen(graph: &mut GraphProto) -> Self {
        let mut narrow = BTreeSet::new();
        for value in graph.input.iter_mut().chain(&mut graph.output) {
            if widen_declared(value) {
                narrow.insert(value.name.clone());
            }
        }
        for value in &mut graph.value_info {
            widen_declared(value);
        }
        graph.initializer.iter_mut().for_each(widen_tensor);
        for node in &mut graph.node {
            node.attribute.iter_mut().for_each(widen_attribute);
        }
        Self(narrow)
    }

    /// Says of inputs or outputs that they are BF16 as they were declared.
    pub(super) fn restore(&self, signatures: &mut [Signature]) {
        for signature in signatures {
            if self.0.contains(&signature.name) && signature.datatype == Datatype::Fp32 {
                signature.datatype = Datatype::Bf16;
            }
        }
    }
}

fn widen_declared(value: &mut ValueInfoProto) -> bool {
    let declared = value.r#type.as_mut().and_then(|it| it.value.as_mut());
    match declared {
        Some(Value::TensorType(tensor)) if tensor.elem_type == NARROW => {
            tensor.elem_type = WIDE;
            true
        }
        _ => false,
    }
}

fn widen_attribute(attribute: &mut AttributeProto) {
    if attribute.i == i64::from(NARROW) && NAMES_A_DATATYPE.contains(&attribute.name.as_str()) {
        attribute.i = WIDE.into();
    }
    let tensors = attribute.t.iter_mut().chain(&mut attribute.tensors);
    tensors.for_each(widen_tensor);
    // The decoder bounds how deep graphs lie in graphs.
    for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
        Bfloats::widen(graph);
    }
}

/// Values lie in `raw_data`, two bytes each, or one in the lower half of each number of `int32_data`.
fn widen_tensor(tensor: &mut TensorProto) {
    if tensor.data_type != NARROW {
        return;
    }
    tensor.data_type = WIDE;
    let (raw, rest) = tensor.raw_data.as_chunks();
    // An odd byte is kept, so that Tract refuses what it would have refused.
    let rest = rest.to_vec();
    tensor.raw_data = raw
        .iter()
        .flat_map(|raw| bf16::from_le_bytes(*raw).to_f32().to_le_bytes())
        .chain(rest)
        .collect();
    let numbers = std::mem::take(&mut tensor.int32_data);
    tensor.float_data = numbers.into_iter().map(widen_number).collect();
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the upper half of such a number says nothing"
)]
fn widen_number(number: i32) -> f32 {
    bf16::from_bits(number as u16).to_f32()
}
