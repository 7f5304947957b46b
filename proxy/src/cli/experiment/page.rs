//! Experiments as people read them.

use super::report::{
    Arm, Entry, Estimate, Experiment, Experiments, Metric, Proposal, Score, Watch, WatchedMetric,
};

impl Experiments {
    /// One line an experiment.
    pub(super) fn table(&self) -> String {
        if self.experiments.is_empty() {
            return "no experiments\n".to_owned();
        }
        let head = format!(
            "{:<24} {:<12} {:>3} {:>4}  {}\n",
            "experiment", "state", "run", "step", "arms"
        );
        self.experiments.iter().fold(head, |table, experiment| {
            let Experiment {
                name,
                state,
                run,
                step,
                ..
            } = experiment;
            let arms: Vec<String> = experiment.arms.iter().map(Arm::part).collect();
            table
                + &format!(
                    "{name:<24} {state:<12} {run:>3} {:>4}  {}\n",
                    step + 1,
                    arms.join(", ")
                )
        })
    }
}

impl Experiment {
    /// Everything about one.
    pub(super) fn page(&self) -> String {
        let Self {
            name,
            state,
            run,
            step,
            steps,
            observations,
            ..
        } = self;
        let mut page = format!(
            "{name}: {state}, run {run}, step {} of {steps}, {observations} observations\n",
            step + 1
        );
        page += &format!("{}\n", self.reason);
        if let Some(proposal) = &self.proposal {
            page += &proposal.line(self.approvals_needed);
        }
        page += &format!(
            "\n{:<16} {:>7} {:>10} {:>10}\n",
            "arm", "share", "requests", "units"
        );
        for Arm {
            name,
            share,
            exposures,
            units,
        } in &self.arms
        {
            page += &format!(
                "{name:<16} {:>7} {exposures:>10} {units:>10}\n",
                percent(*share)
            );
        }
        page += &format!("\n{}", self.measured());
        if let Some(ratio) = &self.sample_ratio {
            let word = if ratio.alarm {
                "off: promotion is frozen"
            } else {
                "as asked"
            };
            page += &format!("\nsample ratio: {word} (log e {})\n", number(ratio.log_e));
            if ratio.sampling > 1 {
                page += &format!("units: one in {} is counted\n", ratio.sampling);
            }
        }
        if let Some(watch) = &self.watch {
            page += &watch.table();
        }
        page + &self.past()
    }

    fn past(&self) -> String {
        let heading = if self.history.is_empty() {
            ""
        } else {
            "\nhistory\n"
        };
        let line = |entry: &Entry| {
            let Entry {
                time,
                kind,
                at_observations,
                reason,
            } = entry;
            format!("  {time}  {kind:<8} after {at_observations:>8} observations  {reason}\n")
        };
        let lines: String = self.history.iter().map(line).collect();
        heading.to_owned() + &lines
    }
}

impl Watch {
    /// How far each metric is from an alarm.
    fn table(&self) -> String {
        let then = if self.reverts {
            "an alarm takes the promotion back"
        } else {
            "an alarm is told"
        };
        let head = format!(
            "\nwatching {}: {then}\n  {:<16} {:>9} {:>9} {:>10}  alarm at\n",
            self.arm, "metric", "bad", "allowed", "of"
        );
        self.metrics
            .iter()
            .map(WatchedMetric::line)
            .fold(head, |table, line| table + &line)
    }
}

impl WatchedMetric {
    fn line(&self) -> String {
        let Some(frozen) = &self.frozen else {
            return format!("  {:<16} cannot be watched\n", self.metric);
        };
        let rate = self.events as f64 / self.n.max(1) as f64;
        format!(
            "  {:<16} {:>9} {:>9} {:>10}  {:.1}/{:.1}{}\n",
            self.metric,
            percent(rate),
            percent(frozen.allowed),
            self.n,
            self.log_e,
            self.threshold,
            if self.alarm { " alarm" } else { "" },
        )
    }
}

impl Proposal {
    fn line(&self, needed: usize) -> String {
        let Self { arm, approvals } = self;
        let people: Vec<&str> = approvals.iter().map(|approval| &*approval.by).collect();
        let so_far = if people.is_empty() {
            "nobody yet".to_owned()
        } else {
            people.join(", ")
        };
        format!("proposed: {arm}, to be approved by {needed} people (so far: {so_far})\n")
    }
}

impl Arm {
    fn part(&self) -> String {
        format!("{} {}", self.name, percent(self.share))
    }
}

