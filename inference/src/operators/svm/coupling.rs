//! Probabilities of classes from those of their pairs.
//!
//! The second method of Wu, Lin and Weng, "Probability estimates for multi-class classification by
//! pairwise coupling", JMLR 5 (2004), Algorithm 2, with the bounds that LIBSVM and ONNX Runtime set.

/// Nothing is certain.
const LEAST: f32 = 1e-7;
const ROUNDS: usize = 100;

/// `shares` holds for each pair of classes, in order, how probable its first is.
pub(super) fn probabilities(classes: usize, shares: &[f32]) -> Vec<f32> {
    let pairs = matrix(classes, shares);
    let share = |first: usize, second: usize| {
        pairs
            .get(first * classes + second)
            .copied()
            .unwrap_or_default()
    };
    let quadratic: Vec<Vec<f32>> = (0..classes)
        .map(|first| {
            let line = (0..classes).map(|second| {
                if first == second {
                    let others = (0..classes).filter(|other| *other != first);
                    others.map(|other| share(other, first).powi(2)).sum()
                } else {
                    -share(second, first) * share(first, second)
                }
            });
            line.collect()
        })
        .collect();
    solve(&quadratic)
}

fn matrix(classes: usize, shares: &[f32]) -> Vec<f32> {
    let mut pairs = vec![0.0; classes * classes];
    let mut shares = shares.iter();
    let mut set = |first: usize, second: usize, share: f32| {
        pairs
            .get_mut(first * classes + second)
            .into_iter()
            .for_each(|pair| *pair = share);
    };
    for first in 0..classes {
        for second in first + 1..classes {
            let share = shares.next().copied().unwrap_or_default();
            let share = share.clamp(LEAST, 1.0 - LEAST);
            set(first, second, share);
            set(second, first, 1.0 - share);
        }
    }
    pairs
}

/// Goes down one coordinate after the other until all gradients are alike.
fn solve(quadratic: &[Vec<f32>]) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "classes are few")]
    let classes = quadratic.len() as f32;
    let mut shares = vec![1.0 / classes; quadratic.len()];
    for _ in 0..ROUNDS {
        let dot = |line: &Vec<f32>| line.iter().zip(&shares).map(|(q, p)| q * p).sum::<f32>();
        let mut gradient: Vec<f32> = quadratic.iter().map(dot).collect();
        let mut whole: f32 = gradient.iter().zip(&shares).map(|(g, p)| g * p).sum();
        let error = gradient.iter().map(|gradient| (gradient - whole).abs());
        if error.fold(0.0, f32::max) < 0.005 / classes {
            break;
        }
        for (class, line) in quadratic.iter().enumerate() {
            let (Some(own), Some(down)) = (line.get(class), gradient.get(class).copied()) else {
                continue;
            };
            let step = (whole - down) / own;
            shares
                .get_mut(class)
                .into_iter()
                .for_each(|share| *share += step);
            let scale = 1.0 + step;
            whole = (whole + step * (step * own + 2.0 * down)) / scale / scale;
            for (gradient, q) in gradient.iter_mut().zip(line) {
                *gradient = (*gradient + step * q) / scale;
            }
            shares.iter_mut().for_each(|share| *share /= scale);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_classes_the_pair_is_the_answer() {
        let found = probabilities(2, &[0.75]);
        assert!((found[0] - 0.75).abs() < 1e-3, "{found:?}");
    }

    #[test]
    fn classes_that_win_alike_are_alike_probable() {
        let found = probabilities(3, &[0.5, 0.5, 0.5]);
        assert!(
            found.iter().all(|share| (share - 1.0 / 3.0).abs() < 1e-6),
            "{found:?}"
        );
    }

    #[test]
    fn pairs_that_agree_with_probabilities_give_them_back() {
        // 0.6, 0.3, 0.1: each pair has the share of its first among the two.
        let found = probabilities(3, &[0.6 / 0.9, 0.6 / 0.7, 0.3 / 0.4]);
        for (found, expected) in found.iter().zip([0.6, 0.3, 0.1]) {
            assert!((found - expected).abs() < 2e-3, "{found} {expected}");
        }
    }
}
