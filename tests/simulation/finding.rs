//! What the runs of a setting came to, with its uncertainty, held against its bar.

use crate::{
    chance::Chance,
    setting::{Alarms, Claim, Setting},
};

/// How many runs, and on how many threads. The findings do not depend on the threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    pub(crate) runs: u64,
    pub(crate) threads: u64,
}

/// In `make test`.
#[cfg(test)]
pub(crate) const REDUCED: Profile = Profile {
    runs: 300,
    threads: 2,
};

/// In `make simulate`.
pub(crate) const LONG: Profile = Profile {
    runs: 2000,
    threads: 2,
};

/// Run i of every setting draws from this seed + i.
pub(crate) const SEED: u64 = 20_261_125;

/// How far chance may carry an estimate past its bar: three standard errors.
const ERRORS: f64 = 3.0;

/// One estimate and what it shows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) what: &'static str,
    pub(crate) estimate: f64,
    pub(crate) error: f64,
    /// The greatest estimate that the claim allows.
    pub(crate) bar: f64,
    pub(crate) kept: bool,
    /// A negative control is wanted on the other side of its bar.
    pub(crate) control: bool,
}

impl Finding {
    pub(crate) fn as_claimed(&self) -> bool {
        self.kept != self.control
    }
}

/// Runs a setting to its end.
pub(crate) fn find(setting: &Setting, profile: Profile) -> Vec<Finding> {
    match &setting.claim {
        Claim::Keeps { alpha, alarms } => rates(*alpha, alarms, profile, false),
        Claim::Breaks { alpha, alarms } => rates(*alpha, alarms, profile, true),
        Claim::Within { bar, samples } => vec![ratio(*bar, &each(profile, samples))],
    }
}

fn rates(alpha: f64, alarms: &Alarms, profile: Profile, control: bool) -> Vec<Finding> {
    let raised = each(profile, &alarms.run);
    let runs = profile.runs as f64;
    let error_of = |rate: f64| (rate * (1.0 - rate) / runs).sqrt();
    let found = |(place, &what)| {
        let count = raised.iter().filter(|&&alarm| alarm == Some(place)).count();
        let estimate = count as f64 / runs;
        let bar = alpha + ERRORS * error_of(alpha);
        Finding {
            what,
            estimate,
            error: error_of(estimate),
            bar,
            kept: estimate <= bar,
            control,
        }
    };
    alarms.names.iter().enumerate().map(found).collect()
}

/// The ratio of two means over the same runs; its standard error by the delta method.
fn ratio(bar: f64, samples: &[[u64; 2]]) -> Finding {
    let runs = samples.len() as f64;
    let mean = |arm: usize| samples.iter().map(|pair| pair[arm] as f64).sum::<f64>() / runs;
    let (own, oracle) = (mean(0), mean(1));
    let estimate = own / oracle;
    let scatter: f64 = samples
        .iter()
        .map(|&[own, oracle]| (own as f64 - estimate * oracle as f64).powi(2))
        .sum();
    let error = (scatter / (runs - 1.0) / runs).sqrt() / oracle;
    Finding {
        what: "sample ÷ oracle's",
        estimate,
        error,
        bar,
        kept: estimate - ERRORS * error <= bar,
        control: false,
    }
}

/// Every run, in the order of their seeds whatever thread took them.
pub(crate) fn each<T: Send>(profile: Profile, run: impl Fn(&mut Chance) -> T + Sync) -> Vec<T> {
    let run = |i: u64| run(&mut Chance::seeded(SEED + i));
    let part = |thread: u64| {
        let bound = |thread: u64| profile.runs * thread / profile.threads;
        (bound(thread)..bound(thread + 1))
            .map(run)
            .collect::<Vec<T>>()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..profile.threads)
            .map(|thread| scope.spawn(move || part(thread)))
            .collect();
        parts
            .into_iter()
            .flat_map(|part| {
                part.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::single;

    #[test]
    fn the_runs_are_the_same_whatever_thread_takes_them() {
        let words = |threads| each(Profile { runs: 11, threads }, Chance::word);
        assert_eq!(words(1), words(4));
        assert_ne!(words(1)[0], words(1)[1]);
    }

    /// What the check says of alarms at this rate.
    fn kept(rate: f64, profile: Profile) -> bool {
        let alarms = single(move |chance| chance.happens(rate));
        rates(0.05, &alarms, profile, false)[0].kept
    }

    #[test]
    fn a_rate_of_alpha_passes_and_one_far_above_does_not() {
        assert!(kept(0.05, REDUCED) && kept(0.05, LONG));
        assert!(!kept(0.14, REDUCED) && !kept(0.08, LONG));
    }

    #[test]
    fn a_ratio_fails_only_beyond_three_standard_errors() {
        let samples = |scatter: u64| -> Vec<[u64; 2]> {
            (0..100)
                .map(|i| [1400 + if i % 2 == 0 { scatter } else { 0 }, 1000])
                .collect()
        };
        let steady = ratio(1.3, &samples(0));
        assert!((steady.estimate - 1.4).abs() < 1e-12 && !steady.kept);
        assert!(ratio(1.3, &samples(2000)).error > 0.09);
        assert!(!ratio(1.3, &samples(2000)).kept);
        let near = samples(600);
        assert!(ratio(1.65, &near).kept && !ratio(1.55, &near).kept);
    }
}