impl Experiment {
    /// What each metric shows, and how far the tests of it have come: those that a promotion waits
    /// for, and those that end in a roll-back. Fits a terminal of eighty columns.
    pub(crate) fn measured(&self) -> String {
        let mut table = format!(
            "  {:<10} {:>8} {:>9}  {:<23} {:<13}{}\n",
            "", "control", "candidate", "effect", "promote at", "roll back at"
        );
        for metric in &self.metrics {
            let name = match self.arms.len() {
                0..=2 => metric.name.clone(),
                _ => format!("{} {}", metric.name, metric.arm),
            };
            table += &format!("  {name:<10} {}\n", metric.cells());
        }
        let notes = self.metrics.iter().flat_map(|metric| {
            let notes = metric.notes(self.arms.len() > 2);
            notes.map(move |note| format!("  {}: {note}\n", metric.name))
        });
        table.extend(notes);
        table
    }
}

impl Metric {
    fn cells(&self) -> String {
        let Estimate { control, candidate } = self.estimate;
        format!(
            "{:>8} {:>9}  {:<23} {:<13}{}",
            number(control),
            number(candidate),
            self.effect(),
            score(self.wanted()),
            score(self.worse)
        )
    }

    /// What its row does not say.
    fn notes(&self, is_one_of_several: bool) -> impl Iterator<Item = String> {
        let capped = self
            .winsorized_at
            .map(|cap| format!("more than {cap} counts as {cap}, in means and effect"));
        let alarm = self
            .alarm
            .then(|| "its distribution has shifted, which holds the ramp at its step".to_owned());
        let listed =
            (self.listed && is_one_of_several).then(|| format!("{} is listed as better", self.arm));
        [capped, alarm, listed].into_iter().flatten()
    }

    /// Where the effect may lie.
    fn effect(&self) -> String {
        let Some([low, high]) = self.interval else {
            return "–".to_owned();
        };
        let word = match &*self.scale {
            "odds_ratio" => "odds × ",
            "rate_ratio" => "rate × ",
            "ratio" | "quantile_ratio" => "× ",
            "exceedance_difference" => "exceeding + ",
            _ => "",
        };
        format!("{word}{} to {}", number(Some(low)), number(Some(high)))
    }
}

/// How far a test has come, of how far it must; a tick when it is there.
fn score(score: Option<Score>) -> String {
    let (now, goal) = match score {
        None => return "–".to_owned(),
        Some(Score::Gathering) => return "gathering".to_owned(),
        Some(Score::Evidence { log_e, threshold }) => (log_e, threshold),
        Some(Score::Boundary { z, bound }) => (z, bound),
    };
    let tick = if now >= goal { " ✓" } else { "" };
    format!("{now:.1}/{goal:.1}{tick}")
}

/// Four significant digits: rates and seconds look alike.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else {
        return "–".to_owned();
    };
    let digits = match value.abs() {
        large if large >= 100.0 => 1,
        middle if middle >= 1.0 => 2,
        small if small >= 0.01 || small == 0.0 => 3,
        _ => 6,
    };
    format!("{value:.digits$}")
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_in_the_document() {
        assert_eq!(
            [percent(0.5), percent(0.1), percent(0.0125), percent(1.0)],
            ["50%", "10%", "1.25%", "100%"]
        );
    }

    #[test]
    fn a_test_that_is_there_has_a_tick() {
        assert_eq!(
            score(Some(Score::Evidence {
                log_e: 3.2,
                threshold: 2.996
            })),
            "3.2/3.0 ✓"
        );
        assert_eq!(
            score(Some(Score::Boundary {
                z: -0.5,
                bound: 3.4
            })),
            "-0.5/3.4"
        );
        assert_eq!(score(Some(Score::Gathering)), "gathering");
        assert_eq!(score(None), "–");
    }

    #[test]
    fn a_metric_says_why_the_ramp_waits_and_who_is_listed() {
        let metric: Metric = serde_json::from_value(serde_json::json!({
            "name": "latency", "arm": "new", "role": "goal", "scale": "relative",
            "estimate": {"control": null, "candidate": null}, "interval": null,
            "alarm": true, "listed": true,
        }))
        .unwrap();
        let notes: Vec<_> = metric.notes(true).collect();
        assert_eq!(
            notes,
            [
                "its distribution has shifted, which holds the ramp at its step",
                "new is listed as better"
            ]
        );
        assert_eq!(metric.notes(false).count(), 1);
    }

    #[test]
    fn rates_and_seconds_keep_what_distinguishes_them() {
        assert_eq!(
            [
                number(Some(0.8834)),
                number(Some(0.001_234)),
                number(Some(12.5))
            ],
            ["0.883", "0.001234", "12.50"]
        );
    }
}
