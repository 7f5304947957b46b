//! `TreeEnsembleRegressor`: what the trees add up to is the answer.

use std::sync::Arc;

use tract_onnx::prelude::{
    Datum, DatumType, IntoTValue, TVec, Tensor, TractResult, tract_ndarray::Array2, tvec,
};
use tract_onnx::tract_core::internal::bail;

use super::super::attributes::Attributes;
use super::super::real::Real;
use super::super::rows::{Rows, dimensions, only, wide_enough};
use super::super::scores::Transform;
use super::super::{Fact, Kernel, Operator};
use super::flat::Flat;
use super::forest::Forest;
use super::totals::{Aggregate, Totals};
use super::tuples;
use super::walk::Columns;

#[derive(Debug)]
pub(in super::super) struct Regressor {
    pub(super) forest: Arc<Forest>,
    /// None, or one for each target.
    pub(super) base: Vec<f64>,
    pub(super) aggregate: Aggregate,
    pub(super) transform: Transform,
    pub(super) width: Width,
}

/// How many bits a result has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    Single,
    OfInput,
}

impl Operator for Regressor {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let targets = node.width("n_targets")?;
        let base = node.numbers("base_values")?;
        if !base.is_empty() && base.len() != targets {
            bail!("base_values has {} values, expected {targets}", base.len());
        }
        Ok(Self {
            forest: tuples::read(node, "target", targets)?.into(),
            base,
            aggregate: Aggregate::named(node.text("aggregate_function")?)?,
            transform: Transform::named(node.text("post_transform")?)?,
            width: Width::Single,
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let input = only(inputs)?;
        let (rows, width) = dimensions(input)?;
        wide_enough(&width, self.forest.width())?;
        let datum_type = match self.width {
            Width::OfInput if input.datum_type == f64::datum_type() => f64::datum_type(),
            _ => f32::datum_type(),
        };
        let targets = self.forest.targets().into();
        Ok(tvec![Fact::new(datum_type, [rows, targets])])
    }

    fn compile(&self, inputs: &[Fact]) -> TractResult<Kernel> {
        match only(inputs)?.datum_type {
            DatumType::F64 => self.kernel::<f64>(),
            _ => self.kernel::<f32>(),
        }
    }
}

impl Regressor {
    fn kernel<T: Real>(&self) -> TractResult<Kernel> {
        let extreme = matches!(self.aggregate, Aggregate::Min | Aggregate::Max);
        let voters = self.forest.constant_voters().filter(|_| !extreme);
        let compiled = Compiled::<T> {
            flat: Flat::new(&self.forest, voters.is_none())?,
            voters,
            targets: self.forest.targets(),
            columns: self.forest.width(),
            base: self.base.iter().copied().map(T::nearest).collect(),
            aggregate: self.aggregate,
            transform: self.transform,
        };
        let width = self.width;
        Ok(Arc::new(move |inputs| {
            let scores = compiled.run(only(inputs)?)?;
            let tensor: Tensor = match width {
                Width::OfInput => scores.into(),
                Width::Single => scores.mapv(T::single).into(),
            };
            Ok(tvec![tensor.into_tvalue()])
        }))
    }
}

struct Compiled<T> {
    flat: Flat<T>,
    /// Which targets get a vote from any row, where that does not depend on the row.
    voters: Option<Vec<bool>>,
    targets: usize,
    /// Of an input, at least.
    columns: usize,
    base: Vec<T>,
    aggregate: Aggregate,
    transform: Transform,
}

impl<T: Real> Compiled<T> {
    fn run(&self, input: &Tensor) -> TractResult<Array2<T>> {
        let rows = Rows::of::<T>(input)?;
        rows.refuse_narrow(self.columns)?;
        let columns = Columns {
            values: rows.values()?,
            width: rows.width,
            rows: rows.count,
        };
        let extreme = matches!(self.aggregate, Aggregate::Min | Aggregate::Max);
        let mut totals = match self.voters {
            _ if extreme => Totals::extremes(&self.flat, &columns, self.targets, self.aggregate),
            Some(_) => Totals::sums(&self.flat, &columns, self.targets),
            None => Totals::noted(&self.flat, &columns, self.targets),
        };
        self.finish(&mut totals);
        let scores = totals.scores;
        Ok(Array2::from_shape_vec((rows.count, self.targets), scores)?)
    }

    fn finish(&self, totals: &mut Totals<T>) {
        let average = self.aggregate == Aggregate::Average;
        // ONNX Runtime leaves a single target as it is but for PROBIT.
        let plain = self.targets == 1 && self.transform != Transform::Probit;
        if !average && self.base.is_empty() && (plain || self.transform == Transform::None) {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "trees are fewer than 2^31")]
        let trees = T::nearest(self.flat.roots.len() as f64);
        let mut voted = totals.voted.chunks(self.targets);
        for row in totals.scores.chunks_mut(self.targets) {
            let voted = self.voters.as_deref().or_else(|| voted.next());
            let voted = voted.unwrap_or_default();
            if average {
                row.iter_mut().for_each(|score| *score = *score / trees);
            }
            for ((score, base), voted) in row.iter_mut().zip(&self.base).zip(voted) {
                // Who got no vote of several gets no base value either.
                if *voted || self.targets == 1 {
                    *score += *base;
                }
            }
            if !plain {
                self.transform.apply(row);
            }
        }
    }
}
