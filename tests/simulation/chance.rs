//! Chance from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), small enough to stay the same
//! whatever becomes of any library.

/// A stream of numbers that its seed determines.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
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

    /// 1 with this chance, else 0.
    pub(crate) fn one(&mut self, chance: f64) -> f64 {
        f64::from(u8::from(self.uniform() < chance))
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

    /// How many of `n` happen, by inversion; for n · chance below 700.
    pub(crate) fn binomial(&mut self, n: u64, chance: f64) -> u64 {
        let odds = chance / (1.0 - chance);
        let mut mass = (n as f64 * (-chance).ln_1p()).exp();
        let mut left = self.uniform();
        let mut happened = 0;
        while left > mass && happened < n {
            left -= mass;
            mass *= odds * (n - happened) as f64 / (happened + 1) as f64;
            happened += 1;
        }
        happened
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

#[test]
fn draws_have_the_moments_that_they_should() {
    let mut chance = Chance::seeded(1);
    let draws = 20_000;
    let mut mean = |draw: &mut dyn FnMut(&mut Chance) -> f64| {
        (0..draws).map(|_| draw(&mut chance)).sum::<f64>() / f64::from(draws)
    };
    assert!((mean(&mut |c| c.uniform()) - 0.5).abs() < 0.01);
    assert!((mean(&mut |c| c.binomial(200, 0.05) as f64) - 10.0).abs() < 0.1);
    assert!(mean(&mut |c| c.normal()).abs() < 0.03);
    assert!((mean(&mut |c| c.normal().powi(2)) - 1.0).abs() < 0.05);
}
