//! The page of results, written by the run itself.

use std::fmt::{self, Display, Formatter};

use crate::{
    finding::{Finding, Profile, SEED},
    setting::{Claim, Group, Setting},
};

/// All findings, group by group.
pub(crate) struct Page {
    pub(crate) profile: Profile,
    pub(crate) rows: Vec<(Setting, Vec<Finding>)>,
}

impl Page {
    pub(crate) fn holds(&self) -> bool {
        self.rows
            .iter()
            .all(|(_, findings)| findings.iter().all(Finding::as_claimed))
    }
}

const HEAD: &str = "\
# What the simulations show

Written by `make simulate`; do not edit. The settings are in `tests/simulation`, and `make test` runs
the same with fewer runs. Each run looks after every tick. Estimates are parts of the runs, with their
standard error. A bar is α plus three standard errors of a rate of α; a sample passes its bar unless it
is three standard errors beyond it. *Stated* is the figure of the project's specification, for Wald or
for the analysis that a negative control stands for.
";

const ORACLE: &str = "\
The oracle is the sequential probability ratio test of power one at α = 5% that knows the distributions
of both arms; its null is their mixture, the hardest to tell from the truth (Turner, Ly and Grünwald,
JSPI 230). Both look at the same data at the same moments, every 200 requests at even shares, and count
requests to their first rejection. More frequent looks help the oracle more: at one every 100 requests
the ratios of rates are up to 0.04 higher.
";

impl Display for Page {
    fn fmt(&self, page: &mut Formatter<'_>) -> fmt::Result {
        writeln!(page, "{HEAD}")?;
        let Profile { runs, .. } = self.profile;
        writeln!(
            page,
            "{runs} runs a setting, seeds {SEED} to {}.",
            SEED + runs - 1
        )?;
        for group in Group::ALL {
            writeln!(page, "\n## {}\n", group.title())?;
            if group == Group::Samples {
                writeln!(page, "{ORACLE}")?;
            }
            writeln!(
                page,
                "| setting | method | runs | alarm | estimate | bar | stated | verdict |"
            )?;
            writeln!(page, "|---|---|---|---|---|---|---|---|")?;
            for (setting, findings) in self
                .rows
                .iter()
                .filter(|(setting, _)| setting.group == group)
            {
                for finding in findings {
                    row(page, runs, setting, finding)?;
                }
            }
        }
        Ok(())
    }
}

fn row(page: &mut Formatter<'_>, runs: u64, setting: &Setting, finding: &Finding) -> fmt::Result {
    let Setting {
        situation,
        method,
        stated,
        ..
    } = setting;
    let ratio = matches!(setting.claim, Claim::Within { .. });
    let number = |value: f64| {
        if ratio {
            format!("{value:.3}")
        } else {
            format!("{:.1}%", 100.0 * value)
        }
    };
    let (estimate, error, bar) = (
        number(finding.estimate),
        number(finding.error),
        number(finding.bar),
    );
    let verdict = match (finding.control, finding.kept) {
        (false, true) => "holds",
        (false, false) => "**does not hold**",
        (true, false) => "fails, as it must",
        (true, true) => "**passes, and must not**",
    };
    let what = finding.what;
    writeln!(
        page,
        "| {situation} | {method} | {runs} | {what} | {estimate} ± {error} | ≤ {bar} | {stated} | {verdict} |"
    )
}
