//! Models as files, through the crate's public face.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, outside any #[test]"
)]

mod batches;
mod columns;
mod digits;
mod exports;
mod halves;
mod loading;
mod minilm;
mod onnx;
mod pool;
mod running;
mod text;
mod trees;
mod trying;
