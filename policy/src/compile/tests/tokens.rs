//! Issuers whose tokens would prove nothing are refused, and so is what asks for proof that nobody can give.

use super::*;

const TOKENS: (&str, &str) = sample::WITH_TOKENS;

/// An edit of the issuer, on top of there being one.
#[track_caller]
fn refused_issuer(code: Code, path: &str, old: &str, new: &str) {
    check(Severity::Error, code, path, &[TOKENS, (old, new)]);
}

#[test]
fn a_signature_that_others_can_make_is_refused_with_the_reason() {
    for (name, reason) in [
        ("HS256", "can make one"),
        ("HS512", "can make one"),
        ("none", "proves nothing"),
        ("RS255", "RFC 7518"),
        ("rs256", "RFC 7518"),
        ("ES512", "no library"),
    ] {
        let list = format!("[RS256, {name}]");
        let edits = [TOKENS, ("[RS256, ES256]", list.as_str())];
        let found = problems(&edits);
        let problem = found
            .iter()
            .find(|problem| problem.code == code::BAD_ALGORITHM)
            .unwrap_or_else(|| panic!("{name}: {found:#?}"));
        assert_eq!(problem.path.to_string(), "tokens[0].algorithms[1]");
        assert!(problem.message.contains(reason), "{problem}");
    }
    refused_issuer(
        code::NOTHING_THERE,
        "tokens[0].algorithms",
        "[RS256, ES256]",
        "[]",
    );
}

#[test]
fn an_issuer_has_a_name_of_its_own_and_an_audience() {
    refused_issuer(code::NOTHING_THERE, "tokens[0].audiences", "[models]", "[]");
    refused_issuer(
        code::BAD_NAME,
        "tokens[0].issuer",
        "\"https://issuer.test\"",
        "\"\"",
    );
    let twice = "tokens:\n  - { issuer: \"https://issuer.test\", audiences: [a], keys: { file: b }, algorithms: [RS256] }\n";
    refused_issuer(code::DUPLICATE_NAME, "tokens[1].issuer", "tokens:\n", twice);
    let leeway = "algorithms: [RS256, ES256], leeway: 1h";
    refused_issuer(
        code::OUT_OF_RANGE,
        "tokens[0].leeway",
        "algorithms: [RS256, ES256]",
        leeway,
    );
}

#[test]
fn keys_come_by_a_way_that_nobody_can_stand_in() {
    let file = "{ file: jwks.json }";
    for url in [
        "http://issuer.test/keys",
        "http://localhost/keys",
        "http://10.0.0.1/keys",
        "ftp://issuer.test/keys",
        "issuer.test/keys",
        "https:///keys",
        "",
    ] {
        let keys = format!("{{ url: \"{url}\" }}");
        refused_issuer(code::BAD_ADDRESS, "tokens[0].keys.url", file, &keys);
    }
    for url in [
        "https://issuer.test/keys",
        "http://127.0.0.1:1/keys",
        "http://[::1]:1/keys",
    ] {
        let keys = format!("{{ url: \"{url}\", refresh: 1m, stale: 2h }}");
        let policy = sample::policy(&[TOKENS, (file, &keys)]);
        let crate::KeySource::Url(server) = &policy.issuers()[0].keys else {
            panic!("{url} is no file");
        };
        assert_eq!(server.url.to_string(), url);
        assert_eq!(
            (server.refresh.as_secs(), server.stale.as_secs()),
            (60, 7200)
        );
    }
    for (field, keys) in [
        ("refresh", "{ url: \"https://a.test/\", refresh: 0s }"),
        ("refresh", "{ url: \"https://a.test/\", refresh: 100ms }"),
        ("stale", "{ url: \"https://a.test/\", stale: 1m }"),
    ] {
        refused_issuer(
            code::OUT_OF_RANGE,
            &format!("tokens[0].keys.{field}"),
            file,
            keys,
        );
    }
    let trust = "{ url: \"http://127.0.0.1/\", trust: ca.pem }";
    refused_issuer(code::BAD_ADDRESS, "tokens[0].keys.trust", file, trust);
}

