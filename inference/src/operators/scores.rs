//! What becomes of scores at the end: the post-transforms that several operators share.
//!
//! As ONNX Runtime computes them, which is what exporters test against.

use tract_onnx::prelude::TractResult;
use tract_onnx::tract_core::internal::bail;

use super::real::Real;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    Softmax,
    Logistic,
    SoftmaxZero,
    Probit,
}

impl Transform {
    pub(super) fn named(name: Option<&str>) -> TractResult<Self> {
        match name {
            None | Some("NONE") => Ok(Self::None),
            Some("SOFTMAX") => Ok(Self::Softmax),
            Some("LOGISTIC") => Ok(Self::Logistic),
            Some("SOFTMAX_ZERO") => Ok(Self::SoftmaxZero),
            Some("PROBIT") => Ok(Self::Probit),
            Some(other) => bail!("post_transform is {other}, which is unknown"),
        }
    }

    /// By its number in `TreeEnsemble`.
    pub(super) fn numbered(number: i64) -> TractResult<Self> {
        match number {
            0 => Ok(Self::None),
            1 => Ok(Self::Softmax),
            2 => Ok(Self::Logistic),
            3 => Ok(Self::SoftmaxZero),
            4 => Ok(Self::Probit),
            other => bail!("post_transform is {other}, expected 0 to 4"),
        }
    }

    /// As [`Self::apply`], but for a single score, which ONNX Runtime leaves as it is but for PROBIT.
    pub(super) fn apply_to_targets<T: Real>(self, scores: &mut [T]) {
        if scores.len() != 1 || self == Self::Probit {
            self.apply(scores);
        }
    }

    /// Transforms the scores of one row in place.
    pub(super) fn apply<T: Real>(self, scores: &mut [T]) {
        match self {
            Self::None => {}
            Self::Softmax => softmax(scores),
            Self::Logistic => each(scores, logistic),
            Self::SoftmaxZero => softmax_zero(scores),
            Self::Probit => each(scores, probit),
        }
    }
}

fn each<T: Real>(scores: &mut [T], transform: impl Fn(f32) -> f32) {
    for score in scores {
        *score = T::nearest(transform(score.single()).into());
    }
}

fn largest<T: Real>(scores: &[T]) -> T {
    let larger = |most: T, score: &T| if *score > most { *score } else { most };
    scores.iter().fold(T::nearest(f32::MIN.into()), larger)
}

fn softmax<T: Real>(scores: &mut [T]) {
    let most = largest(scores);
    let mut sum = T::default();
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    divide(scores, sum);
}

/// A score of nought, which stands for none, keeps out of the sum.
fn softmax_zero<T: Real>(scores: &mut [T]) {
    const NOUGHT: f64 = 1e-7;
    let most = largest(scores);
    let scale = (-most).exp();
    let mut sum = T::default();
    for score in scores.iter_mut() {
        if score.wide().abs() > NOUGHT {
            *score = (*score - most).exp();
            sum += *score;
        } else {
            *score = T::nearest(score.wide() * scale.wide());
        }
    }
    divide(scores, sum);
}

fn divide<T: Real>(scores: &mut [T], by: T) {
    for score in scores {
        *score = *score / by;
    }
}

pub(super) fn logistic(score: f32) -> f32 {
    let of_abs = 1.0 / (1.0 + (-score.abs()).exp());
    if score < 0.0 { 1.0 - of_abs } else { of_abs }
}

/// The normal quantile by Winitzki's approximation of the inverse error function (2008, eq. 7),
/// in the order of ONNX Runtime.
pub(super) fn probit(share: f32) -> f32 {
    const A: f32 = 0.147;
    let x = 2.0 * share - 1.0;
    let log = ((1.0 - x) * (1.0 + x)).ln();
    let half = 2.0 / (std::f32::consts::PI * A) + 0.5 * log;
    let root = (-half + (half * half - 1.0 / A * log).sqrt()).sqrt();
    let sign = if x < 0.0 { -1.0 } else { 1.0 };
    std::f32::consts::SQRT_2 * (sign * root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(transform: Transform, scores: &[f32], expected: &[f32]) {
        let mut found = scores.to_vec();
        transform.apply(&mut found);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn softmax_does_not_overflow() {
        check(Transform::Softmax, &[1000.0, 1000.0], &[0.5, 0.5]);
        check(Transform::Softmax, &[0.0, 3.0_f32.ln()], &[0.25, 0.75]);
    }

    #[test]
    fn softmax_zero_leaves_noughts_out() {
        check(Transform::SoftmaxZero, &[0.0, 1.0, 1.0], &[0.0, 0.5, 0.5]);
    }

    #[test]
    fn logistic_is_symmetric() {
        check(
            Transform::Logistic,
            &[3.0_f32.ln(), -3.0_f32.ln()],
            &[0.75, 0.25],
        );
    }

    /// Normal quantiles; the approximation is good to about three digits.
    #[test]
    fn probit_is_the_normal_quantile() {
        let mut found = [0.5_f32, 0.975, 0.025];
        Transform::Probit.apply(&mut found);
        for (found, expected) in found.iter().zip([0.0, 1.959_964, -1.959_964]) {
            assert!((found - expected).abs() < 0.005, "{found} {expected}");
        }
    }

    #[test]
    fn a_transform_of_another_name_is_refused() {
        let error = Transform::named(Some("SOFTPLUS")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "post_transform is SOFTPLUS, which is unknown"
        );
        assert!(Transform::numbered(5).is_err());
    }
}
