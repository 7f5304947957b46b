//! How a promoted arm is watched.

use super::*;

#[test]
fn false_alarms_of_a_watch_can_be_as_rare_as_it_says() {
    let unit = "unit: { header: x-user }";
    for (path, written) in [
        ("false_alarm", "false_alarm: 0%"),
        ("false_alarm", "false_alarm: 50%"),
        ("every", "every: 10ms"),
    ] {
        let path = format!("experiments[0].watch.{path}");
        let new = format!("{unit}\n    watch: {{ {written} }}");
        refused(code::OUT_OF_RANGE, &path, unit, &new);
    }
    let watch = |written: &str| {
        let policy = sample::policy(&[(unit, &format!("{unit}\n    watch: {written}"))]);
        policy.experiments()[0].watch.expect("a watch")
    };
    let usual = watch("{}");
    assert_eq!(usual.allowed.ticks, 30 * 24 * 3600);
    assert!((usual.allowed.chance - 0.05).abs() < 1e-12 && !usual.reverts);
    assert!(watch("{ then: revert }").reverts);
}

#[test]
fn how_a_decided_run_is_watched_is_no_part_of_its_definition() {
    let watched = |watch: &str| {
        let unit = format!("{{ header: x-user }}\n    {watch}");
        let policy = sample::policy(&[("{ header: x-user }", &unit)]);
        policy.experiments()[0].definition
    };
    let before = watched("");
    for watch in [
        "watch: {}",
        "watch: { false_alarm: 1%, every: 7d, then: revert }",
    ] {
        assert_eq!(watched(watch), before, "{watch}");
    }
}
