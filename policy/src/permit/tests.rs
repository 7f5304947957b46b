//! Who may take a route, and what a denial says about everyone else.

use http::Method;
use serde_json::json;

use super::*;
use crate::sample;

/// What becomes of a caller on the sample's first route, if that is what it allows.
#[track_caller]
fn authorize(allow: &str, caller: Caller) -> Result<(), Denial> {
    let policy = sample::policy(&[
        sample::WITH_TOKENS,
        ("allow: [{ callers: anyone }]", &format!("allow: {allow}")),
    ]);
    let headers = sample::headers(&[("x-tenant", "bank")]);
    let request = sample::request(&Method::POST, "/v2/models/fraud/infer", &headers);
    let route = policy.route(&request).expect("a route");
    policy.authorize(caller, route, &request).map(|_| ())
}

#[track_caller]
fn permitted(allow: &str, caller: Caller) {
    assert_eq!(authorize(allow, caller), Ok(()), "{allow}");
}

#[track_caller]
fn denied(allow: &str, caller: Caller, code: u16, log: &str) {
    let denial = authorize(allow, caller).expect_err(allow);
    assert_eq!((denial.code(), &*denial.to_string()), (Code(code), log));
}

fn ada() -> Caller {
    sample::caller(&json!({ "sub": "ada", "scope": "read infer", "tenant": "bank" }))
}

const NOT_LISTED: &str = "no entry of the route's allow list holds: ";
const UNPROVEN: &str = "the route's allow list asks for a user: ";

#[test]
fn every_condition_of_one_entry_must_hold() {
    permitted("[{ issuer: \"https://issuer.test\" }]", ada());
    permitted(
        "[{ claims: { scope: { contains: infer }, tenant: { exact: bank } }, methods: [POST] }]",
        ada(),
    );
    let log = format!("{NOT_LISTED}allow[0] claim tenant says something else");
    denied(
        "[{ claims: { scope: { contains: infer }, tenant: { exact: shop } } }]",
        ada(),
        3003,
        &log,
    );
    let log = format!("{NOT_LISTED}allow[0] no claim roles");
    denied(
        "[{ claims: { roles: { contains: infer } } }]",
        ada(),
        3003,
        &log,
    );
    let log = format!("{NOT_LISTED}allow[0] another method");
    denied(
        "[{ claims: { scope: { contains: infer } }, methods: [GET] }]",
        ada(),
        3003,
        &log,
    );
}

#[test]
fn one_entry_is_enough_and_the_log_tells_of_each_that_fails() {
    let allow = "[{ methods: [GET] }, { claims: { sub: { any_of: [bob, ada] } } }]";
    permitted(allow, ada());
    let bob = sample::caller(&json!({ "sub": "eve" }));
    let log =
        format!("{NOT_LISTED}allow[0] another method, allow[1] claim sub says something else");
    denied(allow, bob, 3003, &log);
}

#[test]
fn who_proves_nothing_is_asked_to_where_that_might_help() {
    let log = format!("{UNPROVEN}allow[0] another method, allow[1] no user was proved");
    denied(
        "[{ methods: [GET] }, { issuer: \"https://issuer.test\" }]",
        Caller::anonymous(),
        3004,
        &log,
    );
    let log = format!("{NOT_LISTED}allow[0] another method");
    denied(
        "[{ methods: [GET], issuer: \"https://issuer.test\" }]",
        Caller::anonymous(),
        3003,
        &log,
    );
}

/// What becomes of a caller where these workloads, and perhaps these claims of a user, are asked for.
fn authorize_workload(
    patterns: &[&str],
    claims: &[(&str, &str)],
    caller: &Caller,
) -> Result<(), (Code, String)> {
    let rule = Rule {
        callers: Some(patterns.iter().map(|it| it.parse().expect(it)).collect()),
        issuer: None,
        claims: claims
            .iter()
            .map(|(name, value)| {
                let path = crate::ClaimPath::parse(name).expect(name);
                (
                    path,
                    crate::claim::ClaimPattern::OneOf(vec![(*value).into()]),
                )
            })
            .collect(),
        methods: Vec::new(),
        models: Vec::new(),
    };
    let headers = sample::headers(&[]);
    let request = sample::request(&Method::POST, "/", &headers);
    match rule.miss(caller, request.method, request.model) {
        None => Ok(()),
        Some(_) => {
            let denial =
                refusal([&rule].into_iter(), caller, request.method, request.model).unwrap_err();
            Err((denial.code(), denial.to_string()))
        }
    }
}

#[test]
fn a_workload_is_proved_by_its_connection_alone() {
    let workload = |id: &str| Caller::anonymous().with_workload(id.parse().expect("an id"));
    let patterns = ["spiffe://bank.test/ns/pay/**", "spiffe://bank.test/web"];
    let of = |caller: &Caller| authorize_workload(&patterns, &[], caller);
    assert_eq!(of(&workload("spiffe://bank.test/ns/pay/a")), Ok(()));
    assert_eq!(of(&workload("spiffe://bank.test/web")), Ok(()));
    let log = format!("{NOT_LISTED}allow[0] another workload");
    assert_eq!(
        of(&workload("spiffe://shop.test/web")),
        Err((Code(3003), log))
    );
    let log = format!("{NOT_LISTED}allow[0] no workload was proved");
    assert_eq!(of(&ada()), Err((Code(3003), log)));
}

#[test]
fn a_workload_and_its_user_are_asked_for_together() {
    let web = "spiffe://bank.test/web";
    let of =
        |caller: &Caller| authorize_workload(&["spiffe://bank.test/**"], &[("sub", "ada")], caller);
    let web = |caller: Caller| caller.with_workload(web.parse().expect("an id"));
    assert_eq!(of(&web(ada())), Ok(()));
    let log = format!("{UNPROVEN}allow[0] no user was proved");
    assert_eq!(of(&web(Caller::anonymous())), Err((Code(3004), log)));
    let log = format!("{NOT_LISTED}allow[0] no workload was proved");
    assert_eq!(
        of(&ada()),
        Err((Code(3003), log)),
        "a token alone would not help"
    );
}

#[test]
fn a_user_of_another_issuer_is_another_user() {
    let policy = sample::policy(&[
        sample::WITH_TOKENS,
        ("https://issuer.test", "https://other.test"),
    ]);
    let claims = json!({ "sub": "ada" });
    let claims = claims.as_object().expect("an object").clone();
    let other = policy.issuers()[0].suppose(claims, 0).expect("a user");
    let log = format!("{NOT_LISTED}allow[0] another issuer");
    denied(
        "[{ issuer: \"https://issuer.test\", claims: { sub: { exact: ada } } }]",
        Caller::anonymous().with_user(other.user),
        3003,
        &log,
    );
}
