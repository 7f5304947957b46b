//! The ends of an interval that is a test turned round: all nulls that are not rejected.

/// How far from the estimate an end is looked for, in log odds or in the logarithm of a ratio.
pub(crate) const REACH: f64 = 30.0;

/// Where nulls stop being `held` on the way from the estimate to `edge`. None if the estimate itself is
/// rejected, or nothing is up to the edge. ln E falls towards the estimate and rises beyond it, so there
/// is one such place.
pub(crate) fn end(held: impl Fn(f64) -> bool, estimate: f64, edge: f64) -> Option<f64> {
    let (mut inside, mut outside) = (estimate, edge);
    (held(inside) && !held(outside)).then(|| {
        // Halved to 30 / 2⁶⁰, below the spacing of doubles.
        for _ in 0..60 {
            let middle = f64::midpoint(inside, outside);
            if held(middle) {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        outside
    })
}
