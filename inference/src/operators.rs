//! The operators of `ai.onnx.ml`, with which trees, linear models and their encoders are exported.
//!
//! Tract brings a few of them, slow or wrong: ours replace those and add the others. Each reads
//! its node into a checked form, says what it gives for which inputs, and compiles to a kernel.

mod attributes;
mod encoding;
mod extracting;
mod labels;
mod linear;
mod real;
mod rows;
mod scaling;
mod scores;
mod svm;
mod trees;

use std::fmt;
use std::sync::Arc;

use tract_onnx::Onnx;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::NodeProto;
use tract_onnx::prelude::{
    DatumType, InferenceFact, OutletId, TDim, TVec, TractError, TractResult,
};
use tract_onnx::prelude::{InferenceModel, SpecialOps, TValue, TypedFact, TypedModel};
use tract_onnx::tract_core::internal::{
    DatumTypeExt, EvalContext, EvalOp, Op, StaticName, TypedOp, as_op, bail, not_a_typed_op,
    not_out_of_plan, op_as_typed_op, op_out_of_plan,
};
use tract_onnx::tract_hir::infer::{Factoid, InferenceOp};
use tract_onnx::tract_hir::internal::{HashMap, InferenceNode};

use attributes::Attributes;

/// Their domain; an operator of the same name in another one is another operator.
const DOMAIN: &str = "ai.onnx.ml";

/// Adds our operators to those that Tract knows, in the place of its own of the same name.
pub(crate) fn register(onnx: &mut Onnx) {
    let register = &mut onnx.op_register;
    register.insert(
        "ArrayFeatureExtractor",
        build::<extracting::ArrayFeatureExtractor>,
    );
    register.insert("Binarizer", build::<scaling::Binarizer>);
    register.insert("CategoryMapper", build::<encoding::CategoryMapper>);
    register.insert("FeatureVectorizer", build::<scaling::FeatureVectorizer>);
    register.insert("Imputer", build::<scaling::Imputer>);
    register.insert("LabelEncoder", build::<encoding::LabelEncoder>);
    register.insert("LinearClassifier", build::<linear::Classifier>);
    register.insert("LinearRegressor", build::<linear::Regressor>);
    register.insert("Normalizer", build::<scaling::Normalizer>);
    register.insert("OneHotEncoder", build::<encoding::OneHotEncoder>);
    register.insert("SVMClassifier", build::<svm::Classifier>);
    register.insert("SVMRegressor", build::<svm::Regressor>);
    register.insert("Scaler", build::<scaling::Scaler>);
    register.insert("TreeEnsemble", build::<trees::Arrays>);
    register.insert("TreeEnsembleClassifier", build::<trees::Classifier>);
    register.insert("TreeEnsembleRegressor", build::<trees::Regressor>);
    register.insert("ZipMap", build::<scaling::ZipMap>);
}

/// An operator as its node declares it.
trait Operator: fmt::Debug + Send + Sync + 'static {
    /// Reads a node, and refuses one that could not be computed.
    fn read(node: &Attributes<'_>) -> TractResult<Self>
    where
        Self: Sized;

    /// What each output is, for inputs like these.
    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>>;

    /// How to compute inputs like these.
    fn compile(&self, inputs: &[Fact]) -> TractResult<Kernel>;
}

/// Computes all outputs of a node.
type Kernel = Arc<dyn Fn(&[TValue]) -> TractResult<TVec<TValue>> + Send + Sync>;

/// What is known of a tensor before it is there.
#[derive(Clone, Debug)]
struct Fact {
    datum_type: DatumType,
    shape: TVec<TDim>,
}

impl Fact {
    fn new(datum_type: DatumType, shape: impl IntoIterator<Item = TDim>) -> Self {
        let shape = shape.into_iter().collect();
        Self { datum_type, shape }
    }
}

impl From<&TypedFact> for Fact {
    fn from(fact: &TypedFact) -> Self {
        Self::new(fact.datum_type, fact.shape.iter().cloned())
    }
}

/// A node that cannot run, and why.
#[derive(Debug, thiserror::Error)]
#[error("node `{node}` ({operator}) cannot run")]
pub(crate) struct Refusal {
    pub(crate) node: String,
    pub(crate) operator: String,
    #[source]
    pub(crate) cause: Box<dyn std::error::Error + Send + Sync>,
}

