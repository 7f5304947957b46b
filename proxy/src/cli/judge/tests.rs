//! Judging again: verdicts from files, and everything that a file can have wrong.

use std::fmt::Write;

use super::row::Rows;
use super::*;

const DOCUMENT: &str = "\
version: wald/v1
listeners: [{ name: edge, address: \"127.0.0.1:8080\" }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { experiment: trial } }]
experiments:
  - name: trial
    unit: request
    arms: [{ name: old, backend: { respond: { status: 200 } } }, { name: new, backend: { respond: { status: 200 } } }]
    ramp: [10%, 50%]
    metrics:
      - { name: accuracy, kind: proportion, source: feedback, better: higher, role: goal, window: 5s }
      - { name: errors, kind: proportion, source: failed, better: lower, role: guardrail, margin: { at_most: 5% }, window: 5s }
";

fn experiment() -> Experiment {
    experiment_of(DOCUMENT)
}

fn experiment_of(text: &str) -> Experiment {
    let document = config::read(text, &|_| None, std::path::Path::new("")).unwrap();
    policy::compile(&document).unwrap().experiments()[0].clone()
}

/// Twenty requests a second, every other one on the new arm, right as often as said of a hundred.
fn recording(seconds: u32, right: [u32; 2]) -> String {
    let mut text = "time,run,epoch,share,unit,arm,metric,value\n".to_owned();
    for request in 0..seconds * 20 {
        let (arm, name) = [(0, "old"), (1, "new")][request as usize % 2];
        // 37 and 100 have no common divisor: every hundred requests hit each remainder once.
        let is_right = u32::from(request / 2 * 37 % 100 < right[arm]);
        let head = format!(
            "{}.{:03},1,1,0.5,r{request},{name}",
            1_700_000_000 + request / 20,
            request % 20 * 50
        );
        writeln!(text, "{head},errors,0\n{head},accuracy,{is_right}").unwrap();
    }
    text
}

fn judged(text: &str) -> Result<timeline::Judged, Wrong> {
    judged_by(&experiment(), text)
}

fn judged_by(experiment: &Experiment, text: &str) -> Result<timeline::Judged, Wrong> {
    let mut replay: Option<Replay<'_>> = None;
    for row in Rows::new(text.as_bytes(), experiment)? {
        let row = row?;
        match &mut replay {
            Some(replay) => replay.take(&row),
            None => replay = Some(Replay::begin(experiment, &row)),
        }
    }
    Ok(replay.ok_or(Wrong::NoRun { asked: None })?.end())
}

#[test]
fn a_better_arm_is_promoted_a_worse_one_rolled_back_and_an_equal_one_neither() {
    let decision = |right| judged(&recording(150, right)).unwrap().verdict();
    let (promoted, at) = decision([80, 95]);
    assert!(promoted == "promoted" && at < 3000, "{promoted} {at}");
    assert_eq!(decision([95, 80]).0, "rolled_back");
    assert_eq!(decision([90, 90]), ("undecided", 3000));
}

#[test]
fn feedback_that_stays_away_is_harm_of_its_own() {
    let missing = "{ name: silence, kind: proportion, source: { missing: accuracy }, better: lower, role: guardrail, margin: { odds: 1.5 } }";
    let metric = "      - { name: errors";
    let document = DOCUMENT.replace(metric, &format!("      - {missing}\n{metric}"));
    let experiment = experiment_of(&document);
    let answered = |of_five: [u32; 2]| {
        let mut request = 0;
        let kept = recording(150, [90, 90])
            .lines()
            .filter(|line| {
                let arm = usize::from(line.contains(",new,"));
                request += u32::from(line.contains(",errors,"));
                !line.contains(",accuracy,") || request / 2 % 5 < of_five[arm]
            })
            .fold(String::new(), |text, line| text + line + "\n");
        judged_by(&experiment, &kept).unwrap().verdict().0
    };
    assert_eq!(answered([4, 4]), "undecided");
    assert_eq!(answered([4, 3]), "rolled_back");
}

#[test]
fn rows_of_one_tick_may_come_in_any_order() {
    let text = recording(60, [80, 95]);
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    for tick in lines.chunks_mut(40) {
        tick.sort_by_key(|line| line.contains(",accuracy,"));
    }
    let shuffled = format!(
        "time,run,epoch,share,unit,arm,metric,value\n{}\n",
        lines.join("\n")
    );
    assert_eq!(
        judged(&shuffled).unwrap().verdict(),
        judged(&text).unwrap().verdict()
    );
}

#[track_caller]
fn refused(old: &str, new: &str, expected: &str) {
    let text = recording(1, [90, 90]).replacen(old, new, 1);
    let wrong = judged(&text).unwrap_err().to_string();
    assert!(wrong.contains(expected), "{wrong}");
}

#[test]
fn every_bad_field_is_named_with_its_line() {
    refused("time,run", "when,run", "want \"time,run");
    refused(
        "1700000000.000",
        "yesterday",
        "line 2: time is \"yesterday\"",
    );
    refused(",1,1,0.5", ",one,1,0.5", "line 2: run is \"one\"");
    refused(",1,1,0.5", ",1,1,50%", "line 2: share is \"50%\"");
    refused(
        ",old,",
        ",older,",
        "line 2: arm is \"older\", want one of: old, new",
    );
    refused(
        "errors,0",
        "mistakes,0",
        "want exposure or one of: accuracy, errors",
    );
    refused("errors,0", "errors,NaN", "line 2: value is \"NaN\"");
    refused("errors,0", "errors", "cannot read");
}

#[test]
fn a_file_without_rows_is_refused() {
    let wrong = judged("time,run,epoch,share,unit,arm,metric,value\n").unwrap_err();
    assert!(matches!(wrong, Wrong::NoRun { asked: None }), "{wrong}");
}

#[test]
fn rows_of_other_experiments_are_passed_over() {
    let other = recording(60, [80, 95])
        .lines()
        .skip(1)
        .fold(String::new(), |text, line| {
            format!(
                "{text}{line},trial\n{},elsewhere\n",
                line.replace("old", "gone")
            )
        });
    let alone = judged(&recording(60, [80, 95])).unwrap().verdict();
    let header = crate::recording::HEADER;
    let named = format!("{}\n{other}", header[..9].join(","));
    assert_eq!(judged(&named).unwrap().verdict(), alone);
    // As a server records it: with a number beside the value, or none.
    let whole = format!("{}\n{}", header.join(","), other.replace('\n', ",\n"));
    assert_eq!(judged(&whole).unwrap().verdict(), alone);
}
