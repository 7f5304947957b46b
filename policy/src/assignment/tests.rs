//! Properties of assignment: shares, stickiness, ramps that move users one way only.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;

fn fixed(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(20_261_124),
        failure_persistence: None,
        ..Config::default()
    }
}

fn share(value: f64) -> Share {
    Share::new(value).expect("between 0 and 1")
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for &(name, value) in pairs {
        map.append(name, value.parse().expect("a header value"));
    }
    map
}

/// A share and a number of candidates for which it fits.
fn fitting() -> impl Strategy<Value = (Share, u8)> {
    (1..=7_u8, 0.0..=1.0_f64)
        .prop_map(|(candidates, part)| (share(part / f64::from(candidates)), candidates))
}

proptest! {
    #![proptest_config(fixed(64))]

    #[test]
    fn each_arm_gets_its_share_within_binomial_error((part, candidates) in fitting(), salt: u64) {
        const UNITS: u32 = 20_000;
        let mut counts = vec![0_u32; usize::from(candidates) + 1];
        for user in 0..UNITS {
            let standing = Standing::of(format!("user-{user}").as_bytes(), salt);
            counts[owner(standing.slot, width(part, candidates), candidates).index()] += 1;
        }
        for (count, expected) in counts.into_iter().zip(split(width(part, candidates), candidates)) {
            let n = f64::from(UNITS);
            let deviation = (f64::from(count) - n * expected).abs();
            // Five standard errors: once in 1.7 million, and the seed is fixed.
            prop_assert!(deviation <= 5.0 * (n * expected * (1.0 - expected)).sqrt() + 1e-9);
        }
    }

    #[test]
    fn a_bucket_says_nothing_about_the_arm(salt: u64) {
        const UNITS: u32 = 100_000;
        let mut candidates = vec![0_f64; usize::from(BUCKETS)];
        let mut all = candidates.clone();
        for user in 0..UNITS {
            let standing = Standing::of(&user.to_le_bytes(), salt);
            all[usize::from(standing.bucket)] += 1.0;
            if owner(standing.slot, 3_000, 1) != ArmId::CONTROL {
                candidates[usize::from(standing.bucket)] += 1.0;
            }
        }
        let chi_squared: f64 = candidates.iter().zip(&all).map(|(b, n)| (b - 0.3 * n).powi(2) / (n * 0.3 * 0.7)).sum();
        // 512 degrees of freedom: mean 512, standard deviation 32.
        prop_assert!((chi_squared - 512.0).abs() < 5.0 * 32.0, "{}", chi_squared);
    }
}

proptest! {
    #![proptest_config(fixed(256))]

    #[test]
    fn raising_the_share_moves_slots_only_from_control_to_a_candidate(
        (high, candidates) in fitting(), fraction in 0.0..=1.0_f64
    ) {
        let low = width(share(high.value() * fraction), candidates);
        let high = width(high, candidates);
        for slot in 0..SLOTS {
            let (before, after) = (owner(slot, low, candidates), owner(slot, high, candidates));
            prop_assert!(before == after || before == ArmId::CONTROL, "slot {} left {:?}", slot, before);
        }
    }

    #[test]
    fn the_split_is_what_the_slots_say((part, candidates) in fitting()) {
        let mut counts = vec![0_u32; usize::from(candidates) + 1];
        for slot in 0..SLOTS {
            counts[owner(slot, width(part, candidates), candidates).index()] += 1;
        }
        let counted: Vec<f64> = counts.into_iter().map(|count| f64::from(count) / f64::from(SLOTS)).collect();
        prop_assert_eq!(counted, split(width(part, candidates), candidates));
    }

    #[test]
    fn a_unit_stands_where_it_stood(unit: Vec<u8>, salt: u64) {
        let standing = Standing::of(&unit, salt);
        prop_assert_eq!(standing, Standing::of(&unit, salt));
        prop_assert!(standing.slot < SLOTS && standing.bucket < BUCKETS);
    }
}

#[test]
fn assignment_does_not_change_with_a_release() {
    // Recorded once; a change would move every user of every running experiment.
    let recorded = Standing {
        unit: 2_298_328_301_392_463_364,
        slot: 3_364,
        bucket: 248,
    };
    assert_eq!(Standing::of(b"customer-4711", 1), recorded);
}

#[test]
fn a_salt_of_its_own_reshuffles_the_units() {
    let slots = |salt| (0..1_000_u32).map(move |user| Standing::of(&user.to_le_bytes(), salt).slot);
    assert!(
        slots(1)
            .zip(slots(2))
            .filter(|(one, two)| one == two)
            .count()
            < 10
    );
}

/// The unit of a request whose caller proved nothing.
fn anonymous(unit: &Unit, headers: &HeaderMap, chance: u64) -> Option<Vec<u8>> {
    unit.of(headers, &Caller::anonymous(), chance)
        .map(Cow::into_owned)
}

#[test]
fn a_header_names_the_unit() {
    let unit = Unit::Header(HeaderName::from_static("x-user"));
    assert_eq!(
        anonymous(&unit, &headers(&[("x-user", "ada"), ("x-user", "eve")]), 0).as_deref(),
        Some(&b"ada"[..])
    );
    assert_eq!(anonymous(&unit, &headers(&[("x-user", "")]), 0), None);
    assert_eq!(anonymous(&unit, &headers(&[]), 0), None);
}

#[test]
fn a_cookie_names_the_unit_wherever_it_stands() {
    let unit = Unit::Cookie("sid".into());
    check_cookie(&unit, &[("cookie", "a=1; sid=ada; b=2")], Some("ada"));
    check_cookie(
        &unit,
        &[("cookie", "a=1"), ("cookie", "sid=ada")],
        Some("ada"),
    );
    check_cookie(&unit, &[("cookie", "xsid=1; sid2=2; sid")], None);
    check_cookie(&unit, &[("cookie", "sid=")], None);
}

#[track_caller]
fn check_cookie(unit: &Unit, pairs: &[(&'static str, &'static str)], expected: Option<&str>) {
    assert_eq!(
        anonymous(unit, &headers(pairs), 0).as_deref(),
        expected.map(str::as_bytes)
    );
}

#[test]
fn without_stickiness_chance_names_the_unit() {
    let unit = Unit::Request;
    assert_ne!(
        anonymous(&unit, &HeaderMap::new(), 1),
        anonymous(&unit, &HeaderMap::new(), 2)
    );
    assert!(anonymous(&unit, &HeaderMap::new(), 0).is_some());
}
