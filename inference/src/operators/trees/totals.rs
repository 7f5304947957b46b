//! What the votes of all trees add up to, for each row and target.

use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

use super::super::real::Real;
use super::flat::{Ballot, Flat, LAST};
use super::walk::Columns;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

impl Aggregate {
    pub(super) fn named(name: Option<&str>) -> TractResult<Self> {
        match name {
            None | Some("SUM") => Ok(Self::Sum),
            Some("AVERAGE") => Ok(Self::Average),
            Some("MIN") => Ok(Self::Min),
            Some("MAX") => Ok(Self::Max),
            Some(other) => bail!("aggregate_function is {other}, which is unknown"),
        }
    }

    /// By its number in `TreeEnsemble`.
    pub(super) fn numbered(number: i64) -> TractResult<Self> {
        match number {
            0 => Ok(Self::Average),
            1 => Ok(Self::Sum),
            2 => Ok(Self::Min),
            3 => Ok(Self::Max),
            other => bail!("aggregate_function is {other}, expected 0 to 3"),
        }
    }
}

/// The scores of all rows, before base values and transforms.
pub(super) struct Totals<T> {
    pub(super) scores: Vec<T>,
    /// Whether any tree voted; empty where nobody asks.
    pub(super) voted: Vec<bool>,
}

impl<T: Real> Totals<T> {
    /// Adds up; a target without a vote has nought.
    pub(super) fn sums(flat: &Flat<T>, columns: &Columns<'_, T>, targets: usize) -> Self {
        let mut scores = vec![T::default(); columns.rows * targets];
        flat.walk(columns, |row, first| {
            let of_row = row * targets;
            for vote in leaf(&flat.votes, first) {
                if let Some(score) = scores.get_mut(of_row + target(vote)) {
                    *score += vote.weight;
                }
            }
        });
        let voted = Vec::new();
        Self { scores, voted }
    }

    /// Adds up as [`Self::sums`] does, and notes who voted.
    pub(super) fn noted(flat: &Flat<T>, columns: &Columns<'_, T>, targets: usize) -> Self {
        Self::folded(flat, columns, targets, |score, weight| *score += weight)
    }

    /// Keeps the least or the largest vote.
    pub(super) fn extremes(
        flat: &Flat<T>,
        columns: &Columns<'_, T>,
        targets: usize,
        aggregate: Aggregate,
    ) -> Self {
        let largest = aggregate == Aggregate::Max;
        Self::folded(flat, columns, targets, |score, weight| {
            if (largest && weight > *score) || (!largest && weight < *score) {
                *score = weight;
            }
        })
    }

    fn folded(
        flat: &Flat<T>,
        columns: &Columns<'_, T>,
        targets: usize,
        fold: impl Fn(&mut T, T),
    ) -> Self {
        let mut scores = vec![T::default(); columns.rows * targets];
        let mut voted = vec![false; columns.rows * targets];
        flat.walk(columns, |row, first| {
            for vote in leaf(&flat.votes, first) {
                let at = row * targets + target(vote);
                let (Some(score), Some(voted)) = (scores.get_mut(at), voted.get_mut(at)) else {
                    continue;
                };
                if std::mem::replace(voted, true) {
                    fold(score, vote.weight);
                } else {
                    *score = vote.weight;
                }
            }
        });
        Self { scores, voted }
    }
}

fn target<T>(vote: &Ballot<T>) -> usize {
    (vote.target & !LAST) as usize
}

/// The votes from here to the last one of their leaf.
#[inline(always)]
fn leaf<T>(votes: &[Ballot<T>], first: u32) -> impl Iterator<Item = &Ballot<T>> {
    let mut rest = votes.get(first as usize..).unwrap_or_default().iter();
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let vote = rest.next()?;
        done = vote.target & LAST != 0;
        Some(vote)
    })
}
