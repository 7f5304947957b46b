//! Which claims make a user, and which do not.

use serde_json::json;

use super::*;
use crate::sample;

/// The middle of some second.
const NOW_MS: u64 = 1_800_000_000_500;
const NOW: u64 = 1_800_000_000;

fn issuer() -> Issuer {
    sample::policy(&[sample::WITH_TOKENS]).issuers()[0].clone()
}

/// What comes of claims of which some were changed; `null` takes one away.
#[track_caller]
fn believed(changes: &Value) -> Result<Believed, Doubt> {
    let mut claims =
        json!({ "iss": "https://issuer.test", "aud": "models", "sub": "ada", "exp": NOW + 60 });
    let members = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
        members.retain(|_, value| !value.is_null());
    }
    issuer().check(members.clone(), NOW_MS)
}

#[track_caller]
fn doubted(changes: &Value, doubt: Doubt) {
    assert_eq!(believed(changes).map(|_| ()), Err(doubt), "{changes}");
}

#[test]
fn claims_that_are_for_us_and_for_now_name_a_user() {
    let believed = believed(&json!({ "aud": ["others", "models"], "nbf": NOW - 5 })).unwrap();
    assert_eq!(believed.user.issuer(), "https://issuer.test");
    assert_eq!(believed.user.subject(), Some("ada"));
    assert_eq!(believed.user.to_string(), "user ada of https://issuer.test");
}

#[test]
fn a_token_is_good_from_its_beginning_to_its_end_with_some_leeway() {
    let believed = believed(&json!({ "exp": NOW + 60, "nbf": NOW - 60 })).unwrap();
    let from_ms = (NOW - 60 - 30) * 1000;
    let until_ms = (NOW + 60 + 30) * 1000;
    assert_eq!((believed.from_ms, believed.until_ms), (from_ms, until_ms));
    for (at, holds) in [
        (from_ms - 1, false),
        (from_ms, true),
        (until_ms - 1, true),
        (until_ms, false),
    ] {
        assert_eq!(believed.holds_at(at), holds, "{at}");
    }
}

#[test]
fn the_leeway_is_as_long_as_the_document_says() {
    assert!(believed(&json!({ "exp": NOW - 29 })).is_ok());
    doubted(&json!({ "exp": NOW - 30 }), Doubt::Expired);
    assert!(believed(&json!({ "nbf": NOW + 30 })).is_ok());
    doubted(&json!({ "nbf": NOW + 31 }), Doubt::Early);
}

#[test]
fn another_issuer_or_audience_is_not_ours() {
    for iss in [
        json!("https://issuer.test/"),
        json!(["https://issuer.test"]),
        Value::Null,
    ] {
        doubted(&json!({ "iss": iss }), Doubt::Issuer);
    }
    for aud in [
        json!("model"),
        json!(["others"]),
        json!([]),
        json!({ "models": 1 }),
        Value::Null,
    ] {
        doubted(&json!({ "aud": aud }), Doubt::Audience);
    }
}

#[test]
fn an_end_must_be_there_and_dates_must_be_dates() {
    doubted(&json!({ "exp": null }), Doubt::Claim("exp"));
    for wrong in [json!("1900000000"), json!(-1), json!([NOW]), json!(true)] {
        doubted(&json!({ "exp": wrong }), Doubt::Claim("exp"));
        doubted(&json!({ "nbf": wrong }), Doubt::Claim("nbf"));
    }
    assert!(believed(&json!({ "exp": 1_800_000_060.5 })).is_ok());
    assert!(believed(&json!({ "exp": 1e300 })).is_ok());
    assert!(believed(&json!({ "exp": u64::MAX })).is_ok());
    doubted(&json!({ "sub": 7 }), Doubt::Claim("sub"));
}

#[test]
fn a_supposition_says_only_what_matters() {
    let claims = |value: Value| value.as_object().unwrap().clone();
    let supposed = issuer().suppose(claims(json!({ "sub": "ada" })), NOW_MS);
    assert_eq!(supposed.unwrap().user.subject(), Some("ada"));
    let late = issuer().suppose(claims(json!({ "exp": 1 })), NOW_MS);
    assert_eq!(late.map(|_| ()), Err(Doubt::Expired));
}
