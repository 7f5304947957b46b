//! Ticks too small to stand alone.

use serde::{Deserialize, Serialize};

use crate::{conditional::Table, evidence::Tally};

/// Ticks are merged until the smaller arm has so many: the sums over a table cost the same whether it
/// is large or small.
const ARM_MIN: u64 = 50;

/// Consecutive ticks of one epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Block {
    epoch: u32,
    control: Tally,
    candidate: Tally,
}

impl Block {
    /// Adds a tick, and gives what is complete by that: at most the rest of the last epoch, and this
    /// block. Completion depends on counts of requests only, never on outcomes.
    pub(crate) fn add(&mut self, epoch: u32, control: &Tally, candidate: &Tally) -> Vec<Table> {
        let mut tables = Vec::new();
        if epoch != self.epoch {
            tables.extend(self.take());
            self.epoch = epoch;
        }
        self.control.merge(control);
        self.candidate.merge(candidate);
        if self.control.n.min(self.candidate.n) >= ARM_MIN {
            tables.extend(self.take());
        }
        tables
    }

    fn take(&mut self) -> Option<Table> {
        let Self {
            control, candidate, ..
        } = std::mem::take(self);
        let table = Table {
            n_a: control.n,
            n_b: candidate.n,
            s_a: control.ones(),
            s_b: candidate.ones(),
        };
        table.informs().then_some(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(n: u64, ones: u32) -> Tally {
        Tally {
            n,
            sum: f64::from(ones),
            square: f64::from(ones),
        }
    }

    #[test]
    fn small_ticks_wait_until_the_smaller_arm_has_fifty() {
        let mut block = Block::default();
        assert_eq!(block.add(0, &tally(900, 9), &tally(49, 1)), []);
        let table = Table {
            n_a: 1800,
            n_b: 98,
            s_a: 18,
            s_b: 2,
        };
        assert_eq!(block.add(0, &tally(900, 9), &tally(49, 1)), [table]);
    }

    #[test]
    fn blocks_never_span_epochs() {
        let mut block = Block::default();
        assert_eq!(block.add(0, &tally(30, 3), &tally(10, 2)), []);
        let rest = Table {
            n_a: 30,
            n_b: 10,
            s_a: 3,
            s_b: 2,
        };
        assert_eq!(block.add(1, &tally(30, 3), &tally(10, 1)), [rest]);
        let next = Table {
            n_a: 80,
            n_b: 60,
            s_a: 6,
            s_b: 3,
        };
        assert_eq!(block.add(1, &tally(50, 3), &tally(50, 2)), [next]);
    }
}
