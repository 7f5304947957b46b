//! A loaded model: what it takes, what it gives, and running it.

mod convert;
mod load;
mod survey;

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tract_onnx::prelude::{TValue, TVec, TractResult, TypedRunnableModel};

pub use load::LoadError;
pub(crate) use survey::name;

use crate::mismatch::{self, Tie};
use crate::{Digest, Mismatch, Signature, Tensor, panic};

/// A model that was checked against its digest and optimised. Cloning it shares it.
#[derive(Clone)]
pub struct Model(Arc<Loaded>);

struct Loaded {
    digest: Digest,
    inputs: Vec<Signature>,
    outputs: Vec<Signature>,
    ties: Vec<Tie>,
    plan: Arc<TypedRunnableModel>,
}

/// Why a model gave no answer to a request.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The request's inputs are not what the model takes.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// Tract could not compute it.
    #[error("the model cannot compute these inputs")]
    Failed {
        /// What Tract said.
        #[source]
        cause: Cause,
    },
    /// Tract panicked; the model goes on serving others.
    #[error("the model panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
}

/// An error of Tract, which has no type of its own.
type Cause = Box<dyn Error + Send + Sync>;

impl Model {
    /// Loads an ONNX file whose SHA-256 must be the expected one; only then is it parsed.
    pub fn load(bytes: &[u8], expected_sha256: &[u8; 32]) -> Result<Self, LoadError> {
        load::load(bytes, Digest(*expected_sha256)).map(|loaded| Self(Arc::new(loaded)))
    }

    /// The SHA-256 of its file.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What a request must bring.
    pub fn inputs(&self) -> &[Signature] {
        &self.0.inputs
    }

    /// What [`Self::run`] gives, in this order.
    pub fn outputs(&self) -> &[Signature] {
        &self.0.outputs
    }

    /// Whether the model takes these inputs: told by name, so their order is free.
    pub fn check(&self, inputs: &[Tensor]) -> Result<(), Mismatch> {
        mismatch::check(&self.0.inputs, &self.0.ties, inputs)
    }

    /// Checks the inputs, and computes all outputs on the calling thread.
    pub fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        self.check(&inputs)?;
        panic::contain(|| self.compute(inputs))
            .map_err(|message| RunError::Panicked { message })?
            .map_err(|cause| RunError::Failed {
                cause: cause.into(),
            })
    }

    fn compute(&self, mut inputs: Vec<Tensor>) -> TractResult<Vec<Tensor>> {
        let place = |name: &str| self.0.inputs.iter().position(|wanted| wanted.name == name);
        // Tract goes by order. Checked inputs have exactly the names of the signatures.
        inputs.sort_by_key(|input| place(&input.name));
        let inputs: TVec<TValue> = inputs
            .into_iter()
            .map(convert::to_tract)
            .collect::<TractResult<_>>()?;
        let outputs = self.0.plan.run(inputs)?;
        let named = self.0.outputs.iter().zip(outputs.iter());
        named
            .map(|(signature, value)| convert::from_tract(&signature.name, value))
            .collect()
    }
}

/// Signatures only: a plan of Tract prints every node.
impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Loaded {
            digest,
            inputs,
            outputs,
            ..
        } = &*self.0;
        let mut model = formatter.debug_struct("Model");
        model
            .field("digest", digest)
            .field("inputs", inputs)
            .field("outputs", outputs)
            .finish_non_exhaustive()
    }
}
