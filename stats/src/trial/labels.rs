//! The label e-process on histograms: of a distribution, or as the alarm behind a mean.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Closing, Numbers};
use crate::{
    design::{Kind, Scale, Side},
    evidence::{Cell, GAMMA, Histogram},
    label::{Bin, Label},
};

/// A label e-process with the margin that B's numbers may be larger by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Labels {
    /// Scores are ln y rather than ln(1 + y).
    logarithms: bool,
    allowance: i32,
    side: Side,
    test: Label,
}

impl Labels {
    pub(crate) fn new(kind: Kind, side: Side, allowance: i32) -> Self {
        let linear = matches!(
            kind,
            Kind::Mean {
                scale: Scale::Linear
            } | Kind::Adjusted {
                scale: Scale::Linear
            }
        );
        Self {
            logarithms: !linear,
            allowance,
            side,
            test: Label::new(side),
        }
    }

    pub(crate) fn close(&mut self, arm: usize, closing: &Closing<'_>) {
        let (Some(control), Some(candidate)) = (closing.cells.first(), closing.cells.get(arm))
        else {
            return;
        };
        let bins = self.bins(control, candidate);
        let odds = closing.odds(arm);
        self.test.add(bins.iter().copied(), odds / (1.0 + odds));
    }

    pub(crate) fn log_e(&self) -> f64 {
        self.test.log_e()
    }

    pub(crate) fn numbers(&self) -> Numbers {
        Numbers::Label {
            side: self.side,
            allowance: self.allowance,
            gains: self.test.gains().to_vec(),
        }
    }

    fn bins(&self, control: &Cell, candidate: &Cell) -> Vec<Bin> {
        let mut counts: BTreeMap<Option<i32>, [u64; 2]> = BTreeMap::new();
        for (arm, cell, allowance) in [(0, control, 0), (1, candidate, self.allowance)] {
            let Some(seen) = &cell.histogram else {
                continue;
            };
            counts.entry(None).or_default()[arm] += seen.none();
            for (bin, count) in seen.bins() {
                let bin = bin.saturating_sub(allowance);
                counts.entry(Some(bin)).or_default()[arm] += count;
            }
        }
        let bins = counts.into_iter().filter(|(_, [a, b])| a + b > 0);
        bins.map(|(bin, [a, b])| Bin {
            u: self.score(bin),
            a,
            b,
        })
        .collect()
    }

    /// At the middle of the bin; what is nought or less scores as the smallest number there is.
    fn score(&self, bin: Option<i32>) -> f64 {
        let bin = bin.unwrap_or(crate::evidence::BIN_MIN);
        if self.logarithms {
            (f64::from(bin) + 0.5) * GAMMA.ln()
        } else {
            Histogram::middle(bin).ln_1p()
        }
    }
}
