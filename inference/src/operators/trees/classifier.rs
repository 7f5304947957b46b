//! `TreeEnsembleClassifier`: the class with the most votes, and the score of each.
//!
//! Two classes have rules of their own in ONNX Runtime, which depend on whether the trees vote for
//! one of them or both, on base values and on the sign of the weights. Exporters rely on them.

use std::sync::Arc;

use tract_onnx::prelude::{
    Datum, DatumType, IntoTValue, TVec, Tensor, TractResult, tract_ndarray::Array2, tvec,
};
use tract_onnx::tract_core::internal::bail;

use super::super::attributes::Attributes;
use super::super::labels::{Labels, Winner};
use super::super::real::Real;
use super::super::rows::{Rows, dimensions, only, wide_enough};
use super::super::scores::{self, Transform};
use super::super::{Fact, Kernel, Operator};
use super::flat::Flat;
use super::forest::Forest;
use super::totals::Totals;
use super::tuples;
use super::walk::Columns;

#[derive(Debug)]
pub(in super::super) struct Classifier {
    forest: Forest,
    labels: Labels,
    base: Vec<f64>,
    transform: Transform,
}

impl Operator for Classifier {
    fn read(node: &Attributes<'_>) -> TractResult<Self> {
        let labels = Labels::read(node, "classlabels_strings", "classlabels_int64s")?;
        let base = node.numbers("base_values")?;
        let classes = labels.len();
        let fits = base.is_empty() || base.len() == classes || (base.len() == 1 && classes == 2);
        if !fits {
            bail!("base_values has {} values, expected {classes}", base.len());
        }
        Ok(Self {
            forest: tuples::read(node, "class", classes)?,
            labels,
            base,
            transform: Transform::named(node.text("post_transform")?)?,
        })
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<TVec<Fact>> {
        let (rows, width) = dimensions(only(inputs)?)?;
        wide_enough(&width, self.forest.width())?;
        let labels = Fact::new(self.labels.datum_type(), [rows.clone()]);
        let scores = Fact::new(f32::datum_type(), [rows, self.labels.len().into()]);
        Ok(tvec![labels, scores])
    }

    fn compile(&self, inputs: &[Fact]) -> TractResult<Kernel> {
        match only(inputs)?.datum_type {
            DatumType::F64 => self.kernel::<f64>(),
            _ => self.kernel::<f32>(),
        }
    }
}

impl Classifier {
    fn kernel<T: Real>(&self) -> TractResult<Kernel> {
        let voters = self.forest.constant_voters();
        let votes = || self.forest.leaves().flatten();
        let first = votes().next().map(|vote| vote.target);
        let compiled = Compiled::<T> {
            flat: Flat::new(&self.forest, voters.is_none())?,
            voters,
            columns: self.forest.width(),
            base: self.base.iter().copied().map(T::nearest).collect(),
            one_voted_for: votes().all(|vote| Some(vote.target) == first),
            all_positive: votes().all(|vote| vote.weight >= 0.0),
            classes: self.labels.len(),
            transform: self.transform,
        };
        let labels = self.labels.clone();
        Ok(Arc::new(move |inputs| {
            let (winners, scores) = compiled.run(only(inputs)?)?;
            let scores = Tensor::from(scores).into_tvalue();
            Ok(tvec![labels.of(&winners).into_tvalue(), scores])
        }))
    }
}

struct Compiled<T> {
    flat: Flat<T>,
    /// Which classes get a vote from any row, where that does not depend on the row.
    voters: Option<Vec<bool>>,
    /// Of an input, at least.
    columns: usize,
    base: Vec<T>,
    /// Whether all votes are for one class.
    one_voted_for: bool,
    all_positive: bool,
    classes: usize,
    transform: Transform,
}

impl<T: Real> Compiled<T> {
    fn run(&self, input: &Tensor) -> TractResult<(Vec<Winner>, Array2<f32>)> {
        let rows = Rows::of::<T>(input)?;
        rows.refuse_narrow(self.columns)?;
        let columns = Columns {
            values: rows.values()?,
            width: rows.width,
            rows: rows.count,
        };
        let Totals { mut scores, voted } = match self.voters {
            Some(_) => Totals::sums(&self.flat, &columns, self.classes),
            None => Totals::noted(&self.flat, &columns, self.classes),
        };
        let mut winners = Vec::with_capacity(rows.count);
        let mut voted = voted.chunks(self.classes);
        for row in scores.chunks_mut(self.classes) {
            let voted = self.voters.as_deref().or_else(|| voted.next());
            let voted = voted.unwrap_or_default();
            winners.push(match row {
                [one] => self.finish_one(one),
                [first, second] => self.finish_two((first, second), voted),
                many => self.finish_many(many, voted),
            });
        }
        let scores = scores.into_iter().map(T::single).collect();
        let scores = Array2::from_shape_vec((rows.count, self.classes), scores)?;
        Ok((winners, scores))
    }

