//! `SVMClassifier` and `SVMRegressor`: support vectors, or planes where there are none.

use std::sync::Arc;

use tract_onnx::prelude::tract_ndarray::Array2;
use tract_onnx::prelude::{Datum, IntoTValue, TVec, Tensor, TractResult, tvec};
use tract_onnx::tract_core::internal::bail;
use tract_onnx::tract_hir::internal::DimLike;

use super::attributes::Attributes;
use super::labels::{Labels, Winner};
use super::linear::dot;
use super::rows::{Rows, dimensions, only};
use super::scores::{Transform, logistic};
use super::{Fact, Kernel as Compiled, Operator};

mod coupling;

/// How alike two rows are.
#[derive(Clone, Copy, Debug)]
enum Kernel {
    Linear,
    Poly {
        gamma: f32,
        offset: f32,
        degree: f32,
    },
    Rbf {
        gamma: f32,
    },
    Sigmoid {
        gamma: f32,
        offset: f32,
    },
}

impl Kernel {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let (gamma, offset, degree) = match *node.floats("kernel_params") {
            [gamma, offset, degree] => (gamma, offset, degree),
            [] => (0.0, 0.0, 0.0),
            ref params => bail!("kernel_params has {} values, expected 3", params.len()),
        };
        match node.text("kernel_type")? {
            None | Some("LINEAR") => Ok(Self::Linear),
            Some("POLY") => Ok(Self::Poly {
                gamma,
                offset,
                degree,
            }),
            Some("RBF") => Ok(Self::Rbf { gamma }),
            Some("SIGMOID") => Ok(Self::Sigmoid { gamma, offset }),
            Some(other) => bail!("kernel_type is {other}, which is unknown"),
        }
    }

    fn of(self, one: &[f32], other: &[f32]) -> f32 {
        match self {
            Self::Linear => dot(one, other),
            Self::Poly {
                gamma,
                offset,
                degree,
            } => (gamma * dot(one, other) + offset).powf(degree),
            Self::Rbf { gamma } => {
                let squares = one
                    .iter()
                    .zip(other)
                    .map(|(one, other)| (one - other).powi(2));
                (-gamma * squares.sum::<f32>()).exp()
            }
            Self::Sigmoid { gamma, offset } => (gamma * dot(one, other) + offset).tanh(),
        }
    }
}

/// Rows that others are compared with.
#[derive(Clone, Debug)]
struct Vectors {
    kernel: Kernel,
    values: Vec<f32>,
    width: usize,
}

impl Vectors {
    fn new(kernel: Kernel, values: &[f32], count: usize) -> TractResult<Self> {
        let width = values.len().checked_div(count).unwrap_or(0);
        if width == 0 || width * count != values.len() {
            bail!("it has {} numbers for {count} vectors", values.len());
        }
        let values = values.to_vec();
        Ok(Self {
            kernel,
            values,
            width,
        })
    }

    fn fits(&self, width: Option<usize>) -> TractResult<()> {
        match width {
            Some(width) if width != self.width => {
                bail!(
                    "its vectors have {} columns, and its input has {width}",
                    self.width
                )
            }
            _ => Ok(()),
        }
    }

