//! Models that are asked in turn until one is sure.

use std::sync::Arc;

use crate::Target;

/// The steps of a cascade, the first of which is asked first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cascade {
    /// At least two.
    pub steps: Vec<CascadeStep>,
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CascadeStep {
    /// A model, or an upstream as the last step.
    pub target: Target,
    /// When the answer is taken; none for the last step, whose answer always is.
    pub accept: Option<Arc<Accept>>,
}

/// When a model is sure enough of its answer: each row's largest number reaches the bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Accept {
    /// The output that says how sure it is.
    pub output: Box<str>,
    /// The bound; a number, and none that is infinite.
    pub at_least: f64,
}

/// A bound is never NaN.
impl Eq for Accept {}
