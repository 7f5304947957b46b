//! What the demo carries inside the binary: a document, three models, recorded traffic.

/// The document, as it also stands in the examples.
pub(super) const DOCUMENT: &str = include_str!("../../../config/examples/digits/wald.yaml");

/// 8×8 images of handwritten digits with their true labels, none of which the models were trained on.
pub(super) const TRAFFIC: &str = include_str!("../../../config/examples/digits/traffic.csv");

/// The models that the document names, by file name.
pub(super) const MODELS: [(&str, &[u8]); 3] = [
    (
        "baseline.onnx",
        include_bytes!("../../../config/examples/digits/baseline.onnx"),
    ),
    (
        "better.onnx",
        include_bytes!("../../../config/examples/digits/better.onnx"),
    ),
    (
        "worse.onnx",
        include_bytes!("../../../config/examples/digits/worse.onnx"),
    ),
];
