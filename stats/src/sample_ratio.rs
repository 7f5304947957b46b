//! Whether the arms get the shares that were asked for. If not, something loses or favours requests,
//! and no comparison of outcomes is sound.
//!
//! A Dirichlet mixture around the shares, one factor an epoch. It freezes promotion and alerts; it does
//! not blame the candidate. Lindon and Malek, "Anytime-valid inference for multinomial count data"
//! (NeurIPS 2022).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    evidence::{Delta, First},
    special::ln_beta_of_all,
};

/// How many observations the prior is worth.
pub const PRIOR: f64 = 1000.0;

/// The chance of a false alarm over the whole run.
pub const ALPHA: f64 = 0.01;

/// How many returning units are told apart, at some 16 bytes each. When they are as many, counting goes on
/// with half of all units, chosen by a hash that knows nothing of arms, and so on: what is counted stays
/// multinomial in the shares, so the e-value stays one, and grows more slowly.
pub const UNITS_MAX: usize = 1 << 20;

/// A share below this is taken for this, so that a request on an arm without a share is overwhelming
/// evidence rather than no number.
const SHARE_MIN: f64 = 1e-9;

/// Counts of what was assigned, and the test of their ratio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRatio {
    sticky: bool,
    epochs: Vec<Assigned>,
    /// Which arms each unit was seen on, as bits; of units that are counted still.
    seen: BTreeMap<u64, u64>,
    /// How many of them may be told apart.
    seen_max: usize,
    /// How often that was halved: one unit of 2 to this power is counted.
    halvings: u32,
    /// How many units each arm has seen, first there or not: a ramp moves returning units.
    present: Vec<u64>,
    log_e: f64,
    alarm: bool,
}

/// That an arm met a unit for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) tick: u64,
    pub(crate) arm: usize,
    pub(crate) unit: u64,
}

/// What was assigned within one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Assigned {
    shares: Vec<f64>,
    /// Requests by arm.
    exposures: Vec<u64>,
    /// Units by arm, each in the epoch of its first exposure; unused where units do not return.
    units: Vec<u64>,
}

impl SampleRatio {
    pub(crate) fn new(arms: usize, sticky: bool) -> Self {
        Self {
            sticky,
            epochs: vec![],
            seen: BTreeMap::new(),
            seen_max: UNITS_MAX,
            halvings: 0,
            present: vec![0; arms],
            log_e: 0.0,
            alarm: false,
        }
    }

    pub(crate) fn open_epoch(&mut self, shares: &[f64]) {
        let zeros = vec![0; shares.len()];
        let shares = shares.to_vec();
        self.epochs.push(Assigned {
            shares,
            exposures: zeros.clone(),
            units: zeros,
        });
    }

    /// Counts what a delta saw assigned, in epochs that are known, and gives the units that met an arm for
    /// the first time.
    pub(crate) fn absorb(&mut self, delta: &Delta) -> Vec<Arrival> {
        for seen in &delta.exposures {
            let Some(assigned) = assigned(&mut self.epochs, seen.epoch) else {
                continue;
            };
            for (ours, theirs) in assigned.exposures.iter_mut().zip(&seen.counts) {
                *ours += theirs;
            }
        }
        // The earlier first: a unit counts in the epoch in which it came, on whichever arm that was.
        let mut units: Vec<_> = delta
            .units
            .iter()
            .map(|(&unit, &first)| (first, unit))
            .collect();
        units.sort_unstable();
        let arrived = units
            .into_iter()
            .filter_map(|(first, (unit, arm))| self.count_unit(unit, arm, first))
            .collect();
        self.log_e = self
            .epochs
            .iter()
            .map(|epoch| epoch.log_e(self.sticky))
            .sum();
        self.alarm |= self.log_e >= (1.0 / ALPHA).ln();
        arrived
    }

