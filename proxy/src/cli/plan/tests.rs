//! Plans that must come out one way: nothing to find, much to find, and everything that is refused.

use super::scenario::Change;
use super::simulate::{self, Verdict};
use super::world::Known;
use super::*;

const DOCUMENT: &str = "\
version: wald/v1
listeners: [{ name: edge, address: \"127.0.0.1:8080\" }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { experiment: trial } }]
experiments:
  - name: trial
    unit: UNIT
    arms: [{ name: old, backend: { respond: { status: 200 } } }, { name: new, backend: { respond: { status: 200 } } }]
    ramp: [10%, 50%]
    metrics:
      - { name: accuracy, kind: proportion, source: feedback, better: higher, role: goal }
      - { name: errors, kind: proportion, source: failed, better: lower, role: guardrail, margin: { odds: 2 } }
      - { name: latency, kind: mean, source: duration, better: lower, role: guardrail, margin: { relative: 20% } }
    end: { observations: 10000 }
    step_minimum: { observations: 500, time: 1s }
";

fn experiment(unit: &str) -> Experiment {
    experiment_of(&DOCUMENT.replace("UNIT", unit))
}

fn experiment_of(text: &str) -> Experiment {
    let document = config::read(text, &|_| None, std::path::Path::new("")).unwrap();
    policy::compile(&document).unwrap().experiments()[0].clone()
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(more: &[&str]) -> Args {
    let line = [
        "plan",
        "-c",
        "wald.yaml",
        "--experiment",
        "trial",
        "--baseline",
        "errors=0.05",
    ];
    let line = line.into_iter().chain(more.iter().copied());
    <Line as clap::Parser>::try_parse_from(line).unwrap().args
}

fn runs(unit: &str, effects: &[&str], runs: u32) -> simulate::Runs {
    let (experiment, args) = (experiment(unit), args(&[]));
    let mut world = World::of(&experiment, &args, &[]).unwrap();
    for effect in effects {
        world = world.changed(&effect.parse().unwrap()).unwrap();
    }
    simulate::all(&experiment, &world, 1, runs, &ProgressBar::hidden())
}

#[test]
fn without_an_effect_neither_error_exceeds_alpha() {
    for unit in ["request", "{ header: x-user }"] {
        let runs = runs(unit, &[], 300);
        // 5% of 300 and three standard errors.
        let most = 0.05 * 300.0 + 3.0 * (300.0_f64 * 0.05 * 0.95).sqrt();
        for verdict in [Verdict::Promoted, Verdict::RolledBack] {
            assert!(
                runs.count(verdict) <= most,
                "{unit} {verdict:?} {}",
                runs.count(verdict)
            );
        }
    }
}

#[test]
fn a_clear_improvement_is_nearly_always_found_and_more_often_than_a_slight_one() {
    let promoted = |effect: &str| runs("request", &[effect], 60).share_promoted();
    let (slight, clear) = (promoted("accuracy=+0.005"), promoted("accuracy=+0.05"));
    assert!(clear >= 0.95 && slight < clear, "{slight} {clear}");
}

/// The goal's metric replaced, for independent requests.
fn with_goal(goal: &str, effect: Option<&str>) -> simulate::Runs {
    let accuracy = "name: accuracy, kind: proportion, source: feedback, better: higher";
    let text = DOCUMENT.replace("UNIT", "request").replace(accuracy, goal);
    let (experiment, args) = (experiment_of(&text), args(&[]));
    let mut world = World::of(&experiment, &args, &[]).unwrap();
    if let Some(effect) = effect {
        world = world.changed(&effect.parse().unwrap()).unwrap();
    }
    simulate::all(&experiment, &world, 1, 60, &ProgressBar::hidden())
}

#[test]
fn every_kind_of_number_is_planned() {
    for (goal, effect) in [
        (
            "name: crashes, kind: count, source: feedback, better: lower",
            "crashes=x0.4",
        ),
        (
            "name: pace, kind: ratio, per: request_bytes, source: duration, better: lower",
            "pace=x0.8",
        ),
        (
            "name: pace, kind: ratio, source: duration, better: lower",
            "pace=x0.8",
        ),
        (
            "name: time, kind: mean, source: duration, covariate: request_bytes, better: lower",
            "time=x0.9",
        ),
        (
            "name: spent, kind: mean, source: feedback, winsorize: 3, better: higher",
            "spent=+0.3",
        ),
        (
            "name: p90, kind: quantile, quantile: 0.9, source: duration, better: lower",
            "p90=x0.8",
        ),
    ] {
        let (none, found) = (with_goal(goal, None), with_goal(goal, Some(effect)));
        // 5% of 60 and three standard errors.
        assert!(none.count(Verdict::Promoted) <= 8.0, "{goal}");
        assert!(
            found.share_promoted() > 0.9,
            "{goal}: {}",
            found.share_promoted()
        );
    }
}

#[test]
fn a_covariate_that_explains_more_leaves_less_to_find() {
    let goal = "name: time, kind: mean, source: duration, covariate: request_bytes, better: lower";
    let accuracy = "name: accuracy, kind: proportion, source: feedback, better: higher";
    let text = DOCUMENT.replace("UNIT", "request").replace(accuracy, goal);
    let experiment = experiment_of(&text);
    let promoted = |correlation: &str| {
        let world = World::of(&experiment, &args(&["--correlation", correlation]), &[]).unwrap();
        let world = world.changed(&"time=x0.97".parse().unwrap()).unwrap();
        simulate::all(&experiment, &world, 1, 60, &ProgressBar::hidden()).share_promoted()
    };
    let (nothing, nearly_all) = (promoted("0"), promoted("0.95"));
    assert!(nothing < nearly_all, "{nothing} {nearly_all}");
}

#[test]
fn harm_is_rolled_back() {
    let rolled_back = runs("{ header: x-user }", &["errors=x4"], 40).count(Verdict::RolledBack);
    assert!(rolled_back >= 38.0, "{rolled_back} of 40");
}

#[test]
fn the_same_seed_gives_the_same_ends() {
    assert_eq!(runs("request", &[], 8).0, runs("request", &[], 8).0);
}

#[test]
fn effects_are_factors_or_differences() {
    let change = |text: &str| text.parse::<Effect>().map(|effect| effect.change);
    assert_eq!(change("latency=x1.1"), Ok(Change::Times(1.1)));
    assert_eq!(change("accuracy=+0.02"), Ok(Change::Plus(0.02)));
    assert_eq!(change("accuracy=-0.02"), Ok(Change::Plus(-0.02)));
    for bad in [
        "latency",
        "latency=",
        "latency=x0",
        "latency=10%",
        "latency=NaN",
    ] {
        assert!(change(bad).is_err(), "{bad}");
    }
}

#[track_caller]
fn refused(more: &[&str], named: &str) {
    let experiment = experiment("request");
    let args = args(more);
    let planned = World::of(&experiment, &args, &[])
        .and_then(|world| scenario::all(&experiment, &world, &args.effects).map(drop));
    let wrong = planned.unwrap_err().to_string();
    assert!(wrong.contains(named), "{wrong}");
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name() {
    refused(
        &["--baseline", "speed=1"],
        "\"speed\"; it has: accuracy, errors, latency",
    );
    refused(
        &["--baseline", "accuracy=1.5"],
        "--baseline accuracy is 1.5",
    );
    refused(&["--baseline", "latency=0"], "more than 0");
    refused(
        &["--effect", "accuracy=+0.2"],
        "accuracy on the candidates is 1.1",
    );
    refused(&["--icc", "1"], "--icc");
    refused(&["--users", "0"], "--users");
    refused(&["--correlation", "1"], "--correlation");
    refused(&["--rate", "0/s"], "--rate");
}

#[test]
fn a_recording_says_what_the_control_is_like_where_no_flag_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seen.csv");
    let row = |arm, metric, value| format!("1700000000,1,1,0.5,u,{arm},{metric},{value}\n");
    let mut text = "time,run,epoch,share,unit,arm,metric,value\n".to_owned();
    for _ in 0..2 {
        text +=
            &(row("old", "accuracy", 1) + &row("new", "accuracy", 0) + &row("old", "errors", 1));
    }
    std::fs::write(&path, text).unwrap();
    let experiment = experiment("request");
    let observed = observed::baselines(&path, &experiment).unwrap();
    let world = World::of(&experiment, &args(&[]), &observed).unwrap();
    let told: Vec<_> = world
        .metrics
        .iter()
        .map(|it| (it.arms, it.source))
        .collect();
    assert_eq!(told[0], ([2.5 / 3.0; 2], Known::Observed));
    assert_eq!(told[1], ([0.05; 2], Known::Stated));
    assert_eq!(told[2], ([0.1; 2], Known::Assumed));
}
