//! From bytes to a plan: digest, decoding, survey, shapes, and Tract's optimiser.

use std::sync::{Mutex, OnceLock};

use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto};
use tract_onnx::prelude::{
    Datum, DatumType, Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoRunnable,
    OutletId, Symbol, TDim, TVec, ToDim, TractError, TractResult, TypedModel,
};
use tract_onnx::tract_core::ops::cast::wire_cast;
use tract_onnx::tract_hir::infer::Factoid;
use tract_onnx::tract_hir::internal::DimLike;

use super::bfloats::Bfloats;
use super::plans::Pattern;
use super::rows::{Unbatchable, share_a_batch};
use super::{Cause, Loaded, convert, steady, survey};
use crate::limits::MODEL_BYTES_MAX;
use crate::mismatch::Tie;
use crate::operators::{self, Refusal};
use crate::{Digest, Signature, panic};

/// Why a file is not a model that can run here.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "the fields are named as the text of their variant uses them"
)]
pub enum LoadError {
    /// Refused before its digest is computed.
    #[error("the file has {found} bytes, the limit is {max}")]
    TooLarge { found: usize, max: usize },
    /// Another file than the document means; it was not parsed.
    #[error("the file's SHA-256 is {found}, expected {expected}")]
    Digest { expected: Digest, found: Digest },
    /// Not ONNX, or cut short.
    #[error("the file is no ONNX model")]
    Malformed {
        #[source]
        cause: Cause,
    },
    /// The file parses, and holds nothing to run.
    #[error("the model holds no graph with an output")]
    NoOutput,
    #[error("the model has {found} nodes, the limit is {max}")]
    TooManyNodes { found: usize, max: usize },
    #[error("a dimension of input `{input}` has a name of {found} bytes, the limit is {max}")]
    LongDimensionName {
        input: String,
        found: usize,
        max: usize,
    },
    /// Its digest would not cover it.
    #[error("tensor `{tensor}` lies in another file, want all in one")]
    ExternalData { tensor: String },
    #[error("node `{node}` needs operator {operator}, which is not supported")]
    UnsupportedOperator { node: String, operator: String },
    #[error("`{tensor}` is {datatype}, which is not supported")]
    UnsupportedDatatype { tensor: String, datatype: String },
    #[error("input `{input}` declares no datatype or no shape")]
    Undeclared { input: String },
    /// A node of `ai.onnx.ml` is malformed, or does not fit its input.
    #[error("node `{node}` ({operator}) cannot run")]
    Node {
        node: String,
        operator: String,
        #[source]
        cause: Cause,
    },
    /// Tract could not make a plan of it.
    #[error("the model cannot be prepared to run")]
    Unrunnable {
        #[source]
        cause: Cause,
    },
    #[error("preparing the model panicked: {message}")]
    Panicked { message: String },
}

impl LoadError {
    /// What whoever owns the model can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::TooManyNodes { .. } => {
                "serve it from a server, behind an upstream"
            }
            Self::Digest { .. } => "get the right file, or write its digest into `sha256`",
            Self::Malformed { .. } | Self::NoOutput => "export the model again",
            Self::LongDimensionName { .. } => "export it with shorter names of dimensions",
            Self::ExternalData { .. } => "export it with all data in one file",
            Self::UnsupportedOperator { .. } | Self::Node { .. } => {
                "export it without this operator, for another opset perhaps, or serve it from a server"
            }
            Self::UnsupportedDatatype { .. } => "cast it to FP32 or INT64 in the graph",
            Self::Undeclared { .. } => "export it with a datatype and a shape for each input",
            Self::Unrunnable { .. } | Self::Panicked { .. } => {
                "export it with fixed lengths, or simplified (onnxsim), or serve it from a server"
            }
        }
    }
}

impl From<TractError> for LoadError {
    fn from(error: TractError) -> Self {
        match error.downcast::<Refusal>() {
            Ok(Refusal {
                node,
                operator,
                cause,
            }) => Self::Node {
                node,
                operator,
                cause,
            },
            Err(error) => Self::Unrunnable {
                cause: error.into(),
            },
        }
    }
}