    /// ln E now.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        self.log_e
    }

    /// Whether ln E ever reached ln(1/α).
    #[must_use]
    pub fn alarm(&self) -> bool {
        self.alarm
    }

    /// How many epochs were opened.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs.len()
    }

    /// The shares of traffic in an epoch, by arm.
    pub(crate) fn shares(&self, epoch: u32) -> &[f64] {
        let assigned = usize::try_from(epoch)
            .ok()
            .and_then(|epoch| self.epochs.get(epoch));
        assigned.map_or(&[], |assigned| &assigned.shares)
    }

    /// The share of each candidate, by epoch.
    #[must_use]
    pub fn candidate_shares(&self) -> Vec<f64> {
        let share = |epoch: &Assigned| epoch.shares.get(1).copied().unwrap_or_default();
        self.epochs.iter().map(share).collect()
    }

    /// How many requests an arm was given.
    #[must_use]
    pub fn exposures(&self, arm: usize) -> u64 {
        self.epochs
            .iter()
            .filter_map(|epoch| epoch.exposures.get(arm))
            .sum()
    }

    /// One unit of so many is counted by now.
    #[must_use]
    pub fn sampling(&self) -> u64 {
        1 << self.halvings.min(63)
    }

    /// How many units an arm has seen: requests, where units do not return. Past [`UNITS_MAX`], how many
    /// were counted.
    #[must_use]
    pub fn units(&self, arm: usize) -> u64 {
        if self.sticky {
            self.present.get(arm).copied().unwrap_or(0)
        } else {
            self.exposures(arm)
        }
    }

    fn count_unit(&mut self, unit: u64, arm: usize, first: First) -> Option<Arrival> {
        let assigned = assigned(&mut self.epochs, first.epoch)?;
        let count = assigned.units.get_mut(arm)?;
        if !is_counted(unit, self.halvings) {
            return None;
        }
        let bit = 1 << arm;
        match self.seen.get_mut(&unit) {
            Some(arms) if *arms & bit != 0 => return None,
            Some(arms) => *arms |= bit,
            None => {
                self.seen.insert(unit, bit);
                *count += 1;
            }
        }
        if self.seen.len() >= self.seen_max {
            self.halvings += 1;
            let halvings = self.halvings;
            self.seen.retain(|&unit, _| is_counted(unit, halvings));
        }
        *self.present.get_mut(arm)? += 1;
        Some(Arrival {
            tick: first.tick,
            arm,
            unit,
        })
    }
}

