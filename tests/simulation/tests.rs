//! Every setting with few runs, group by group.

mod power;

use crate::{
    finding::{REDUCED, find},
    page::Page,
    setting::Group,
    settings,
};

#[track_caller]
fn check(group: Group) {
    let rows: Vec<_> = settings()
        .into_iter()
        .filter(|setting| setting.group == group)
        .map(|setting| {
            let findings = find(&setting, REDUCED);
            (setting, findings)
        })
        .collect();
    assert!(!rows.is_empty(), "{group:?} has no settings");
    let page = Page {
        profile: REDUCED,
        rows,
    };
    assert!(page.holds(), "{page}");
}

#[test]
fn peeking_at_rates_keeps_false_alarms_below_alpha() {
    check(Group::Rates);
}

#[test]
fn peeking_at_counts_of_events_keeps_false_alarms_below_alpha() {
    check(Group::Events);
}

#[test]
fn peeking_at_distributions_keeps_false_alarms_below_alpha() {
    check(Group::Labels);
}

#[test]
fn peeking_at_means_keeps_false_alarms_below_alpha() {
    check(Group::Means);
}

#[test]
fn users_who_return_are_no_difference() {
    check(Group::Returning);
}

#[test]
fn peeking_at_quantiles_keeps_false_alarms_below_alpha() {
    check(Group::Quantiles);
}

#[test]
fn peeking_at_one_arm_keeps_false_alarms_below_alpha() {
    check(Group::OneArm);
}

#[test]
fn peeking_at_shadow_pairs_keeps_false_alarms_below_alpha() {
    check(Group::Pairs);
}

#[test]
fn right_shares_raise_few_alarms() {
    check(Group::Assignment);
}

#[test]
fn the_whole_rule_keeps_both_errors_below_alpha() {
    check(Group::Rule);
}

#[test]
fn more_candidates_or_goals_make_no_more_errors() {
    check(Group::Several);
}

#[test]
fn analyses_that_may_not_be_peeked_at_fail_the_same_check() {
    check(Group::Controls);
}

#[test]
fn a_verdict_takes_little_more_than_an_oracle_would() {
    check(Group::Samples);
}
