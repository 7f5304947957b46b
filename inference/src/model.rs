//! A loaded model: what it takes, what it gives, and running it.

mod bfloats;
mod convert;
mod load;
mod plans;
mod rows;
mod steady;
mod survey;
mod trial;

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use tract_onnx::prelude::{TValue, TVec, TractResult, TypedRunnableModel};

pub use load::LoadError;
pub use plans::PlanCounts;
pub use rows::Unbatchable;
pub(crate) use rows::{are_alike, join, rows, split};
pub(crate) use survey::name;
pub use trial::{Comparison, Trial};

use plans::{Pattern, Plans};

use crate::mismatch::{self, Tie};
use crate::text::{Ending, Frame, Misfit, Tokenizer};
use crate::{Digest, Mismatch, Signature, Tensor, panic};

/// A model that was checked against its digest and optimised. Cloning it shares it.
#[derive(Clone)]
pub struct Model(Arc<Loaded>, Option<Arc<Frame>>);

struct Loaded {
    digest: Digest,
    inputs: Vec<Signature>,
    outputs: Vec<Signature>,
    ties: Vec<Tie>,
    /// Whether requests can be the rows of one, as far as shapes tell.
    batch: Result<(), Unbatchable>,
    /// Whether what a run takes follows from how many values there are.
    is_steady: bool,
    /// Serves any shape.
    plan: Arc<TypedRunnableModel>,
    /// What plans for a shape of their own would be made of, until a trial finds out whether they are worth it.
    pattern: Mutex<Option<Pattern>>,
    /// Of a model that they make faster.
    plans: OnceLock<Plans>,
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
    /// No request could be made up to try it with.
    #[error("a request that is made up for it would have too many values")]
    Unmade,
    /// Tract panicked; the model goes on serving others.
    #[error("the model panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// Nobody waited for its answer any more when its turn came; it was not run.
    #[error("the deadline passed before the model was free")]
    Late,
}

/// An error of Tract, which has no type of its own.
type Cause = Box<dyn Error + Send + Sync>;

impl RunError {
    /// What went wrong within a frame: the model, or texts that only show as tokens that they do not fit.
    fn of(cause: Cause) -> Self {
        let cause = match cause.downcast::<Self>() {
            Ok(own) => return *own,
            Err(cause) => cause,
        };
        match cause.downcast::<Mismatch>() {
            Ok(mismatch) => Self::Mismatch(*mismatch),
            Err(cause) => Self::Failed { cause },
        }
    }
}

impl Model {
    /// Loads an ONNX file whose SHA-256 must be the expected one; only then is it parsed.
    pub fn load(bytes: &[u8], expected_sha256: &[u8; 32]) -> Result<Self, LoadError> {
        load::load(bytes, Digest(*expected_sha256)).map(|loaded| Self(Arc::new(loaded), None))
    }

    /// The same model with a tokenizer before it and an ending behind it.
    pub fn framed(
        self,
        tokenizer: Option<Tokenizer>,
        ending: Option<Ending>,
    ) -> Result<Self, Misfit> {
        let own = (&self.0.inputs[..], &self.0.outputs[..]);
        let frame = Frame::fit(tokenizer, ending, own)?;
        Ok(Self(self.0, Some(Arc::new(frame))))
    }

    /// The SHA-256 of its file.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What a request must bring.
    pub fn inputs(&self) -> &[Signature] {
        match &self.1 {
            Some(frame) => frame.inputs(),
            None => &self.0.inputs,
        }
    }

    /// What [`Self::run`] gives, in this order.
    pub fn outputs(&self) -> &[Signature] {
        match &self.1 {
            Some(frame) => frame.outputs(),
            None => &self.0.outputs,
        }
    }

    /// Whether what a run takes follows from how many values there are, and not from what they are.
    pub(crate) fn is_steady(&self) -> bool {
        self.0.is_steady
    }

    /// What reads texts for it, if it takes any.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.1.as_ref()?.tokenizer()
    }

    /// What becomes of its outputs, if not they are given.
    pub fn ending(&self) -> Option<&Ending> {
        self.1.as_ref()?.ending()
    }

    /// Inputs of numbers of tokens, text by text, for a model with a tokenizer; none for another.
    pub fn feed(&self, texts: &[Vec<u32>]) -> Result<Vec<Tensor>, Mismatch> {
        match &self.1 {
            Some(frame) => frame.feed(texts),
            None => Ok(Vec::new()),
        }
    }

    /// Whether the model takes these inputs: told by name, so their order is free. One with a tokenizer takes
    /// texts, or tokens that others have made.
    pub fn check(&self, inputs: &[Tensor]) -> Result<(), Mismatch> {
        match self.1.as_ref().filter(|frame| frame.takes_text(inputs)) {
            Some(frame) => {
                mismatch::check(frame.inputs(), &[], inputs)?;
                frame.check_texts(inputs)
            }
            None => mismatch::check(&self.0.inputs, &self.0.ties, inputs),
        }
    }

    /// What the model itself gets of inputs that fit: their tokens, where they are texts.
    fn fed(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        let fed = match &self.1 {
            Some(frame) => panic::contain(|| frame.fed(inputs)),
            None => Ok(Ok(inputs)),
        };
        fed.map_err(|message| RunError::Panicked { message })?
            .map_err(RunError::of)
    }

    /// Checks the inputs, and computes all outputs on the calling thread.
    pub fn run(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        self.check(&inputs)?;
        self.run_checked(inputs)
    }

    /// The same for inputs that are known to fit.
    pub(crate) fn run_checked(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        let Some(frame) = &self.1 else {
            return self.run_bare(inputs);
        };
        let compute = |inputs: Vec<Tensor>| self.run_bare(inputs).map_err(Cause::from);
        panic::contain(|| frame.run(inputs, &compute))
            .map_err(|message| RunError::Panicked { message })?
            .map_err(RunError::of)
    }

    /// The model itself, whatever stands around it.
    fn run_bare(&self, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, RunError> {
        let inputs = self.arranged(inputs);
        let made = self.0.plans.get().and_then(|plans| plans.pick(&inputs));
        self.compute(made.as_ref().unwrap_or(&self.0.plan), inputs)
    }

    /// How its plans for shapes of their own are used, if it has such.
    pub fn plan_counts(&self) -> Option<PlanCounts> {
        self.0.plans.get().map(Plans::counts)
    }

    /// Tract goes by order. Checked inputs have exactly the names of the signatures.
    fn arranged(&self, mut inputs: Vec<Tensor>) -> Vec<Tensor> {
        let place = |name: &str| self.0.inputs.iter().position(|wanted| wanted.name == name);
        inputs.sort_by_key(|input| place(&input.name));
        inputs
    }

    fn compute(
        &self,
        plan: &Arc<TypedRunnableModel>,
        inputs: Vec<Tensor>,
    ) -> Result<Vec<Tensor>, RunError> {
        let outputs = || {
            let inputs = inputs.into_iter().map(convert::to_tract);
            let outputs = plan.run(inputs.collect::<TractResult<TVec<TValue>>>()?)?;
            let named = self.0.outputs.iter().zip(outputs.iter());
            named
                .map(|(signature, value)| convert::from_tract(signature, value))
                .collect::<TractResult<_>>()
        };
        panic::contain(outputs)
            .map_err(|message| RunError::Panicked { message })?
            .map_err(|cause| RunError::Failed {
                cause: cause.into(),
            })
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
