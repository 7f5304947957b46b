//! What is a token, and what only looks like one.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::json;

use super::*;

/// A token with these parts and a signature that nobody made.
fn token(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(header), part(claims))
}

#[track_caller]
fn refused(text: &str, why: Malformed) {
    assert_eq!(Unverified::parse(text).map(|_| ()), Err(why), "{text}");
}

#[track_caller]
fn refused_header(header: &Value, why: Malformed) {
    refused(&token(header, &json!({})), why);
}

#[test]
fn a_token_is_taken_apart() {
    let text = token(
        &json!({ "alg": "RS256", "kid": "k1", "typ": "JWT" }),
        &json!({ "iss": "i", "sub": "ada" }),
    );
    let token = Unverified::parse(&text).unwrap();
    assert_eq!(
        (token.algorithm(), token.key(), token.issuer()),
        ("RS256", Some("k1"), Some("i"))
    );
    assert_eq!(format!("{}.{}", token.signed(), token.signature()), text);
}

#[test]
fn a_type_is_that_of_a_token_or_not_stated() {
    for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
        let text = token(&json!({ "alg": "RS256", "typ": typ }), &json!({}));
        assert!(Unverified::parse(&text).is_ok(), "{typ}");
    }
    for typ in ["logout+jwt", "JOSE", "", "dpop+jwt"] {
        refused_header(&json!({ "alg": "RS256", "typ": typ }), Malformed::Type);
    }
    refused_header(
        &json!({ "alg": "RS256", "typ": 1 }),
        Malformed::NoText("typ"),
    );
}

#[test]
fn a_header_that_wants_more_than_a_signature_checked_is_refused() {
    refused_header(
        &json!({ "alg": "RS256", "crit": ["b64"] }),
        Malformed::Critical,
    );
    refused_header(&json!({ "alg": "RS256", "crit": [] }), Malformed::Critical);
    for own in ["jku", "jwk", "x5u", "x5c"] {
        refused_header(&json!({ "alg": "RS256", own: "x" }), Malformed::OwnKey(own));
    }
    refused_header(&json!({ "kid": "k" }), Malformed::NoAlgorithm);
    refused_header(&json!({ "alg": 256 }), Malformed::NoText("alg"));
    refused_header(
        &json!({ "alg": "RS256", "kid": 1 }),
        Malformed::NoText("kid"),
    );
}

#[test]
fn what_is_not_three_parts_of_base64url_is_no_token() {
    for text in [
        "",
        ".",
        "a.b",
        "e30.e30",
        "e30.e30.e30.e30",
        "e30.e30.e30.e30.e30",
    ] {
        refused(text, Malformed::Parts);
    }
    for text in [
        "e30=.e30.e30",
        "e3 0.e30.e30",
        "e30.e30.+/+/",
        "e31.e30.e30",
    ] {
        refused(text, Malformed::Base64);
    }
    for text in ["W10.e30.e30", "e30.W10.e30", ".e30.e30", "e30.bnVsbA.e30"] {
        refused(text, Malformed::Json);
    }
}

#[test]
fn a_member_that_is_there_twice_is_refused_in_header_and_claims() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = part(r#"{"alg":"RS256"}"#);
    let twice = part(r#"{"sub":"ada","sub":"root"}"#);
    refused(&format!("{header}.{twice}.c2ln"), Malformed::Json);
    let twice = part(r#"{"alg":"RS256","alg":"none"}"#);
    refused(&format!("{twice}.e30.c2ln"), Malformed::Json);
}

#[test]
fn a_token_may_be_as_large_as_the_limit_and_no_larger() {
    refused(&"a".repeat(TOKEN_BYTES_MAX + 1), Malformed::TooLarge);
    refused(&"a".repeat(TOKEN_BYTES_MAX), Malformed::Parts);
}

/// Texts that are nearly tokens: parts of JSON with a change somewhere, or letters and points.
fn texts() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(r#"{"alg":"RS256","kid":"k"}"#.to_owned()),
        Just(r#"{"iss":"i","aud":["a"],"exp":1900000000}"#.to_owned()),
        "[{}\\[\\]\":,a-z0-9.\\\\]{0,20}",
    ];
    let token =
        (part.clone(), part, "[A-Za-z0-9_-]{0,8}").prop_map(|(header, claims, signature)| {
            let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.{signature}", encode(header), encode(claims))
        });
    prop_oneof![token, "[A-Za-z0-9_.=-]{0,60}", any::<String>()]
}

proptest! {
    #![proptest_config(Config {
        cases: 4096,
        rng_seed: RngSeed::Fixed(20_261_125),
        failure_persistence: None,
        ..Config::default()
    })]

    /// Else one part of a system would verify another token than the next one reads.
    #[test]
    fn what_was_taken_apart_is_the_text_that_came_in(text in texts()) {
        if let Ok(token) = Unverified::parse(&text) {
            prop_assert_eq!(format!("{}.{}", token.signed(), token.signature()), text);
        }
    }
}
