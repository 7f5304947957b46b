//! A look over a parsed file before Tract sees it: limits, and what Tract would not know.
//!
//! Tract itself meets an unknown operator only while it types the graph, and then may name
//! another node; files it could read beside the model are not covered by the model's digest.

use tract_onnx::Onnx;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::tensor_shape_proto::dimension::Value::DimParam;
use tract_onnx::pb::type_proto::Value::TensorType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};

use super::LoadError;
use crate::limits::{DIMENSION_NAME_BYTES_MAX, NODES_MAX};

/// Refuses a graph that is too large, or that holds what cannot run.
pub(super) fn survey(onnx: &Onnx, graph: &GraphProto) -> Result<(), LoadError> {
    let mut survey = Survey { onnx, nodes: 0 };
    survey.graph(graph)
}

struct Survey<'a> {
    onnx: &'a Onnx,
    nodes: usize,
}

impl Survey<'_> {
    fn graph(&mut self, graph: &GraphProto) -> Result<(), LoadError> {
        self.nodes += graph.node.len();
        if self.nodes > NODES_MAX {
            return Err(LoadError::TooManyNodes {
                found: self.nodes,
                max: NODES_MAX,
            });
        }
        graph.input.iter().try_for_each(dimension_names)?;
        graph.initializer.iter().try_for_each(inside)?;
        graph.node.iter().try_for_each(|node| self.node(node))
    }

    fn node(&mut self, node: &NodeProto) -> Result<(), LoadError> {
        if !self.onnx.op_register.0.contains_key(&node.op_type) {
            let operator = operator(node);
            return Err(LoadError::UnsupportedOperator {
                node: name(node),
                operator,
            });
        }
        node.attribute
            .iter()
            .try_for_each(|attribute| self.attribute(attribute))
    }

    /// Operators like `If` and `Loop` carry graphs of their own; the decoder bounds their depth.
    fn attribute(&mut self, attribute: &AttributeProto) -> Result<(), LoadError> {
        attribute
            .t
            .iter()
            .chain(&attribute.tensors)
            .try_for_each(inside)?;
        attribute
            .g
            .iter()
            .chain(&attribute.graphs)
            .try_for_each(|graph| self.graph(graph))
    }
}

/// The name of a node, or of what it gives: exporters leave the first empty.
pub(crate) fn name(node: &NodeProto) -> String {
    if node.name.is_empty() {
        node.output.first().cloned().unwrap_or_default()
    } else {
        node.name.clone()
    }
}

/// With its domain, unless that is ONNX's own.
fn operator(node: &NodeProto) -> String {
    if node.domain.is_empty() {
        node.op_type.clone()
    } else {
        format!("{}.{}", node.domain, node.op_type)
    }
}

fn inside(tensor: &TensorProto) -> Result<(), LoadError> {
    if tensor.data_location == Some(DataLocation::External.into()) {
        return Err(LoadError::ExternalData {
            tensor: tensor.name.clone(),
        });
    }
    Ok(())
}

fn dimension_names(input: &ValueInfoProto) -> Result<(), LoadError> {
    let Some(TensorType(tensor)) = input.r#type.as_ref().and_then(|of| of.value.as_ref()) else {
        return Ok(());
    };
    for dimension in tensor.shape.iter().flat_map(|shape| &shape.dim) {
        if let Some(DimParam(name)) = &dimension.value
            && name.len() > DIMENSION_NAME_BYTES_MAX
        {
            let (input, found) = (input.name.clone(), name.len());
            return Err(LoadError::LongDimensionName {
                input,
                found,
                max: DIMENSION_NAME_BYTES_MAX,
            });
        }
    }
    Ok(())
}
