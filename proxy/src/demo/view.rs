//! What the demo shows while it runs: a live picture on a terminal, else a line for each event.
//!
//! Everything goes to standard error; standard output is for the result.

mod lines;
mod picture;

use std::cell::RefCell;
use std::io::{self, IsTerminal};

use super::replay::Tally;
use crate::cli::experiment::Experiment;
use lines::Lines;
use picture::Picture;

/// Where progress is shown.
pub(super) struct View(RefCell<Kind>);

enum Kind {
    Picture(Picture),
    Lines(Lines),
}

impl View {
    pub(super) fn new() -> Self {
        let terminal = io::stderr().is_terminal();
        Self(RefCell::new(if terminal {
            Kind::Picture(Picture::new())
        } else {
            Kind::Lines(Lines::default())
        }))
    }

    /// One sentence that stays.
    pub(super) fn say(&self, sentence: &str) {
        match &*self.0.borrow() {
            Kind::Picture(picture) => picture.say(sentence),
            Kind::Lines(_) => eprintln!("{sentence}"),
        }
    }

    /// Leaves the last picture on the terminal.
    pub(super) fn rest(&self) {
        if let Kind::Picture(picture) = &*self.0.borrow() {
            picture.rest();
        }
    }

    /// How everything stands now.
    pub(super) fn show(&self, experiments: &[Experiment], tally: Tally) {
        match &mut *self.0.borrow_mut() {
            Kind::Picture(picture) => picture.show(experiments, tally),
            Kind::Lines(lines) => lines
                .show(experiments, tally)
                .iter()
                .for_each(|line| eprintln!("{line}")),
        }
    }
}

/// What happened to an experiment since it was last looked at, in a sentence.
fn event(before: Option<&Experiment>, now: &Experiment) -> Option<String> {
    let Experiment {
        name,
        state,
        step,
        steps,
        observations,
        ..
    } = now;
    let changed = before
        .is_none_or(|before| (&before.state, before.step, before.run) != (state, *step, now.run));
    if !changed {
        return None;
    }
    if now.is_over() {
        let word = state.replace('_', " ");
        let at = now.at_observations.unwrap_or(*observations);
        return Some(format!(
            "{name}: {word} after {at} observations: {}",
            now.reason
        ));
    }
    let share = crate::cli::experiment::percent(now.candidates_share());
    Some(format!(
        "{name}: {state}, step {} of {steps}, {share} to the candidate, {observations} observations",
        step + 1
    ))
}
