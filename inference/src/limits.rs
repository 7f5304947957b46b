//! How large a model and a request to it may be.

/// The largest model file. The models that Tract runs well are far smaller: MiniLM-L6 has 90 MB.
pub const MODEL_BYTES_MAX: usize = 512 << 20;

/// The most nodes of a graph, those of its subgraphs included. MiniLM-L6 has about 500.
pub const NODES_MAX: usize = 50_000;

/// The longest name of a dimension. Tract parses it as an expression, recursively, so that a file
/// with a very long one would overflow the stack, which no one can catch.
pub const DIMENSION_NAME_BYTES_MAX: usize = 256;

/// The most rows of one request, where the model leaves its first dimension open.
pub const BATCH_MAX: usize = 1024;

/// The longest of any other dimension that the model leaves open, a sequence for example.
pub const LENGTH_MAX: usize = 65_536;