pub(super) fn load(bytes: &[u8], expected: Digest) -> Result<Loaded, LoadError> {
    if bytes.len() > MODEL_BYTES_MAX {
        return Err(LoadError::TooLarge {
            found: bytes.len(),
            max: MODEL_BYTES_MAX,
        });
    }
    let found = Digest::of(bytes);
    if found != expected {
        return Err(LoadError::Digest { expected, found });
    }
    panic::contain(|| prepare(bytes, found)).map_err(|message| LoadError::Panicked { message })?
}

fn prepare(bytes: &[u8], digest: Digest) -> Result<Loaded, LoadError> {
    // Declared shapes of inner values clash with Tract's own, once their dimensions have names.
    let mut onnx = tract_onnx::onnx().with_ignore_value_info(true);
    operators::register(&mut onnx);
    let mut proto = decode(&onnx, bytes)?;
    let graph = proto.graph.as_mut();
    let graph = graph.filter(|graph| !graph.output.is_empty());
    let graph = graph.ok_or(LoadError::NoOutput)?;
    survey::survey(&onnx, graph)?;
    let bfloats = Bfloats::widen(graph);
    let graph = proto.graph.as_ref().ok_or(LoadError::NoOutput)?;
    let is_steady = steady::is_steady(graph);
    let mut model = onnx.model_for_proto_model(&proto)?;
    let inputs = declare_inputs(&mut model)?;
    let ties = ties(&inputs);
    let mut signatures: Vec<_> = inputs
        .iter()
        .map(Input::signature)
        .collect::<Result<_, _>>()?;
    bfloats.restore(&mut signatures);
    let typed = count_in_numbers(model.into_typed()?)?;
    let pattern = Pattern::new(&typed, inputs.iter().map(|input| &*input.shape));
    let plan = typed.into_optimized()?;
    let mut outputs = outputs(graph, &plan)?;
    bfloats.restore(&mut outputs);
    let batch = batch(&inputs, &outputs, &plan)?;
    Ok(Loaded {
        digest,
        inputs: signatures,
        outputs,
        ties,
        batch,
        is_steady,
        plan: plan.into_runnable()?,
        pattern: Mutex::new(pattern),
        plans: OnceLock::new(),
    })
}

fn decode(onnx: &tract_onnx::Onnx, mut bytes: &[u8]) -> Result<ModelProto, LoadError> {
    onnx.proto_model_for_read(&mut bytes)
        .map_err(|cause| LoadError::Malformed {
            cause: cause.into(),
        })
}

/// An input as Tract gets it: open dimensions are symbols.
struct Input {
    name: String,
    datatype: DatumType,
    shape: TVec<TDim>,
}

impl Input {
    fn signature(&self) -> Result<Signature, LoadError> {
        signature(self.name.clone(), self.datatype, &self.shape)
    }
}

/// Fixes what the file leaves unsaid of its inputs, so that one plan serves any batch.
fn declare_inputs(model: &mut InferenceModel) -> Result<Vec<Input>, LoadError> {
    let batch = model.symbols.sym("B");
    let outlets = model.input_outlets()?.to_vec();
    let inputs: Vec<_> = outlets
        .iter()
        .map(|outlet| input(model, *outlet, &batch))
        .collect::<Result<_, _>>()?;
    for (index, input) in inputs.iter().enumerate() {
        model.set_input_fact(
            index,
            InferenceFact::dt_shape(input.datatype, input.shape.clone()),
        )?;
    }
    Ok(inputs)
}

/// An unnamed first dimension is the batch, which all inputs share; any other unnamed one is its own.
fn input(model: &InferenceModel, outlet: OutletId, batch: &Symbol) -> Result<Input, LoadError> {
    let name = model.node(outlet.node).name.clone();
    let fact = model.outlet_fact(outlet)?;
    let (Some(datatype), false) = (fact.datum_type.concretize(), fact.shape.is_open()) else {
        return Err(LoadError::Undeclared { input: name });
    };
    let open = |axis| {
        if axis == 0 {
            batch.to_dim()
        } else {
            model.symbols.new_with_prefix("L").to_dim()
        }
    };
    let dimensions = fact.shape.dims().enumerate();
    let shape = dimensions
        .map(|(axis, dimension)| dimension.concretize().unwrap_or_else(|| open(axis)))
        .collect();
    Ok(Input {
        name,
        datatype,
        shape,
    })
}