    fn finish_one(&self, score: &mut T) -> Winner {
        if let Some(base) = self.base.first() {
            *score += *base;
        }
        let winner = Winner::Sign(*score > T::default());
        if self.transform == Transform::Probit {
            self.transform.apply(std::slice::from_mut(score));
        }
        winner
    }

    /// The class with the largest score of those that have one.
    fn finish_many(&self, scores: &mut [T], voted: &[bool]) -> Winner {
        for (score, base) in scores.iter_mut().zip(&self.base) {
            *score += *base;
        }
        let mut winner = None;
        for (class, (score, voted)) in scores.iter().zip(voted).enumerate() {
            let larger = winner.is_none_or(|(_, most)| *score > most);
            if larger && (*voted || !self.base.is_empty()) {
                winner = Some((class, *score));
            }
        }
        self.transform.apply(scores);
        Winner::Class(winner.map_or(0, |(class, _)| class))
    }

    fn finish_two(&self, (first, second): (&mut T, &mut T), voted: &[bool]) -> Winner {
        let [of_first, of_second] = [0, 1].map(|class| voted.get(class) == Some(&true));
        let mut alone = !of_second;
        match *self.base {
            [_, base] if of_second => {
                *second = base;
                *second += *first;
                *first = if of_first { -*second } else { T::default() };
            }
            // Who got no vote gets no base value either.
            [base, _] => {
                *first += if of_first { base } else { T::default() };
                alone = false;
            }
            [one] => *first += one,
            _ => {}
        }
        let score = match (of_second, of_first) {
            (true, _) => *second,
            (_, true) => *first,
            _ => T::default(),
        };
        let (winner, mixed) = self.sign(score);
        if alone {
            let (negative, positive) = self.halves(*first, mixed);
            (*first, *second) = (negative, positive);
        } else {
            let mut pair = [*first, *second];
            self.transform.apply(&mut pair);
            [*first, *second] = pair;
        }
        winner
    }

    /// The winner of two by the score of one, and whether weights of both signs were voted.
    fn sign(&self, score: T) -> (Winner, Option<bool>) {
        if !self.one_voted_for {
            let mixed = self.base.is_empty().then_some(true);
            return (Winner::Sign(score > T::default()), mixed);
        }
        let least = if self.all_positive { 0.5 } else { 0.0 };
        let positive = score > T::nearest(least);
        (Winner::Class(positive.into()), Some(!self.all_positive))
    }

    /// Two columns from the score of one class.
    fn halves(&self, score: T, mixed: Option<bool>) -> (T, T) {
        let of = |score: f32| T::nearest(score.into());
        match (self.transform, mixed) {
            (Transform::Probit, _) => (of(scores::probit(score.single())), T::default()),
            (Transform::Logistic, Some(true)) => {
                let score = score.single();
                (of(scores::logistic(-score)), of(scores::logistic(score)))
            }
            (_, Some(true)) => (-score, score),
            (_, Some(false)) => (T::nearest(1.0) - score, score),
            (_, None) => (score, T::default()),
        }
    }
}
