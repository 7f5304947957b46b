//! `LinearClassifier` and `LinearRegressor`.

use std::sync::Arc;

use tract_onnx::prelude::tract_ndarray::Array2;
use tract_onnx::prelude::{Datum, IntoTValue, TVec, Tensor, TractResult, tvec};
use tract_onnx::tract_core::internal::bail;
use tract_onnx::tract_hir::internal::DimLike;

use super::attributes::Attributes;
use super::labels::{Labels, Winner};
use super::rows::{Rows, dimensions, only};
use super::scores::{Transform, logistic};
use super::{Fact, Kernel, Operator};

/// One row of coefficients for each target, and what is added to each.
#[derive(Clone, Debug)]
struct Planes {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    width: usize,
}

impl Planes {
    fn read(node: &Attributes<'_>, targets: usize) -> TractResult<Self> {
        let coefficients = node.floats("coefficients").to_vec();
        let intercepts = match node.floats("intercepts") {
            [] => vec![0.0; targets],
            intercepts => intercepts.to_vec(),
        };
        let width = coefficients.len().checked_div(targets).unwrap_or(0);
        if width == 0 || width * targets != coefficients.len() || intercepts.len() != targets {
            bail!(
                "it has {} coefficients and {} intercepts for {targets} targets",
                coefficients.len(),
                intercepts.len()
            );
        }
        Ok(Self {
            coefficients,
            intercepts,
            width,
        })
    }

    fn targets(&self) -> usize {
        self.intercepts.len()
    }

    fn fits(&self, width: Option<usize>) -> TractResult<()> {
        match width {
            Some(width) if width != self.width => {
                bail!(
                    "it has coefficients for {} columns, and its input has {width}",
                    self.width
                )
            }
            _ => Ok(()),
        }
    }

    /// The scores of all rows.
    fn scores(&self, rows: &Rows<'_>) -> TractResult<Vec<f32>> {
        self.fits(Some(rows.width))?;
        let mut scores = Vec::with_capacity(rows.count * self.targets());
        for row in rows.values::<f32>()?.chunks(self.width) {
            let planes = self.coefficients.chunks(self.width).zip(&self.intercepts);
            scores.extend(planes.map(|(plane, intercept)| dot(row, plane) + intercept));
        }
        Ok(scores)
    }
}

/// With sums side by side, which the compiler makes one instruction of.
pub(super) fn dot(one: &[f32], other: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest = ones.remainder().iter().zip(others.remainder());
    let rest: f32 = rest.map(|(one, other)| one * other).sum();
    for (ones, others) in ones.zip(others) {
        for ((sum, one), other) in sums.iter_mut().zip(ones).zip(others) {
            *sum += one * other;
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[derive(Clone, Debug)]
pub(super) struct Regressor {
    planes: Planes,
    transform: Transform,
}

impl Operator for Regressor {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let targets = node.width("targets")?;
        Ok(Self {
            planes: Planes::read(node, targets)?,
            transform: Transform::named(node.text("post_transform")?)?,
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let (rows, width) = dimensions(only(inputs)?)?;
        self.planes.fits(width.to_usize().ok())?;
        let targets = self.planes.targets().into();
        Ok(tvec![Fact::new(f32::datum_type(), [rows, targets])])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        let Self { planes, transform } = self.clone();
        Ok(Arc::new(move |inputs| {
            let rows = Rows::of::<f32>(only(inputs)?)?;
            let mut scores = planes.scores(&rows)?;
            for row in scores.chunks_mut(planes.targets()) {
                transform.apply_to_targets(row);
            }
            let scores: Tensor =
                Array2::from_shape_vec((rows.count, planes.targets()), scores)?.into();
            Ok(tvec![scores.into_tvalue()])
        }))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Classifier {
    planes: Planes,
    labels: Labels,
    transform: Transform,
}

impl Operator for Classifier {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let labels = Labels::read(node, "classlabels_strings", "classlabels_ints")?;
        let targets = match node.floats("intercepts").len() {
            0 => labels.len(),
            count => count,
        };
        if targets != labels.len() && !(targets == 1 && labels.len() == 2) {
            bail!("it has {targets} intercepts for {} classes", labels.len());
        }
        Ok(Self {
            planes: Planes::read(node, targets)?,
            labels,
            transform: Transform::named(node.text("post_transform")?)?,
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let (rows, width) = dimensions(only(inputs)?)?;
        self.planes.fits(width.to_usize().ok())?;
        let labels = Fact::new(self.labels.datum_type(), [rows.clone()]);
        let scores = Fact::new(f32::datum_type(), [rows, self.labels.len().into()]);
        Ok(tvec![labels, scores])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Kernel> {
        let Self {
            planes,
            labels,
            transform,
        } = self.clone();
        Ok(Arc::new(move |inputs| {
            let rows = Rows::of::<f32>(only(inputs)?)?;
            let mut scores = planes.scores(&rows)?;
            let mut winners = Vec::with_capacity(rows.count);
            if planes.targets() < labels.len() {
                winners.extend(
                    scores
                        .iter()
                        .map(|score| Winner::Class((*score > 0.0).into())),
                );
                scores = scores
                    .iter()
                    .flat_map(|score| pair(transform, *score))
                    .collect();
            } else {
                for row in scores.chunks_mut(labels.len()) {
                    winners.push(largest(row));
                    transform.apply_to_targets(row);
                }
            }
            let scores: Tensor = Array2::from_shape_vec((rows.count, labels.len()), scores)?.into();
            Ok(tvec![
                labels.of(&winners).into_tvalue(),
                scores.into_tvalue()
            ])
        }))
    }
}

/// Two columns of one score.
fn pair(transform: Transform, score: f32) -> [f32; 2] {
    match transform {
        Transform::Logistic => [logistic(-score), logistic(score)],
        _ => [1.0 - score, score],
    }
}

/// The first class of the largest score; a single class is told by its sign.
pub(super) fn largest(scores: &[f32]) -> Winner {
    if let [score] = scores {
        return Winner::Sign(*score > 0.0);
    }
    let mut winner = (0, f32::NEG_INFINITY);
    for (class, score) in scores.iter().enumerate() {
        if *score > winner.1 {
            winner = (class, *score);
        }
    }
    Winner::Class(winner.0)
}