/// Whether a unit is among the counted ones after so many halvings. Its arm follows from its hash too, so
/// that hash is mixed again (the finalizer of `SplitMix64`: Steele, Lea and Flood, OOPSLA 2014).
fn is_counted(unit: u64, halvings: u32) -> bool {
    let mixed = (unit ^ (unit >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).leading_zeros() >= halvings
}

fn assigned(epochs: &mut [Assigned], epoch: u32) -> Option<&mut Assigned> {
    epochs.get_mut(usize::try_from(epoch).ok()?)
}

impl Assigned {
    fn counts(&self, sticky: bool) -> &[u64] {
        if sticky { &self.units } else { &self.exposures }
    }

    fn log_e(&self, sticky: bool) -> f64 {
        log_e(self.counts(sticky), &self.shares, PRIOR)
    }
}

/// ln E of counts against shares, with a prior worth `k` observations.
#[must_use]
pub fn log_e(counts: &[u64], shares: &[f64], k: f64) -> f64 {
    let arms = || {
        counts
            .iter()
            .zip(shares)
            .map(|(&count, &share)| (count as f64, share.max(SHARE_MIN)))
    };
    let prior: Vec<f64> = arms().map(|(_, share)| k * share).collect();
    let posterior: Vec<f64> = arms().map(|(count, share)| k * share + count).collect();
    let chance: f64 = arms().map(|(count, share)| count * share.ln()).sum();
    ln_beta_of_all(&posterior) - ln_beta_of_all(&prior) - chance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Design, Unit};

    fn ratio(unit: Unit, epochs: &[[f64; 2]]) -> (SampleRatio, Delta) {
        let mut ratio = SampleRatio::new(2, unit == Unit::Sticky);
        epochs.iter().for_each(|shares| ratio.open_epoch(shares));
        (ratio, Delta::new(&design(unit)))
    }

    fn design(unit: Unit) -> Design {
        Design {
            arms: 2,
            unit,
            metrics: vec![],
            alpha: 0.05,
            end: None,
            goals: crate::Goals::All,
        }
    }

    #[test]
    fn the_average_over_what_chance_may_do_is_one() {
        use statrs::function::factorial::ln_binomial;
        let (n, share) = (80, 0.05_f64);
        let mean: f64 = (0..=n)
            .map(|b| {
                let chance =
                    ln_binomial(n, b) + b as f64 * share.ln() + (n - b) as f64 * (1.0 - share).ln();
                (chance + log_e(&[n - b, b], &[1.0 - share, share], PRIOR)).exp()
            })
            .sum();
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    proptest::proptest! {
        /// The mixture one by one, as Pólya's urn: E is the product of predicted over asked-for shares.
        #[test]
        fn evidence_is_that_of_betting_one_by_one(
            arms in proptest::collection::vec(0..3_usize, 0..200),
            k in 1.0..2000.0_f64,
        ) {
            let shares = [0.7, 0.2, 0.1];
            let (mut counts, mut slow) = ([0_u64; 3], 0.0);
            for arm in arms {
                let all: u64 = counts.iter().sum();
                let predicted = (k * shares[arm] + counts[arm] as f64) / (k + all as f64);
                slow += (predicted / shares[arm]).ln();
                counts[arm] += 1;
            }
            let fast = log_e(&counts, &shares, k);
            proptest::prop_assert!((slow - fast).abs() < 1e-9, "{} is not {}", fast, slow);
        }
    }

    #[test]
    fn right_shares_raise_no_alarm_and_wrong_ones_do() {
        let (mut ratio, mut delta) = ratio(Unit::Request, &[[0.5, 0.5]]);
        (0..10_000).for_each(|i| delta.expose(0, 0, i % 2, 0));
        ratio.absorb(&delta);
        assert!(!ratio.alarm() && ratio.log_e() < 0.0, "{}", ratio.log_e());

        delta.exposures.clear();
        (0..1000).for_each(|_| delta.expose(0, 0, 1, 0));
        ratio.absorb(&delta);
        assert!(ratio.alarm(), "{}", ratio.log_e());
    }

    #[test]
    fn a_returning_unit_counts_once_in_its_first_epoch() {
        let (mut ratio, mut delta) = ratio(Unit::Sticky, &[[0.9, 0.1], [0.5, 0.5]]);
        for unit in [1, 2, 1, 1] {
            delta.expose(0, 0, 0, unit);
        }
        ratio.absorb(&delta);
        delta.units.clear();
        delta.expose(1, 5, 1, 2);
        delta.expose(1, 5, 1, 3);
        ratio.absorb(&delta);
        let firsts: Vec<&[u64]> = ratio
            .epochs
            .iter()
            .map(|epoch| epoch.counts(true))
            .collect();
        assert_eq!(firsts, [[2, 0], [0, 1]]);
        // Unit 2 moved to the candidate, which has now seen two.
        assert_eq!([ratio.units(0), ratio.units(1)], [2, 2]);
    }

    /// Many more units than are told apart, each of which returns; by their hash one in `of` is on the
    /// candidate. Gives how many were told apart at most.
    fn crowd(ratio: &mut SampleRatio, design: &Design, first: u64, of: u64) -> usize {
        let hash = |unit: u64| unit.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut most = 0;
        for tick in 0..100 {
            let mut delta = Delta::new(design);
            for i in 0..200 {
                // Half of the units have come before.
                let unit = hash(first + 100 * tick + i);
                let arm = usize::from((unit >> 32) % of == 0);
                delta.expose(0, tick, arm, unit);
            }
            ratio.absorb(&delta);
            most = most.max(ratio.seen.len());
        }
        most
    }

    #[test]
    fn past_the_limit_a_part_of_the_units_is_counted_on() {
        let (mut ratio, _) = ratio(Unit::Sticky, &[[0.75, 0.25]]);
        let design = design(Unit::Sticky);
        ratio.seen_max = 500;
        assert!(crowd(&mut ratio, &design, 0, 4) <= 500);
        assert!(ratio.sampling() >= 16, "{}", ratio.sampling());
        let counted = ratio.units(0) + ratio.units(1);
        assert!((1000..5000).contains(&counted), "{counted} of 10 100");
        assert!(!ratio.alarm(), "{}", ratio.log_e());
        // Shares go wrong only now, when few are counted: it is still found.
        for round in 0..60 {
            crowd(&mut ratio, &design, 1_000_000 * (round + 1), 2);
        }
        assert!(ratio.alarm(), "{}", ratio.log_e());
    }

    #[test]
    fn right_shares_past_the_limit_raise_few_alarms() {
        const RUNS: u64 = 1000;
        let alarms = (0..RUNS).filter(|run| {
            let (mut ratio, _) = ratio(Unit::Sticky, &[[0.75, 0.25]]);
            let design = design(Unit::Sticky);
            ratio.seen_max = 200;
            crowd(&mut ratio, &design, run << 32, 4);
            ratio.alarm()
        });
        let (alarms, runs) = (alarms.count() as f64, RUNS as f64);
        let bar = ALPHA * runs + 3.0 * (ALPHA * (1.0 - ALPHA) * runs).sqrt();
        assert!(alarms <= bar, "{alarms} of {runs}");
    }

    #[test]
    fn a_request_on_an_arm_without_a_share_is_an_alarm() {
        let (mut ratio, mut delta) = ratio(Unit::Request, &[[1.0, 0.0]]);
        (0..100).for_each(|_| delta.expose(0, 0, 0, 0));
        ratio.absorb(&delta);
        assert!(!ratio.alarm());
        delta.expose(0, 0, 1, 0);
        delta.expose(0, 0, 1, 0);
        ratio.absorb(&delta);
        assert!(ratio.alarm() && ratio.log_e().is_finite());
    }

    #[test]
    fn evidence_stays_a_number_at_a_thousand_million() {
        let log_e = log_e(&[1_000_000_000, 0], &[0.5, 0.5], PRIOR);
        assert!(log_e > 1e4 && log_e.is_finite());
    }
}