fn build<O: Operator>(
    context: &ParsingContext<'_>,
    node: &NodeProto,
) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    let outputs = node.output.iter().enumerate();
    let wanted = outputs.filter(|(_, name)| !name.is_empty());
    let place = Place {
        node: crate::model::name(node),
        operator: node.op_type.clone(),
        wanted: wanted.map(|(index, _)| index).collect(),
    };
    let read = || {
        if node.domain != DOMAIN {
            bail!("it is of the domain `{}`, not {DOMAIN}", node.domain);
        }
        O::read(&Attributes { context, node })
    };
    let operator = Arc::new(place.refuse(read())?);
    let declared = Declared {
        place: Arc::new(place),
        operator,
    };
    Ok((Box::new(declared), vec![]))
}

/// Where an operator stands, and which of its outputs have a name: Tract counts only those.
#[derive(Debug)]
struct Place {
    node: String,
    operator: String,
    wanted: Vec<usize>,
}

impl Place {
    fn refuse<T>(&self, outcome: TractResult<T>) -> TractResult<T> {
        outcome.map_err(|cause| {
            TractError::from(Refusal {
                node: self.node.clone(),
                operator: self.operator.clone(),
                cause: cause.into(),
            })
        })
    }

    fn facts(&self, operator: &dyn Operator, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let facts = self.refuse(operator.facts(inputs))?;
        self.refuse(self.pick(&facts))
    }

    fn pick<T: Clone>(&self, outputs: &[T]) -> TractResult<TVec<T>> {
        let picked = self.wanted.iter().map(|index| outputs.get(*index).cloned());
        match picked.collect() {
            Some(picked) => Ok(picked),
            None => bail!("it names more than {} outputs", outputs.len()),
        }
    }
}

/// The operator in the graph that Tract infers types and shapes of.
#[derive(Clone, Debug)]
struct Declared {
    place: Arc<Place>,
    operator: Arc<dyn Operator>,
}

impl PartialEq for Declared {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.operator, &other.operator)
    }
}

impl Eq for Declared {}

impl Op for Declared {
    fn name(&self) -> StaticName {
        self.place.operator.clone().into()
    }

    not_a_typed_op!();
}

impl EvalOp for Declared {
    not_out_of_plan!();
}

type Facts = TVec<InferenceFact>;

impl InferenceOp for Declared {
    fn infer_facts(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<(Facts, Facts, Facts)> {
        let known: Option<Vec<Fact>> = inputs.iter().map(|input| known(input)).collect();
        let mut outputs: Facts = outputs.into_iter().cloned().collect();
        if let Some(known) = known {
            let facts = self.place.facts(&*self.operator, &known)?;
            for (output, fact) in outputs.iter_mut().zip(facts) {
                output.unify_with(&InferenceFact::dt_shape(fact.datum_type, fact.shape))?;
            }
        }
        let cloned = |facts: TVec<&InferenceFact>| facts.into_iter().cloned().collect();
        Ok((cloned(inputs), outputs, cloned(observed)))
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(self.place.wanted.len())
    }

    fn to_typed(
        &self,
        _source: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        let inputs: Option<TVec<OutletId>> = node
            .inputs
            .iter()
            .map(|input| mapping.get(input).copied())
            .collect();
        let Some(inputs) = inputs else {
            bail!("an input of node `{}` is not there", self.place.node)
        };
        let facts: Vec<Fact> = inputs
            .iter()
            .map(|input| target.outlet_fact(*input).map(Fact::from))
            .collect::<TractResult<_>>()?;
        let kernel = self.place.refuse(self.operator.compile(&facts))?;
        let declared = self.clone();
        target.wire_node(&*node.name, Compiled { declared, kernel }, &inputs)
    }

    as_op!();
}

fn known(fact: &InferenceFact) -> Option<Fact> {
    let datum_type = fact.datum_type.concretize()?;
    let shape = fact.shape.concretize()?;
    Some(Fact { datum_type, shape })
}

/// The operator in the graph that runs.
#[derive(Clone)]
struct Compiled {
    declared: Declared,
    kernel: Kernel,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.declared.place.fmt(formatter)
    }
}

impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kernel, &other.kernel)
    }
}

impl Eq for Compiled {}

impl Op for Compiled {
    fn name(&self) -> StaticName {
        self.declared.place.operator.clone().into()
    }

    op_as_typed_op!();
}

impl EvalOp for Compiled {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.declared.place.pick(&(self.kernel)(&inputs)?)
    }
}

impl TypedOp for Compiled {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let inputs: Vec<Fact> = inputs.iter().map(|input| Fact::from(*input)).collect();
        let Declared { place, operator } = &self.declared;
        let facts = place.facts(&**operator, &inputs)?;
        let typed = |fact: Fact| fact.datum_type.fact(fact.shape);
        Ok(facts.into_iter().map(typed).collect())
    }

    as_op!();
}