/// Dimensions of one symbol must have one length.
fn ties(inputs: &[Input]) -> Vec<Tie> {
    let places = || {
        let all = inputs.iter().enumerate();
        all.flat_map(|(index, input)| {
            input
                .shape
                .iter()
                .enumerate()
                .map(move |(axis, length)| ((index, axis), length))
        })
    };
    let first = |wanted| places().find(|(_, length)| *length == wanted);
    let open = places().filter(|(_, length)| length.to_usize().is_err());
    open.filter_map(|(other, length)| first(length).map(|(first, _)| Tie { first, other }))
        .filter(|tie| tie.first != tie.other)
        .collect()
}

/// Makes INT64, which ONNX promises, of outputs that Tract has as symbols: a `Shape` of an open batch.
///
/// Within the plan, as only a run knows how long a symbol is.
fn count_in_numbers(mut model: TypedModel) -> TractResult<TypedModel> {
    let mut outputs = TVec::new();
    for outlet in model.output_outlets()?.to_vec() {
        if model.outlet_fact(outlet)?.datum_type == TDim::datum_type() {
            outputs.extend(wire_cast(
                "output",
                &mut model,
                &[outlet],
                i64::datum_type(),
            )?);
        } else {
            outputs.push(outlet);
        }
    }
    model.select_output_outlets(&outputs)?;
    Ok(model)
}

/// By the names of the file: Tract's own may have changed while it optimised.
fn outputs(graph: &GraphProto, plan: &TypedModel) -> Result<Vec<Signature>, LoadError> {
    let facts = (0..graph.output.len())
        .map(|index| plan.output_fact(index))
        .collect::<TractResult<Vec<_>>>()?;
    let named = graph.output.iter().zip(facts);
    named
        .map(|(output, fact)| {
            let mut signature = signature(output.name.clone(), fact.datum_type, fact.shape.dims())?;
            signature.classes = classes(graph, &output.name);
            Ok(signature)
        })
        .collect()
}

/// Whether requests can be the rows of one, as far as shapes tell.
fn batch(
    inputs: &[Input],
    outputs: &[Signature],
    plan: &TypedModel,
) -> TractResult<Result<(), Unbatchable>> {
    let facts = (0..outputs.len())
        .map(|index| plan.output_fact(index))
        .collect::<TractResult<Vec<_>>>()?;
    let inputs = inputs.iter().map(|it| (&*it.name, &*it.shape));
    let outputs = outputs.iter().zip(facts);
    let outputs = outputs.map(|(output, fact)| (&*output.name, fact.shape.dims()));
    Ok(share_a_batch(&inputs.chain(outputs).collect::<Vec<_>>()))
}

/// The classes of an output that is a map from each to its score, which here is a tensor.
fn classes(graph: &GraphProto, output: &str) -> Vec<String> {
    let gives = |node: &&NodeProto| {
        node.op_type == "ZipMap" && node.output.iter().any(|name| name == output)
    };
    let attributes = graph.node.iter().find(gives).map(|node| &node.attribute);
    let names = |attribute: &AttributeProto| {
        let texts = attribute
            .strings
            .iter()
            .map(|text| String::from_utf8_lossy(text).into_owned());
        let ints = attribute.ints.iter().map(i64::to_string);
        texts.chain(ints).collect::<Vec<_>>()
    };
    attributes.into_iter().flatten().flat_map(names).collect()
}

fn signature(name: String, datum_type: DatumType, shape: &[TDim]) -> Result<Signature, LoadError> {
    let shape = shape.iter().map(|length| length.to_usize().ok()).collect();
    match convert::datatype(datum_type) {
        Some(datatype) => Ok(Signature {
            name,
            datatype,
            shape,
            classes: vec![],
        }),
        None => Err(LoadError::UnsupportedDatatype {
            tensor: name,
            datatype: format!("{datum_type:?}"),
        }),
    }
}
