//! Whether certificates, keys, authorities and revocations can be used, and for how long.

use policy::Policy;

use super::finding::Finding;
use crate::causes::causes;
use crate::credentials::{self, Credentials};
use crate::identify::paper::Paper;

/// One finding for each file with an end, or the reason why TLS cannot be set up.
pub(super) fn look(policy: &Policy) -> Vec<Finding> {
    match Credentials::read(policy, None) {
        Ok(found) => {
            let now = credentials::now();
            found.papers().map(|paper| judge(paper, now)).collect()
        }
        Err(error) => {
            let remedy = "mend the file, or name another in the document";
            vec![Finding::failed("certificates", causes(&error), remedy)]
        }
    }
}

fn judge(paper: &Paper, now: i64) -> Finding {
    let subject = paper.name();
    let end = jiff::Timestamp::from_second(paper.until);
    let end = end.map_or_else(|_| paper.until.to_string(), |end| end.to_string());
    let days = paper.until.saturating_sub(now) / DAY;
    if paper.until <= now {
        let detail = format!("expired at {end}");
        return Finding::failed(subject, detail, "renew it: handshakes with it fail");
    }
    if paper.from > now {
        let detail = "is not good yet".to_owned();
        return Finding::failed(subject, detail, "look at the clock, or wait");
    }
    let detail = format!("good until {end}, {days} days from now");
    if paper.is_due(now) {
        return Finding::doubtful(subject, detail, "renew it: two thirds of its time are over");
    }
    Finding::fine(subject, detail)
}

/// In seconds.
const DAY: i64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::Mark;

    #[test]
    fn a_certificate_is_judged_by_what_is_left_of_its_time() {
        let paper = |from, until| Paper {
            used_by: "listener edge".to_owned(),
            kind: "certificate",
            file: "edge.pem".into(),
            names: Vec::new(),
            from,
            until,
        };
        let now = 100 * DAY;
        let marks = [
            (now - 9, now + 90 * DAY),
            (0, now + DAY),
            (0, now),
            (now + 1, now + DAY),
        ]
        .map(|(from, until)| judge(&paper(from, until), now).mark);
        assert_eq!(
            marks,
            [Mark::Fine, Mark::Doubtful, Mark::Failed, Mark::Failed]
        );
    }
}
