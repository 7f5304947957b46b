//! Reasons as one sentence for people.

use std::fmt;

use crate::{interval::Effect, trial::Score};

use super::{Finding, Open, Proof, Reason};

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gathering {
                observations,
                end,
                open,
            } => {
                write!(f, "no proof yet after {observations}")?;
                end.map_or(Ok(()), |end| write!(f, " of at most {end}"))?;
                f.write_str(" observations")?;
                still_open(f, open)
            }
            Self::Better { arm, proofs } => {
                write!(
                    f,
                    "arm {arm} is better and stays within every margin: {}",
                    List(proofs)
                )
            }
            Self::Worse {
                arm,
                log_e,
                threshold,
                proofs,
                ..
            } => {
                write!(f, "arm {arm} is worse")?;
                worse(f, *log_e, *threshold, proofs)
            }
            Self::Unbalanced {
                log_e,
                threshold,
                exposures,
                ..
            } => {
                write!(
                    f,
                    "the arms do not get their shares: {exposures:?} requests "
                )?;
                write!(f, "(ln E {log_e:.1}, alarm at {threshold:.1})")
            }
            Self::Ended {
                observations,
                end,
                open,
            } => {
                write!(
                    f,
                    "no proof after {observations} observations, the end was set at {end}"
                )?;
                still_open(f, open)
            }
            Self::NotWorth { findings } => {
                write!(f, "no effect worth having is left: {}", List(findings))
            }
        }
    }
}

/// Which effects may have been missed, and which alarms have gone off.
fn still_open(f: &mut fmt::Formatter<'_>, open: &[Open]) -> fmt::Result {
    let several = open.iter().any(|open| open.arm > 1);
    let known: Vec<_> = open
        .iter()
        .filter_map(|open| Some((open, open.interval?)))
        .collect();
    for (place, (open, interval)) in known.iter().enumerate() {
        f.write_str(if place == 0 { "; possible are " } else { ", " })?;
        if several {
            write!(f, "arm {} ", open.arm)?;
        }
        let Open { metric, effect, .. } = open;
        let [low, high] = [interval.low, interval.high].map(|end| Shown(Some(end)));
        write!(f, "{metric}: {} {low} to {high}", word(*effect))?;
    }
    for open in open.iter().filter(|open| open.alarm) {
        write!(f, "; alarm: {} on arm {} ", open.metric, open.arm)?;
        f.write_str("is distributed worse")?;
    }
    Ok(())
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::OddsRatio => "odds ratio",
        Effect::Ratio => "ratio",
        Effect::Difference => "difference",
        Effect::RateRatio => "ratio of rates",
        Effect::QuantileRatio => "ratio of quantiles",
        Effect::ExceedanceDifference => "difference in exceeding the limit",
        Effect::None => "effect",
    }
}

/// The metrics that show harm by themselves, or else all of them with their average.
fn worse(
    f: &mut fmt::Formatter<'_>,
    log_e: Option<f64>,
    threshold: f64,
    proofs: &[Proof],
) -> fmt::Result {
    let alone: Vec<&Proof> = proofs
        .iter()
        .filter(|proof| proof.score.crosses())
        .collect();
    match log_e {
        Some(log_e) if alone.is_empty() => {
            write!(
                f,
                " by all metrics together (ln E {log_e:.1}, {threshold:.1} wanted): "
            )?;
            write!(f, "{}", List(proofs))
        }
        _ => write!(f, ": {}", List(&alone)),
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            estimate,
            score,
            ..
        } = self;
        write!(
            f,
            "{metric} {} → {} ({score})",
            Shown(estimate.control),
            Shown(estimate.candidate)
        )
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.crosses() { "≥" } else { "<" };
        match *self {
            Self::Evidence { log_e, threshold } => {
                write!(f, "ln E {log_e:.1} {sign} {threshold:.1}")
            }
            Self::Boundary { z, bound } => write!(f, "z {z:.2} {sign} {bound:.2}"),
            Self::Gathering => f.write_str("too early to say"),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            arm,
            metric,
            effect,
            interval,
            smallest,
        } = self;
        let effect = word(*effect);
        write!(
            f,
            "arm {arm}, {metric}: {effect} from {:.4} to {:.4}, ",
            interval.low, interval.high
        )?;
        write!(f, "worth having {smallest:.4}")
    }
}

/// Things side by side in a sentence.
struct List<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, item) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{item}")?;
        }
        Ok(())
    }
}

/// An estimate to four digits, or a dash.
struct Shown(Option<f64>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("–"),
            Some(value) if value.abs() >= 1e-3 || value.abs() < f64::MIN_POSITIVE => {
                write!(f, "{value:.4}")
            }
            Some(value) => write!(f, "{value:.3e}"),
        }
    }
}
