//! A worker's own source of numbers for request ids and per-request assignment.

use std::cell::Cell;

/// `SplitMix64` (Steele, Lea, Flood 2014): one addition and three mixes a number, equidistributed over its whole
/// period of 2^64. Seeded by the operating system; nothing secret is made of it.
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    /// A source that no other worker shares.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self(Cell::new(getrandom::u64()?)))
    }

    /// The next number.
    pub(crate) fn draw(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// Where a number stands among all that can be drawn, from 0 to 1: by its first 53 bits, which are what a double
/// tells apart.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits are what a double holds"
)]
pub(crate) fn fraction(drawn: u64) -> f64 {
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        // The first outputs for seed 1234567 of the reference implementation by Vigna.
        let chance = Chance(Cell::new(1_234_567));
        assert_eq!(
            [chance.draw(), chance.draw()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }
}
