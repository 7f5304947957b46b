//! Reproducible chance: the same seed replays the same traffic.

/// A stream of numbers that look random (SplitMix64; Steele, Lea, Flood, OOPSLA 2014).
pub(super) struct Chance(u64);

impl Chance {
    /// Stream number `stream` of `seed`; streams do not resemble each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed);
        Self(mixed.draw() ^ stream.wrapping_mul(0xd134_2543_de82_ef95))
    }

    /// A number from 0 up to but not including `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let wide = u128::from(self.draw()) * end as u128;
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, stream: u64) -> Vec<usize> {
        let mut chance = Chance::new(seed, stream);
        (0..1_000).map(|_| chance.below(10)).collect()
    }

    #[test]
    fn a_seed_repeats_itself_and_differs_from_others() {
        assert_eq!(draws(1, 0), draws(1, 0));
        assert_ne!(draws(1, 0), draws(2, 0));
        assert_ne!(draws(1, 0), draws(1, 1));
    }

    #[test]
    fn every_value_comes_about_as_often() {
        let drawn = draws(7, 3);
        for value in 0..10 {
            let times = drawn.iter().filter(|&&other| other == value).count();
            assert!((60..=140).contains(&times), "{value} came {times} times");
        }
    }
}
