//! Chance from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), small enough to stay the same
//! whatever becomes of any library, and the distributions that a run draws from.
//!
//! Counts are drawn by inversion from the mode outwards, which is exact and costs as many steps as the
//! draw is away from the mode.

/// A stream of numbers that its seed determines.
pub(crate) struct Chance(u64);

impl Chance {
    /// Neighbouring seeds give unrelated streams.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Self(seed).word())
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform, at least 0 and below 1.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 * 2.0_f64.powi(-53)
    }

    /// Whether something of this chance happens.
    pub(crate) fn happens(&mut self, chance: f64) -> bool {
        self.uniform() < chance
    }

    /// 1 with this chance, else 0.
    pub(crate) fn one(&mut self, chance: f64) -> f64 {
        f64::from(u8::from(self.happens(chance)))
    }

    /// A position among so many.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and below `end`"
    )]
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.uniform() * end as f64) as usize
    }

    /// How many of `n` happen.
    pub(crate) fn binomial(&mut self, n: u64, chance: f64) -> u64 {
        if chance > 0.5 {
            return n - self.binomial(n, 1.0 - chance);
        }
        if n == 0 || chance <= 0.0 {
            return 0;
        }
        let (count, odds) = (n as f64, chance / (1.0 - chance));
        let mode = ((count + 1.0) * chance).floor().min(count);
        let ln_choices = ln_factorial(count) - ln_factorial(mode) - ln_factorial(count - mode);
        let ln_mass = ln_choices + mode * chance.ln() + (count - mode) * (-chance).ln_1p();
        self.outwards(
            mode,
            ln_mass.exp(),
            |j| odds * (count - j) / (j + 1.0),
            |j| j / ((count - j + 1.0) * odds),
        )
    }

    /// How many happen where `mean` do on average, each on its own.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let mode = mean.floor();
        let ln_mass = mode * mean.ln() - mean - ln_factorial(mode);
        self.outwards(mode, ln_mass.exp(), |j| mean / (j + 1.0), |j| j / mean)
    }

    /// Inversion from the mode: `up` and `down` are the ratios of a mass to that of its neighbour.
    fn outwards(
        &mut self,
        mode: f64,
        mass: f64,
        up: impl Fn(f64) -> f64,
        down: impl Fn(f64) -> f64,
    ) -> u64 {
        let mut left = self.uniform() - mass;
        let (mut high, mut above, mut low, mut below) = (mode, mass, mode, mass);
        // What rounding leaves over once no mass is left falls to the mode.
        while left >= 0.0 && above + below > 1e-300 {
            above *= up(high);
            high += 1.0;
            left -= above;
            if left < 0.0 {
                return whole(high);
            }
            below *= down(low);
            low -= 1.0;
            left -= below;
            if left < 0.0 {
                return whole(low);
            }
        }
        whole(mode)
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Gamma with this shape and scale 1 (Marsaglia and Tsang, ACM TOMS 26, 2000).
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let part = (1.0 - self.uniform()).powf(1.0 / shape);
            // Nothing here could tell such a number from nought, and small shapes give little else.
            let nought = part < 1e-15;
            return if nought {
                0.0
            } else {
                part * self.gamma(shape + 1.0)
            };
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let accepted = 0.5 * x * x + d - d * v + d * v.max(f64::MIN_POSITIVE).ln();
            if v > 0.0 && (1.0 - self.uniform()).ln() < accepted {
                return d * v;
            }
        }
    }

    /// Beta with these parameters.
    pub(crate) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        if x > 0.0 {
            x / (x + self.gamma(b))
        } else {
            0.0
        }
    }
}

/// ln n!, by Stirling's series from 16 on.
fn ln_factorial(n: f64) -> f64 {
    if n < 16.0 {
        return (1..=whole(n)).map(|i| i as f64).product::<f64>().ln();
    }
    let x = n + 1.0;
    let series = 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3)) + 1.0 / (1260.0 * x.powi(5));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and positions: not negative, and far below 2⁵³"
)]
fn whole(count: f64) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of many draws, each within five standard errors of what it should be.
    #[track_caller]
    fn check(mean: f64, variance: f64, draw: impl Fn(&mut Chance) -> f64) {
        let mut chance = Chance::seeded(1);
        let draws: Vec<f64> = (0..40_000).map(|_| draw(&mut chance)).collect();
        let count = draws.len() as f64;
        let found = draws.iter().sum::<f64>() / count;
        assert!(
            (found - mean).abs() < 5.0 * (variance / count).sqrt(),
            "{found}"
        );
        let squares: Vec<f64> = draws.iter().map(|y| (y - mean).powi(2)).collect();
        let spread = squares.iter().sum::<f64>() / count;
        let fourth = squares.iter().map(|s| (s - spread).powi(2)).sum::<f64>() / count;
        let error = (fourth / count).sqrt();
        assert!((spread - variance).abs() < 5.0 * error, "{spread}");
    }

    #[test]
    fn draws_have_the_moments_that_they_should() {
        check(0.5, 1.0 / 12.0, Chance::uniform);
        check(0.0, 1.0, Chance::normal);
        for shape in [0.3, 1.0, 7.5, 400.0] {
            check(shape, shape, |chance| chance.gamma(shape));
        }
        check(0.25, 0.25 * 0.75 / 10.0, |chance| chance.beta(2.25, 6.75));
    }

    #[test]
    fn counts_have_the_moments_that_they_should() {
        for (n, chance) in [
            (1, 0.3),
            (200, 0.001),
            (2000, 0.5),
            (9, 0.9),
            (100_000, 0.2),
        ] {
            let mean = n as f64 * chance;
            check(mean, mean * (1.0 - chance), |c| {
                c.binomial(n, chance) as f64
            });
        }
        for mean in [0.02, 3.7, 250.0] {
            check(mean, mean, |chance| chance.poisson(mean) as f64);
        }
    }

    #[test]
    fn small_counts_have_the_masses_that_they_should() {
        let mut chance = Chance::seeded(2);
        let draws = 40_000;
        let threes = (0..draws).filter(|_| chance.binomial(5, 0.4) == 3).count();
        let mass = 10.0 * 0.4_f64.powi(3) * 0.6_f64.powi(2);
        let error = (mass * (1.0 - mass) / f64::from(draws)).sqrt();
        assert!((threes as f64 / f64::from(draws) - mass).abs() < 5.0 * error);
    }

    #[test]
    fn the_same_seed_gives_the_same_draws_and_another_does_not() {
        let words = |seed| {
            let mut chance = Chance::seeded(seed);
            [chance.word(), chance.word()]
        };
        assert_eq!(words(7), words(7));
        assert_ne!(words(7), words(8));
    }
}
