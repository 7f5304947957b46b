//! Every method at sizes that only logarithms hold, against values computed apart from Wald: by the
//! formulas of `docs/reference/stat.md` in mpmath with 50 digits (the conditional test: 25).

use stats::conditional::{Conditional, Table};
use stats::label::{Bin, Label};
use stats::paired_binary::PairedBinary;
use stats::quantile_ab::{OPTIMUM, Place, QuantileAb};
use stats::{Tail, agreement, event_split, sample_ratio};

const TAILS: [Tail; 3] = [Tail::Greater, Tail::Less, Tail::TwoSided];

/// To 10⁻¹¹ of the value, or to 10⁻⁶ where sums of the size of the counts have cancelled.
#[track_caller]
fn check(value: f64, expected: f64) {
    let tolerance = 1e-11 * expected.abs() + 1e-6;
    assert!(
        (value - expected).abs() <= tolerance,
        "{value} is not {expected}"
    );
}

#[test]
fn events_by_share() {
    let check = |events: [u64; 2], share: f64, expected: [f64; 3]| {
        for (tail, expected) in TAILS.into_iter().zip(expected) {
            check(event_split::log_e(share, 20.0, tail, events), expected);
        }
    };
    let surplus = [
        64_895.752_845_774_21,
        -12.039_702_289_625_1,
        64_894.778_273_180_8,
    ];
    check([900_000, 150_000], 0.05, surplus);
    let lack = [
        -10.217_209_749_558_9,
        9_719.916_589_909_74,
        9_719.442_813_408_1,
    ];
    check([900_000, 20_000], 0.05, lack);
    let huge = [
        1.469_258_144_537_3,
        -10.991_403_509_334,
        0.776_114_840_145_08,
    ];
    check([1_000_000_000, 1_000_200_000], 0.5, huge);
}

#[test]
fn successes_against_a_number() {
    let check = |successes: u64, n: u64, expected: [f64; 3]| {
        for (tail, expected) in TAILS.into_iter().zip(expected) {
            check(agreement::log_e(0.995, tail, 20.0, successes, n), expected);
        }
    };
    let flawless = [
        5_012_540.239_605_738,
        -16.263_794_918_828_9,
        5_012_540.048_013_307,
    ];
    check(1_000_000_000, 1_000_000_000, flawless);
    let good = [
        2_398_583.072_710_133,
        -16.040_651_479_452_1,
        2_398_582.881_117_702,
    ];
    check(999_000_000, 1_000_000_000, good);
    let bad = [-9.996_047_715_559, 352.967_438_425_503, 351.220_786_310_219];
    check(993_000, 1_000_000, bad);
}

#[test]
fn pairs_that_differ() {
    for (n01, n10, expected) in [
        (1_000_000_000, 1_000_000_000, -10.933_997_861_523),
        (1_000_000_000, 1_000_300_000, 11.562_552_734_613),
        (3_000_000, 1_000_000, 523_240.317_070_659),
    ] {
        let mut test = PairedBinary::default();
        test.add(n01, n10);
        check(test.log_e(), expected);
    }
}

#[test]
fn counts_against_shares() {
    let log_e = |counts: &[u64], shares: &[f64]| sample_ratio::log_e(counts, shares, 1000.0);
    check(
        log_e(&[900_000_000, 100_000_000], &[0.9, 0.1]),
        -6.908_598_395_709,
    );
    check(
        log_e(&[900_000_000, 100_300_000], &[0.9, 0.1]),
        397.644_822_830_564,
    );
    let three = log_e(&[1_000_000, 100_000, 200_000], &[0.8, 0.1, 0.1]);
    check(three, 20_677.682_120_374_674);
}

#[test]
fn quantiles_of_samples_that_do_not_meet() {
    let (n, none) = (1_000_000_000, 0);
    let places = [
        Place {
            at: 0,
            a: n,
            b: none,
        },
        Place {
            at: 1,
            a: none,
            b: n,
        },
    ];
    let log_e = |p: f64| QuantileAb::new(p, 0.05, OPTIMUM).log_e(&places);
    check(log_e(0.5), 693_145_226.696_220_4);
    check(log_e(0.99), 10_050_290.055_858_23);
}

#[test]
fn scores_by_arm() {
    const PART: u64 = 100_000_000;
    let bin = |u: f64, a: u64, b: u64| Bin { u, a, b };
    let first = [0.0, 1.0, 2.0].map(|u| bin(u, PART, PART));
    let second = [
        bin(0.0, 2 * PART, PART),
        bin(1.0, PART, PART),
        bin(2.0, PART, 2 * PART),
    ];
    let third = [bin(5.0, 7, 9)];
    let log_e = |tail: Tail, share: f64| {
        let mut test = Label::new(tail);
        test.add(first.into_iter(), share);
        test.add(second.into_iter(), share);
        test.add(third.into_iter(), share);
        test.log_e()
    };
    check(log_e(Tail::Greater, 0.5), 33_864_413.245_821_47);
    check(log_e(Tail::Less, 0.5), -3_775_481.586_553_53);
    check(log_e(Tail::TwoSided, 0.5), 33_864_412.552_674_29);
    check(log_e(Tail::Greater, 0.05), 20_455_174.537_666_41);
    check(log_e(Tail::Less, 0.05), -3_839_273.426_289_32);
}

#[test]
fn two_rates() {
    let check = |table: Table, expected: [f64; 2]| {
        for (tail, expected) in TAILS.into_iter().zip(expected) {
            let mut test = Conditional::new(0.0, tail);
            test.add(&table);
            check(test.log_e(), expected);
        }
    };
    let (n_a, n_b) = (1_000_000, 1_000_000);
    let slight = Table {
        n_a,
        n_b,
        s_a: 20_000,
        s_b: 22_000,
    };
    check(slight, [46.231_044_493_434, -115.658_777_521_982]);
    let (n_a, n_b) = (300_000, 300_000);
    let plain = Table {
        n_a,
        n_b,
        s_a: 30_000,
        s_b: 90_000,
    };
    check(plain, [19_238.335_075_848_85, -2_479.562_068_675_55]);
}