    fn compare(&self, row: &[f32]) -> Vec<f32> {
        let vectors = self.values.chunks(self.width);
        vectors.map(|vector| self.kernel.of(row, vector)).collect()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Regressor {
    vectors: Vectors,
    coefficients: Vec<f32>,
    rho: f32,
    one_class: bool,
    transform: Transform,
}

impl Operator for Regressor {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let coefficients = node.floats("coefficients");
        let supports = usize::try_from(node.int("n_supports").unwrap_or(0))?;
        let (vectors, coefficients) = if supports > 0 {
            let vectors = node.floats("support_vectors");
            let vectors = Vectors::new(Kernel::read(node)?, vectors, supports)?;
            super::attributes::sized("coefficients", coefficients, supports)?;
            (vectors, coefficients.to_vec())
        } else {
            (Vectors::new(Kernel::Linear, coefficients, 1)?, vec![1.0])
        };
        let [rho, ..] = *node.floats("rho") else {
            bail!("it has no rho")
        };
        Ok(Self {
            vectors,
            coefficients,
            rho,
            one_class: node.int("one_class").is_some_and(|one| one != 0),
            transform: Transform::named(node.text("post_transform")?)?,
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let (rows, width) = dimensions(only(inputs)?)?;
        self.vectors.fits(width.to_usize().ok())?;
        Ok(tvec![Fact::new(f32::datum_type(), [rows, 1.into()])])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Compiled> {
        let svm = self.clone();
        Ok(Arc::new(move |inputs| {
            let rows = Rows::of::<f32>(only(inputs)?)?;
            svm.vectors.fits(Some(rows.width))?;
            let each = rows.values::<f32>()?.chunks(svm.vectors.width);
            let scores: Vec<_> = each.map(|row| svm.score(row)).collect();
            let scores: Tensor = Array2::from_shape_vec((rows.count, 1), scores)?.into();
            Ok(tvec![scores.into_tvalue()])
        }))
    }
}

impl Regressor {
    fn score(&self, row: &[f32]) -> f32 {
        let mut score = dot(&self.vectors.compare(row), &self.coefficients) + self.rho;
        if self.one_class {
            return if score > 0.0 { 1.0 } else { -1.0 };
        }
        self.transform
            .apply_to_targets(std::slice::from_mut(&mut score));
        score
    }
}

#[derive(Clone, Debug)]
pub(super) struct Classifier {
    vectors: Vectors,
    /// How many vectors each class has; none where the vectors are planes, one for each class.
    of_class: Vec<usize>,
    coefficients: Vec<f32>,
    rho: Vec<f32>,
    /// From the score of each pair of classes to a probability.
    sigmoids: Vec<(f32, f32)>,
    labels: Labels,
    transform: Transform,
}

impl Operator for Classifier {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let labels = Labels::read(node, "classlabels_strings", "classlabels_ints")?;
        let classes = labels.len();
        let of_class = node.ints("vectors_per_class").iter();
        let of_class: Vec<usize> = of_class
            .map(|count| Ok(usize::try_from(*count)?))
            .collect::<TractResult<_>>()?;
        let count: usize = of_class.iter().sum();
        let coefficients = node.floats("coefficients");
        let pairs = classes * (classes - 1) / 2;
        let (vectors, of_class, rhos) = if count > 0 {
            super::attributes::sized("vectors_per_class", &of_class, classes)?;
            super::attributes::sized("coefficients", coefficients, count * (classes - 1))?;
            let vectors = Vectors::new(Kernel::read(node)?, node.floats("support_vectors"), count)?;
            (vectors, of_class, pairs)
        } else {
            (
                Vectors::new(Kernel::Linear, coefficients, classes)?,
                vec![],
                1,
            )
        };
        let rho = node.floats("rho");
        let (a, b) = (node.floats("prob_a"), node.floats("prob_b"));
        let fits = a.len() == b.len() && (a.is_empty() || a.len() == pairs);
        if rho.len() < rhos || !fits {
            let (a, b) = (a.len(), b.len());
            bail!(
                "it has {} rho, {a} prob_a and {b} prob_b for {pairs} pairs",
                rho.len()
            );
        }
        Ok(Self {
            vectors,
            of_class,
            coefficients: coefficients.to_vec(),
            rho: rho.to_vec(),
            sigmoids: a.iter().copied().zip(b.iter().copied()).collect(),
            labels,
            transform: Transform::named(node.text("post_transform")?)?,
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let (rows, width) = dimensions(only(inputs)?)?;
        self.vectors.fits(width.to_usize().ok())?;
        let labels = Fact::new(self.labels.datum_type(), [rows.clone()]);
        let scores = Fact::new(f32::datum_type(), [rows, self.columns().into()]);
        Ok(tvec![labels, scores])
    }

    fn compile(&self, _inputs: &[Fact]) -> TractResult<Compiled> {
        let svm = self.clone();
        Ok(Arc::new(move |inputs| {
            let rows = Rows::of::<f32>(only(inputs)?)?;
            svm.vectors.fits(Some(rows.width))?;
            let (mut winners, mut scores) = (Vec::new(), Vec::new());
            for row in rows.values::<f32>()?.chunks(svm.vectors.width) {
                let compared = svm.vectors.compare(row);
                winners.push(if svm.of_class.is_empty() {
                    svm.by_plane(&compared, &mut scores)
                } else {
                    svm.by_pairs(&compared, &mut scores)
                });
            }
            let scores: Tensor =
                Array2::from_shape_vec((rows.count, svm.columns()), scores)?.into();
            let labels = svm.labels.of(&winners);
            Ok(tvec![labels.into_tvalue(), scores.into_tvalue()])
        }))
    }
}

impl Classifier {
    /// One for each class, or for each pair of several where there are no probabilities.
    fn columns(&self) -> usize {
        let classes = self.labels.len();
        if self.of_class.is_empty() || !self.sigmoids.is_empty() || classes <= 2 {
            classes
        } else {
            classes * (classes - 1) / 2
        }
    }

    /// ONNX Runtime takes the first rho for all planes, and tells two classes by sign or by a half.
    fn by_plane(&self, planes: &[f32], scores: &mut Vec<f32>) -> Winner {
        let rho = self.rho.first().copied().unwrap_or_default();
        let mut row: Vec<_> = planes.iter().map(|plane| plane + rho).collect();
        let mut most = (0, f32::NEG_INFINITY);
        for (class, score) in row.iter().enumerate() {
            if *score > most.1 {
                most = (class, *score);
            }
        }
        self.transform.apply_to_targets(&mut row);
        scores.extend(row);
        let all_positive = self
            .coefficients
            .iter()
            .all(|coefficient| *coefficient >= 0.0);
        let least = if all_positive {
            most.1 >= 0.5
        } else {
            most.1 > 0.0
        };
        match (self.rho.len(), self.labels.len()) {
            (1, 2) if self.sigmoids.is_empty() && least => Winner::Class(1),
            (1, 2) => Winner::Class(most.0),
            (1, _) => Winner::Sign(most.1 > 0.0),
            _ => Winner::Class(most.0),
        }
    }

    /// The class that wins the most of its pairs.
    fn by_pairs(&self, compared: &[f32], scores: &mut Vec<f32>) -> Winner {
        let mut of_pairs = self.pairs(compared);
        let mut votes = vec![0; self.labels.len()];
        let mut pairs = of_pairs.iter();
        for first in 0..votes.len() {
            for second in first + 1..votes.len() {
                let wins = pairs.next().is_some_and(|score| *score > 0.0);
                let winner = if wins { first } else { second };
                votes
                    .get_mut(winner)
                    .into_iter()
                    .for_each(|votes| *votes += 1);
            }
        }
        let most = votes.iter().max();
        let winner = votes.iter().position(|votes| Some(votes) == most);
        if !self.sigmoids.is_empty() {
            let sigmoid = |(score, (a, b)): (&f32, &(f32, f32))| 1.0 - logistic(score * a + b);
            let shares: Vec<_> = of_pairs.iter().zip(&self.sigmoids).map(sigmoid).collect();
            let mut row = coupling::probabilities(self.labels.len(), &shares);
            self.transform.apply_to_targets(&mut row);
            scores.extend(row);
        } else if let [score] = *of_pairs {
            scores.extend(self.two(score));
        } else {
            self.transform.apply_to_targets(&mut of_pairs);
            scores.extend(of_pairs);
        }
        Winner::Class(winner.unwrap_or_default())
    }

    fn two(&self, score: f32) -> [f32; 2] {
        match self.transform {
            Transform::None => [-score, score],
            Transform::Logistic => [logistic(-score), logistic(score)],
            _ => [1.0 - score, score],
        }
    }

    /// The score of each pair of classes, above nought for the first of it.
    fn pairs(&self, compared: &[f32]) -> Vec<f32> {
        let count = compared.len();
        let mut starts = vec![0];
        for of_class in &self.of_class {
            starts.push(starts.last().copied().unwrap_or_default() + of_class);
        }
        let ranges: Vec<_> = starts.iter().zip(starts.iter().skip(1)).collect();
        let part = |line: usize, (start, end): (&usize, &usize)| {
            let line = self.coefficients.get(line * count..).unwrap_or_default();
            let weights = line.get(*start..*end).unwrap_or_default();
            dot(weights, compared.get(*start..*end).unwrap_or_default())
        };
        let mut rho = self.rho.iter();
        let mut scores = Vec::new();
        for (first, of_first) in ranges.iter().enumerate() {
            for (second, of_second) in ranges.iter().enumerate().skip(first + 1) {
                let sum = part(second - 1, *of_first) + part(first, *of_second);
                scores.push(sum + rho.next().copied().unwrap_or_default());
            }
        }
        scores
    }
}