#[test]
fn an_entry_asks_for_what_can_be_proved() {
    let allow = "routes[0].allow[0]";
    let entry = |entry: &str| format!("allow: [{{ {entry} }}]");
    let issuer = entry("issuer: \"https://issuer.tset\"");
    refused_issuer(
        code::UNKNOWN_NAME,
        &format!("{allow}.issuer"),
        ALLOW,
        &issuer,
    );
    for name in ["", "/", "/a~3"] {
        let claims = entry(&format!("claims: {{ \"{name}\": {{ exact: a }} }}"));
        let path = format!("{allow}.claims[\"{name}\"]");
        refused_issuer(code::BAD_CLAIM, &path, ALLOW, &claims);
    }
    for value in ["{ any_of: [] }", "{ prefix: \"\" }", "{ contains: \"\" }"] {
        let claims = entry(&format!("claims: {{ sub: {value} }}"));
        refused_issuer(
            code::BAD_MATCH,
            &format!("{allow}.claims.sub"),
            ALLOW,
            &claims,
        );
    }
    let claims = entry("claims: { sub: { exact: ada } }");
    refused(
        code::BAD_CLAIM,
        &format!("{allow}.claims.sub"),
        ALLOW,
        &claims,
    );
}

#[test]
fn a_claim_that_every_issuer_can_make_is_warned_of() {
    let second =
        "tokens:\n  - { issuer: b, audiences: [a], keys: { file: b }, algorithms: [RS256] }\n";
    let any = "allow: [{ claims: { sub: { exact: ada } } }]";
    let edits = [TOKENS, ("tokens:\n", second), (ALLOW, any)];
    warned(code::ANY_ISSUER, "routes[0].allow[0]", &edits);
}

#[test]
fn workloads_are_named_exactly_and_where_they_can_be_proved() {
    let callers = |list: &str| format!("allow: [{{ callers: {list} }}]");
    let path = "routes[0].allow[0].callers";
    let one = callers("[\"spiffe://bank.test/**\"]");
    refused(code::BAD_CALLER, path, ALLOW, &one);
    let tls = "{ name: edge, address: \"127.0.0.1:8080\", tls: { certificate: { chain: a, key: b }, clients: required } }";
    for pattern in [
        "bank.test/pay",
        "spiffe://bank.test/pay-*",
        "spiffe://bank.test/**/a",
        "Anyone",
    ] {
        let one = callers(&format!("[\"{pattern}\"]"));
        let edits = [(LISTENER, tls), (ALLOW, one.as_str())];
        check(
            Severity::Error,
            code::BAD_CALLER,
            &format!("{path}[0]"),
            &edits,
        );
    }
    let nobody = callers("[]");
    let edits = [(LISTENER, tls), (ALLOW, nobody.as_str())];
    check(Severity::Error, code::NOTHING_THERE, path, &edits);
}

#[test]
fn a_unit_can_be_proved() {
    let unit = "unit: { header: x-user }";
    let path = "experiments[0].unit";
    refused(code::BAD_CLAIM, path, unit, "unit: { claim: sub }");
    refused(code::BAD_UNIT, path, unit, "unit: caller");
    refused_issuer(code::BAD_CLAIM, path, unit, "unit: { claim: \"/\" }");
}

#[test]
fn a_header_of_its_own_is_set_and_no_other() {
    for (name, path) in [
        ("host", ".host"),
        ("Content-Length", ".Content-Length"),
        ("x-wald-arm", ".x-wald-arm"),
        ("x-forwarded-for", ".x-forwarded-for"),
        ("authorization", ".authorization"),
        ("\"a b\"", "[\"a b\"]"),
        ("\"\"", "[\"\"]"),
    ] {
        let route = format!("{ROUTE}\n    set_headers: {{ {name}: {{ claim: sub }} }}");
        let path = format!("routes[0].set_headers{path}");
        refused_issuer(code::BAD_HEADER, &path, ROUTE, &route);
    }
    let route = format!("{ROUTE}\n    set_headers: {{ x-user: {{ claim: sub }} }}");
    refused(
        code::BAD_CLAIM,
        "routes[0].set_headers.x-user.claim",
        ROUTE,
        &route,
    );
}

#[test]
fn a_token_ends_here_unless_the_route_keeps_it() {
    let strips = |edits: &[(&str, &str)]| {
        let bearer = sample::headers(&[("authorization", "Bearer a")]);
        let mut headers = bearer.clone();
        let policy = sample::policy(edits);
        policy.routes()[0]
            .introduction
            .give(&crate::Caller::anonymous(), &mut headers);
        headers != bearer
    };
    let (keep, strip) = (
        format!("{ROUTE}\n    token: keep"),
        format!("{ROUTE}\n    token: strip"),
    );
    assert!(
        !strips(&[]),
        "nobody's tokens are believed, so they are not Wald's to take"
    );
    assert!(strips(&[TOKENS]));
    assert!(!strips(&[TOKENS, (ROUTE, &keep)]));
    assert!(strips(&[(ROUTE, &strip)]));
}
