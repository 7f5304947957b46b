//! Progress on a terminal: a block for each experiment that is drawn over itself.

use std::fmt::Write;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::event;
use crate::cli::experiment::{Experiment, percent};
use crate::demo::replay::Tally;

pub(super) struct Picture {
    blocks: MultiProgress,
    experiments: Vec<(Experiment, ProgressBar)>,
    footer: ProgressBar,
}

impl Picture {
    pub(super) fn new() -> Self {
        let blocks = MultiProgress::new();
        let footer = blocks.add(block());
        Self {
            blocks,
            experiments: Vec::new(),
            footer,
        }
    }

    /// A sentence above the blocks. Nobody to read it is no error.
    pub(super) fn say(&self, sentence: &str) {
        self.blocks.println(sentence).ok();
    }

    pub(super) fn show(&mut self, experiments: &[Experiment], tally: Tally) {
        for now in experiments {
            let known = self
                .experiments
                .iter()
                .position(|(before, _)| before.name == now.name);
            let before = known
                .and_then(|place| self.experiments.get(place))
                .map(|(before, _)| before);
            if now.is_over()
                && let Some(sentence) = event(before, now)
            {
                self.say(&sentence);
            }
            let place = known.unwrap_or_else(|| self.open(now));
            if let Some((before, bar)) = self.experiments.get_mut(place) {
                bar.set_message(text(now));
                before.clone_from(now);
            }
        }
        self.footer.set_message(tally.to_string());
    }

    /// Leaves what is there.
    pub(super) fn rest(&self) {
        self.experiments.iter().for_each(|(_, bar)| bar.abandon());
        self.footer.abandon();
    }

    /// Makes room for another experiment above the footer.
    fn open(&mut self, experiment: &Experiment) -> usize {
        let bar = self.blocks.insert_before(&self.footer, block());
        self.experiments.push((experiment.clone(), bar));
        self.experiments.len() - 1
    }
}

/// A bar without a bar: lines that are drawn over.
fn block() -> ProgressBar {
    ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    )
}

fn text(experiment: &Experiment) -> String {
    let Experiment {
        name,
        state,
        step,
        steps,
        observations,
        ..
    } = experiment;
    let state = state.replace('_', " ");
    let mut text = format!(
        "\n{name}: {state}, step {} of {steps}, {observations} observations\n",
        step + 1
    );
    for arm in &experiment.arms {
        let share = percent(arm.share);
        // Writing to a string cannot fail.
        writeln!(
            text,
            "  {:<10} {share:>5} {} {} requests",
            arm.name,
            gauge(arm.share),
            arm.exposures
        )
        .ok();
    }
    text + &experiment.measured()
}

/// A share as a bar of twenty cells.
fn gauge(share: f64) -> String {
    (0..20_u8)
        .map(|cell| {
            if f64::from(cell) + 0.5 < share * 20.0 {
                '█'
            } else {
                '░'
            }
        })
        .collect()
}
