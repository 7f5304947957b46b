//! One arm's rate against a ceiling, by the agreement test; and shadow pairs, which are coin tosses too.

use stats::Tail;
use stats::agreement::Agreement;
use stats::paired_binary::PairedBinary;

use crate::{
    chance::Chance,
    setting::{Group, Setting, keeps},
};

const LOOKS: u64 = 500;
const REQUESTS: u64 = 100;

pub(crate) fn settings() -> Vec<Setting> {
    let agreement = [
        ("0.1% failures, ceiling 0.1%, greater", 0.999, Tail::Greater),
        ("1% failures, ceiling 1%, greater", 0.99, Tail::Greater),
        ("20% failures, ceiling 20%, less", 0.8, Tail::Less),
        ("1% failures, two-sided", 0.99, Tail::TwoSided),
    ];
    let agreement = agreement.map(|(situation, successes, tail)| {
        let run = move |chance: &mut Chance| too_many(chance, successes, tail);
        keeps(Group::OneArm, "agreement", situation, run)
    });
    let pairs = [
        ("0.2% of pairs differ", 0.002),
        ("20% of pairs differ", 0.2),
    ];
    let pairs = pairs.map(|(situation, differ)| {
        let run = move |chance: &mut Chance| disagree(chance, differ);
        keeps(Group::Pairs, "paired binary", situation, run)
    });
    agreement.into_iter().chain(pairs).collect()
}

fn too_many(chance: &mut Chance, successes: f64, tail: Tail) -> bool {
    let mut test = Agreement::new(successes, tail);
    let mut seen = 0;
    (1..=LOOKS).any(|look| {
        seen += chance.binomial(REQUESTS, successes);
        test.move_to(seen, look * REQUESTS);
        test.log_e() >= 20.0_f64.ln()
    })
}

fn disagree(chance: &mut Chance, differ: f64) -> bool {
    let mut test = PairedBinary::default();
    (0..LOOKS).any(|_| {
        let differing = chance.binomial(REQUESTS, differ);
        let first = chance.binomial(differing, 0.5);
        test.add(first, differing - first);
        test.log_e() >= 20.0_f64.ln()
    })
}
