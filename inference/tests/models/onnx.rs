//! Small ONNX files, written field by field.

use inference::{LoadError, Model};
use prost::Message;
use sha2::{Digest, Sha256};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};
use tract_onnx::pb::{
    self, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TypeProto, ValueInfoProto,
};

/// A length that is fixed, named or left out.
#[derive(Clone)]
pub(crate) enum Dim {
    Fixed(i64),
    Named(String),
    Open,
}

impl Dim {
    pub(crate) fn named(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

pub(crate) fn value(name: &str, datatype: DataType, shape: &[Dim]) -> ValueInfoProto {
    let dim = shape.iter().cloned().map(dimension).collect();
    let tensor = pb::type_proto::Tensor {
        elem_type: datatype.into(),
        shape: Some(pb::TensorShapeProto { dim }),
    };
    let of = TypeProto {
        value: Some(pb::type_proto::Value::TensorType(tensor)),
        ..TypeProto::default()
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(of),
        ..ValueInfoProto::default()
    }
}

fn dimension(dim: Dim) -> Dimension {
    let value = match dim {
        Dim::Fixed(length) => Some(Value::DimValue(length)),
        Dim::Named(name) => Some(Value::DimParam(name)),
        Dim::Open => None,
    };
    Dimension {
        value,
        ..Dimension::default()
    }
}

pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: format!("{output}_node"),
        op_type: operator.into(),
        input: inputs.iter().copied().map(str::to_owned).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

pub(crate) fn graph(
    inputs: &[ValueInfoProto],
    nodes: &[NodeProto],
    output: ValueInfoProto,
) -> GraphProto {
    GraphProto {
        input: inputs.to_vec(),
        node: nodes.to_vec(),
        output: vec![output],
        ..GraphProto::default()
    }
}

pub(crate) fn file(graph: GraphProto) -> Vec<u8> {
    let opset = OperatorSetIdProto {
        version: 18,
        ..OperatorSetIdProto::default()
    };
    ModelProto {
        ir_version: 8,
        opset_import: vec![opset],
        graph: Some(graph),
        ..ModelProto::default()
    }
    .encode_to_vec()
}

/// Loads bytes as their owner would: by their own digest.
pub(crate) fn load(bytes: &[u8]) -> Result<Model, LoadError> {
    Model::load(bytes, &Sha256::digest(bytes).into())
}
