//! Small ONNX files, written field by field.

use inference::{LoadError, Model};
use prost::Message;
use sha2::{Digest, Sha256};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};
use tract_onnx::pb::{
    self, AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TypeProto, ValueInfoProto,
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

/// What a node says about itself.
#[derive(Clone)]
pub(crate) enum Of<'a> {
    Int(i64),
    Float(f32),
    Text(&'a str),
    Ints(&'a [i64]),
    Floats(&'a [f32]),
    Texts(&'a [&'a str]),
    /// A tensor of one dimension.
    Doubles(&'a [f64]),
    /// A tensor of one dimension.
    Bytes(&'a [u8]),
}

pub(crate) fn attribute(name: &str, of: &Of<'_>) -> AttributeProto {
    let name = name.to_owned();
    let mut attribute = AttributeProto {
        name,
        ..AttributeProto::default()
    };
    match of {
        Of::Int(value) => attribute.i = *value,
        Of::Float(value) => attribute.f = *value,
        Of::Text(value) => attribute.s = value.as_bytes().to_vec(),
        Of::Ints(values) => attribute.ints = values.to_vec(),
        Of::Floats(values) => attribute.floats = values.to_vec(),
        Of::Texts(values) => {
            attribute.strings = values
                .iter()
                .map(|value| value.as_bytes().to_vec())
                .collect();
        }
        Of::Doubles(values) => attribute.t = Some(doubles(values)),
        Of::Bytes(values) => attribute.t = Some(bytes(values)),
    }
    attribute
}

fn doubles(values: &[f64]) -> TensorProto {
    TensorProto {
        dims: vec![values.len().try_into().unwrap()],
        data_type: DataType::Double.into(),
        double_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn bytes(values: &[u8]) -> TensorProto {
    TensorProto {
        dims: vec![values.len().try_into().unwrap()],
        data_type: DataType::Uint8.into(),
        raw_data: values.to_vec(),
        ..TensorProto::default()
    }
}

/// A node of `ai.onnx.ml`.
pub(crate) fn ml(operator: &str, outputs: &[&str], attributes: &[(&str, Of<'_>)]) -> NodeProto {
    let mut node = node(operator, &["x"], "y");
    node.domain = "ai.onnx.ml".into();
    node.output = outputs.iter().copied().map(str::to_owned).collect();
    let attributes = attributes.iter();
    node.attribute = attributes.map(|(name, of)| attribute(name, of)).collect();
    node
}

/// A file of one such node, whose input is given.
pub(crate) fn ml_file(input: ValueInfoProto, node: NodeProto) -> Vec<u8> {
    let outputs = node.output.iter().filter(|name| !name.is_empty());
    let outputs = outputs.map(|name| value(name, DataType::Float, &[Dim::Open]));
    file(GraphProto {
        input: vec![input],
        output: outputs.collect(),
        node: vec![node],
        ..GraphProto::default()
    })
}

/// An error and all that caused it.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
