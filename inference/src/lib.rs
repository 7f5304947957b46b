//! A model file becomes a runnable model: loaded, checked, and run by bounded workers.
//!
//! [`Model::load`] turns bytes whose SHA-256 is known beforehand into a [`Model`]; a [`Pool`] runs
//! it on threads of its own, so that no request waits for another's arithmetic on a network
//! thread. Nothing here speaks HTTP or reads a file: bytes come in, [`Tensor`]s go in and out.
//! Tract and the `tokenizers` library compile slowly and are named in this crate only.

// Tract panics on some models and inputs; a process that aborts on panic could not contain them.
#[cfg(panic = "abort")]
compile_error!(
    "inference contains the panics of a model, which needs panic = \"unwind\" in this profile"
);

mod cost;
mod datatype;
mod digest;
mod golden;
mod limits;
mod mismatch;
mod model;
mod operators;
mod panic;
mod pool;
mod signature;
mod tensor;
mod text;

pub use cost::Cost;
pub use datatype::Datatype;
pub use digest::Digest;
pub use golden::{Difference, differences};
pub use limits::{
    BATCH_MAX, DIMENSION_NAME_BYTES_MAX, LENGTH_MAX, MODEL_BYTES_MAX, NODES_MAX, PLANS_MAX,
    QUICK_MAX, SHAPES_MAX, TEXT_BYTES_MAX, TOKENIZER_BYTES_MAX,
};
pub use mismatch::Mismatch;
pub use model::{Comparison, LoadError, Model, PlanCounts, RunError, Trial, Unbatchable};
pub use pool::{BATCH_BOUNDS, Batch, BatchSizes, Crew, Full, Place, Pool, StartError};
pub use signature::Signature;
pub use tensor::{Tensor, Values};
pub use text::{
    Classes, Embedding, Ending, Misfit, Pooling, Scores, TEXT, TOKENS, Tokenizer, TokenizerError,
};
