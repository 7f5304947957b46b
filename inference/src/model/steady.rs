//! Whether the time of a run follows from how many values come in, and not from what they are.
//!
//! What a model costs is measured with an example, and taken to grow with the number of values. A graph may break
//! that rule: `Range` counts up to a number that a request brings, `Expand` repeats as often as one says. Such a
//! model may have been quick when it was tried, and take seconds for the next request of the same size.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, NodeProto};

/// Operators that give as much, or run as often, as a value says; and which of their inputs that is.
/// Source: the operators of ONNX's opset 24. Those that only shorten what they get (`NonZero`, `TopK`) are none.
const SIZED_BY: [(&str, &[usize]); 12] = [
    ("AffineGrid", &[1]),
    ("CenterCropPad", &[1]),
    ("Col2Im", &[1]),
    ("ConstantOfShape", &[0]),
    ("Expand", &[1]),
    ("If", &[0]),
    ("OneHot", &[1]),
    ("Pad", &[1]),
    ("Range", &[0, 1, 2]),
    ("Resize", &[2, 3]),
    ("Tile", &[1, 2]),
    ("Upsample", &[1]),
];

/// Runs until its body says that it is enough, which any value may decide.
const ENDS_BY_ITSELF: &str = "Loop";

/// Operators whose answer tells how long something is, whatever it is.
const TELL_LENGTHS: [&str; 2] = ["Shape", "Size"];

/// Whether no value of a request decides how much a run has to do.
pub(super) fn is_steady(graph: &GraphProto) -> bool {
    let mut settled = Settled::default();
    settled.0.insert("");
    settled.follow(graph)
}

/// Names of what no value of a request decides; an input that is left out among them.
#[derive(Default)]
struct Settled<'a>(HashSet<&'a str>);

impl<'a> Settled<'a> {
    /// Looks at one node after the other, as they run: a name that was not given yet is taken for a request's.
    fn follow(&mut self, graph: &'a GraphProto) -> bool {
        let constants = graph.initializer.iter().map(|tensor| &*tensor.name);
        let mut added: Vec<_> = constants.filter(|name| self.0.insert(name)).collect();
        let is_steady = graph.node.iter().all(|node| {
            let is_steady = !self.is_sized_by_a_value(node) && self.are_bodies_steady(node);
            if self.is_settled(node) {
                let outputs = node.output.iter().map(String::as_str);
                added.extend(outputs.filter(|name| self.0.insert(name)));
            }
            is_steady
        });
        // Nobody outside of a body sees its names.
        for name in added {
            self.0.remove(name);
        }
        is_steady
    }

    fn is_sized_by_a_value(&self, node: &NodeProto) -> bool {
        let mut known = SIZED_BY.iter();
        let sizes = known.find(|(operator, _)| *operator == node.op_type);
        let mut names = sizes.into_iter().flat_map(|(_, inputs)| *inputs);
        let is_open = |input: &usize| {
            let name = node.input.get(*input);
            name.is_some_and(|name| !self.0.contains(&**name))
        };
        node.op_type == ENDS_BY_ITSELF || names.any(is_open)
    }

    /// The bodies of `If`, `Loop` and `Scan`.
    fn are_bodies_steady(&mut self, node: &'a NodeProto) -> bool {
        let attributes = node.attribute.iter();
        let mut bodies = attributes.flat_map(|it| it.g.iter().chain(&it.graphs));
        bodies.all(|body| self.follow(body))
    }

    /// Whether no request decides what the node gives. A body may use names that its node does not list.
    fn is_settled(&self, node: &NodeProto) -> bool {
        let mut attributes = node.attribute.iter();
        let has_body = attributes.any(|it| it.g.is_some() || !it.graphs.is_empty());
        let mut inputs = node.input.iter();
        TELL_LENGTHS.contains(&&*node.op_type)
            || !has_body && inputs.all(|name| self.0.contains(&**name))
    }
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{AttributeProto, TensorProto, ValueInfoProto};

    use super::*;

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: operator.into(),
            input: inputs.iter().copied().map(str::to_owned).collect(),
            output: vec![output.into()],
            ..NodeProto::default()
        }
    }

    /// A graph with the input `x` and the constant `c`.
    fn graph(nodes: Vec<NodeProto>) -> GraphProto {
        GraphProto {
            input: vec![ValueInfoProto {
                name: "x".into(),
                ..ValueInfoProto::default()
            }],
            initializer: vec![TensorProto {
                name: "c".into(),
                ..TensorProto::default()
            }],
            node: nodes,
            ..GraphProto::default()
        }
    }

    #[track_caller]
    fn check(nodes: Vec<NodeProto>, expected: bool) {
        assert_eq!(is_steady(&graph(nodes)), expected);
    }

    #[test]
    fn what_a_value_sizes_is_not_steady() {
        check(vec![node("Range", &["c", "x", "c"], "y")], false);
        check(vec![node("Expand", &["c", "x"], "y")], false);
        check(vec![node("Expand", &["x", "c"], "y")], true);
        check(vec![node("Loop", &["c", "", "c"], "y")], false);
        check(vec![node("MatMul", &["x", "c"], "y")], true);
    }

    #[test]
    fn a_length_is_no_value() {
        let shape = node("Shape", &["x"], "s");
        let half = node("Div", &["s", "c"], "h");
        check(vec![shape, half, node("Expand", &["x", "h"], "y")], true);
        let cast = node("Cast", &["x"], "n");
        check(vec![cast, node("Expand", &["x", "n"], "y")], false);
    }

    #[test]
    fn a_body_sees_what_is_outside_and_is_looked_into() {
        let scanned = |body: Vec<NodeProto>| {
            let body = AttributeProto {
                name: "body".into(),
                g: Some(GraphProto {
                    node: body,
                    ..GraphProto::default()
                }),
                ..AttributeProto::default()
            };
            NodeProto {
                attribute: vec![body],
                ..node("Scan", &["x"], "y")
            }
        };
        check(vec![scanned(vec![node("Tile", &["x", "c"], "t")])], true);
        check(vec![scanned(vec![node("Tile", &["c", "x"], "t")])], false);
        let outside = node("Expand", &["x", "inside"], "z");
        check(
            vec![scanned(vec![node("Neg", &["c"], "inside")]), outside],
            false,
        );
    }
}
