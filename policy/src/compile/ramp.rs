//! Ramps: the candidates' shares, step by step.

use config::{Path, code};

use super::Report;
use crate::{SLOTS, Share, assignment};

/// The candidate's share unless the document says otherwise: equal arms decide soonest.
const SHARE: f64 = 0.5;

/// Compiles a ramp, of which every step must give each candidate more.
pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: &[Share],
    candidates: u8,
) -> Option<Vec<Share>> {
    if written.is_empty() {
        let share = Share::new(SHARE.min(1.0 / (f64::from(candidates) + 1.0)))?;
        return Some(vec![share]);
    }
    let mut before = 0;
    for (position, share) in written.iter().enumerate() {
        let width = assignment::width(*share, candidates);
        let step = Step {
            path: path.index(position),
            share: *share,
            candidates,
        };
        step.check(report, width > before);
        before = width;
    }
    Some(written.to_vec())
}

/// One step of a ramp.
struct Step {
    path: Path,
    share: Share,
    candidates: u8,
}

impl Step {
    fn check(&self, report: &mut Report<'_>, rises: bool) {
        let percent = self.share.value() * 100.0;
        let all = self.share.value() * f64::from(self.candidates);
        if !rises {
            let message =
                format!("a step to {percent}% does not raise the candidate's share by 0.01%");
            report.error(
                code::BAD_RAMP,
                &self.path,
                message,
                "let every step be larger than the one before",
            );
        }
        // Three thirds, as written in a document, are a little more than one.
        if all > 1.0 + 0.5 / f64::from(SLOTS) {
            let message = format!(
                "{} candidates with {percent}% each take more than all",
                self.candidates
            );
            report.error(code::BAD_RAMP, &self.path, message, "lower the share");
        } else if all >= 1.0 {
            let message =
                format!("at {percent}% the control gets nothing, so nothing can be compared");
            let remedy = "end the ramp lower: a promotion gives everything to the winner";
            report.warning(code::BAD_RAMP, &self.path, message, remedy);
        }
    }
}
