//! Small ONNX files, in the bytes of protobuf.
//!
//! Source: `onnx.proto` of ONNX (IR version 8), whose field numbers these are.

use aws_lc_rs::digest::{SHA256, digest};

/// The datatypes of the Open Inference Protocol, by their names there and their numbers in ONNX.
pub const DATATYPES: [(&str, u64); 14] = [
    ("BOOL", 9),
    ("UINT8", 2),
    ("UINT16", 4),
    ("UINT32", 12),
    ("UINT64", 13),
    ("INT8", 3),
    ("INT16", 5),
    ("INT32", 6),
    ("INT64", 7),
    ("FP16", 10),
    ("BF16", 16),
    ("FP32", 1),
    ("FP64", 11),
    ("BYTES", 8),
];

/// A model that gives back what it gets: for each of these datatypes an input `x_FP32` and an output `y_FP32`, of
/// rows of two.
pub fn echo(datatypes: &[&str]) -> Vec<u8> {
    let (mut nodes, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    for (name, number) in DATATYPES {
        if datatypes.contains(&name) {
            let (from, to) = (format!("x_{name}"), format!("y_{name}"));
            nodes.extend(message(1, &node("Identity", "", &from, &to, &[])));
            inputs.extend(message(11, &value(&from, number, &["rows", "2"])));
            outputs.extend(message(12, &value(&to, number, &["rows", "2"])));
        }
    }
    model(&[nodes, inputs, outputs].concat())
}

/// A classifier that takes the scores of its classes, rows of `x`, and gives them as `y`.
pub fn classifier(classes: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = classes
        .iter()
        .flat_map(|it| message(9, it.as_bytes()))
        .collect();
    let attribute = [message(1, b"classlabels_strings"), names, number(20, 8)].concat();
    let width = classes.len().to_string();
    let shape = ["rows", &*width];
    let graph = [
        message(1, &node("ZipMap", "ai.onnx.ml", "x", "y", &attribute)),
        message(11, &value("x", 1, &shape)),
        message(12, &value("y", 1, &shape)),
    ];
    model(&graph.concat())
}

/// A table of the columns `age` (FP32) and `sex` (BYTES), which it gives back as `years` and `label`.
pub fn table() -> Vec<u8> {
    let column = |name: &str, datatype| value(name, datatype, &["rows", "1"]);
    let graph = [
        message(1, &node("Identity", "", "age", "years", &[])),
        message(1, &node("Identity", "", "sex", "label", &[])),
        message(11, &column("age", 1)),
        message(11, &column("sex", 8)),
        message(12, &column("years", 1)),
        message(12, &column("label", 8)),
    ];
    model(&graph.concat())
}

/// What a document says of a file.
pub fn sha256(file: &[u8]) -> String {
    let digest = digest(&SHA256, file);
    digest
        .as_ref()
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect()
}

fn model(graph: &[u8]) -> Vec<u8> {
    let opset = |domain: &[u8], version| [message(1, domain), number(2, version)].concat();
    [
        number(1, 8),
        message(7, &[graph, &message(2, b"graph")].concat()),
        message(8, &opset(b"", 18)),
        message(8, &opset(b"ai.onnx.ml", 3)),
    ]
    .concat()
}

fn node(operator: &str, domain: &str, from: &str, to: &str, attribute: &[u8]) -> Vec<u8> {
    let mut node = [
        message(1, from.as_bytes()),
        message(2, to.as_bytes()),
        message(4, operator.as_bytes()),
        message(7, domain.as_bytes()),
    ]
    .concat();
    if !attribute.is_empty() {
        node.extend(message(5, attribute));
    }
    node
}

/// Lengths that are no numbers are names: the request chooses.
fn value(name: &str, datatype: u64, shape: &[&str]) -> Vec<u8> {
    let dimension = |length: &&str| match length.parse() {
        Ok(length) => message(1, &number(1, length)),
        Err(_) => message(1, &message(2, length.as_bytes())),
    };
    let shape: Vec<u8> = shape.iter().flat_map(dimension).collect();
    let tensor = [number(1, datatype), message(2, &shape)].concat();
    let of = message(1, &tensor);
    [message(1, name.as_bytes()), message(2, &of)].concat()
}

/// A field that is a number.
fn number(field: u8, value: u64) -> Vec<u8> {
    [varint(u64::from(field) << 3), varint(value)].concat()
}

/// A field that has a length.
fn message(field: u8, content: &[u8]) -> Vec<u8> {
    let length = varint(content.len() as u64);
    [&varint(u64::from(field) << 3 | 2)[..], &length, content].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        let [low, ..] = value.to_le_bytes();
        bytes.push(low | 0x80);
        value >>= 7;
    }
    let [last, ..] = value.to_le_bytes();
    bytes.push(last);
    bytes
}
