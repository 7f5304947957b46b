//! Ensembles of decision trees: three ways to write one down, and one way to compute them all.
//!
//! A node is read into a [`Forest`], which is checked; for a precision it is flattened
//! ([`flat`]), so that [`walk`] goes down it without a branch for what a node compares with.

mod arrays;
mod classifier;
mod flat;
mod forest;
mod regressor;
mod totals;
mod tuples;
mod walk;

pub(super) use arrays::Arrays;
pub(super) use classifier::Classifier;
pub(super) use regressor::Regressor;
