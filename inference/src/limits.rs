//! How large a model and a request to it may be, and how long it may keep others waiting.

use std::time::Duration;

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

/// The longest that a run may keep a thread that serves requests. To hand a request to another thread and its answer
/// back takes about 10 µs of both on two cores, and a request that finds it busy waits no longer than for its
/// neighbour's JSON.
pub const QUICK_MAX: Duration = Duration::from_micros(50);

/// The most plans that a model has for shapes of their own. Each holds the weights once more, in the order in which
/// it needs them.
pub const PLANS_MAX: usize = 8;

/// The most shapes that a model remembers to have been asked for.
pub const SHAPES_MAX: usize = 64;

/// The largest file of a tokenizer. Those of a quarter of a million tokens have 17 MB.
pub const TOKENIZER_BYTES_MAX: usize = 64 << 20;

/// The longest text of a request to a model with a tokenizer. It is read before it is cut, which takes about fifty
/// times its size.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
