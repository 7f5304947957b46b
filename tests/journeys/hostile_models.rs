//! Model files that would take down whoever reads them.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::{Folder, Wald, document, wald};

#[tokio::test]
async fn a_file_that_asks_for_more_memory_than_there_is_keeps_its_document_out_of_force() {
    let folder = Folder::new();
    let wald = Wald::run(&folder.write("wald.yaml", serving(&harmless()))).await;
    let mut client = wald.connect("edge").await;
    let hostile = folder.write("hostile.onnx", insatiable());
    folder.swap("wald.yaml", serving(&hostile));
    let refused = wald
        .logged("the reload is refused", |event| {
            event["message"] == "not reloaded; the document before stays in force"
        })
        .await;
    let why = refused["error"].as_str().expect("a reason");
    assert!(why.contains("ended the process that tried"), "{why}");
    let ready = client.get("/v2/models/served/ready").await;
    assert_eq!(ready.status, 200);
}

#[tokio::test]
async fn such_a_file_is_found_by_check() {
    let folder = Folder::new();
    let hostile = folder.write("hostile.onnx", insatiable());
    let document = folder.write("wald.yaml", serving(&hostile));
    let checked = wald(["check", "-c", &document.display().to_string()]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(
        checked.stdout.contains("ended the process that tried"),
        "{checked:?}"
    );
}

fn serving(model: &Path) -> String {
    let sum = Command::new("sha256sum").arg(model).output();
    let sum = String::from_utf8(sum.expect("sha256sum runs").stdout).expect("a digest");
    let digest = sum.split_whitespace().next().expect("a digest");
    document(&format!(
        "\
models: [{{ name: served, file: {}, sha256: \"{digest}\" }}]
routes: [{{ name: all, allow: [{{ callers: anyone }}], backend: {{ model: served }} }}]
",
        model.display()
    ))
}

fn harmless() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/examples/digits/baseline.onnx")
}

/// A few dozen bytes that stand for a constant of 160 GB (onnx.proto: ModelProto, GraphProto, NodeProto,
/// TensorProto, ValueInfoProto).
fn insatiable() -> Vec<u8> {
    let length = 200_000_i64;
    let lengths = [length.to_le_bytes(), length.to_le_bytes()].concat();
    // dims, data_type INT64, name, raw_data
    let lengths = [
        number(1, 2),
        number(2, 7),
        text(8, "lengths"),
        bytes(9, &lengths),
    ];
    let node = |kind: &str, inputs: &[&str], output: &str| {
        let inputs = inputs.iter().flat_map(|name| text(1, name)).collect();
        bytes(1, &[inputs, text(2, output), text(4, kind)].concat())
    };
    // A tensor type of FP32 with one dimension of 1.
    let shape = bytes(2, &bytes(1, &number(1, 1)));
    let kind = bytes(1, &[number(1, 1), shape].concat());
    let value = |name: &str| [text(1, name), bytes(2, &kind)].concat();
    let graph = [
        node("ConstantOfShape", &["lengths"], "constant"),
        node("ReduceSum", &["constant"], "sum"),
        node("Add", &["x", "sum"], "y"),
        text(2, "hostile"),
        bytes(5, &lengths.concat()),
        bytes(11, &value("x")),
        bytes(12, &value("y")),
    ];
    let opset = bytes(8, &number(2, 13));
    [number(1, 8), bytes(7, &graph.concat()), opset].concat()
}

fn number(field: u8, value: u64) -> Vec<u8> {
    [vec![field << 3], varint(value)].concat()
}

fn text(field: u8, value: &str) -> Vec<u8> {
    bytes(field, value.as_bytes())
}

fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
    [
        vec![field << 3 | 2],
        varint(value.len() as u64),
        value.to_vec(),
    ]
    .concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut written = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            written.push(low);
            return written;
        }
        written.push(low | 0x80);
    }
}
