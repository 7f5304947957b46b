//! Where connections come from and what goes out beside requests: sockets, balancers, keys of upstreams.

use super::*;

#[test]
fn what_an_upstream_is_presented_with_is_in_one_place_and_fits_a_header() {
    let with = |fields: &str| format!("{UPSTREAM}, authorization: {{ {fields} }}");
    for (path, fields) in [
        ("", ""),
        ("", "file: a.key, env: KEY"),
        (".header", "env: KEY, header: content-length"),
        (".header", "env: KEY, header: x-wald-key"),
        (".header", "env: KEY, header: \"x key\""),
        (".scheme", "env: KEY, scheme: \"Bearer x\""),
    ] {
        let path = format!("upstreams[0].authorization{path}");
        refused(code::BAD_AUTHORIZATION, &path, UPSTREAM, &with(fields));
    }
    let elsewhere = with("env: KEY").replace("127.0.0.1", "10.0.0.9");
    warned(
        code::SECRET_IN_CLEAR,
        "upstreams[0].authorization",
        &[(UPSTREAM, &elsewhere)],
    );
    for (fields, header, prefix) in [
        ("env: KEY", "authorization", "Bearer "),
        ("env: KEY, header: x-api-key", "x-api-key", ""),
        ("env: KEY, scheme: Basic", "authorization", "Basic "),
        ("env: KEY, scheme: \"\"", "authorization", ""),
    ] {
        let policy = sample::policy(&[(UPSTREAM, &with(fields))]);
        let found = policy.upstreams()[0].authorization.as_ref().unwrap();
        assert_eq!((found.header.as_str(), &*found.prefix), (header, prefix));
    }
}

#[test]
fn a_unix_socket_has_a_path_that_fits() {
    let at = |path: &str| LISTENER.replace("127.0.0.1:8080", path);
    let policy = sample::policy(&[(LISTENER, &at("unix:///run/wald.sock"))]);
    let address = &policy.listeners()[0].address;
    assert_eq!(address.to_string(), "unix:///run/wald.sock");
    let long = format!("unix:///{}", "x".repeat(104));
    for bad in ["unix://run/wald.sock", "unix:wald.sock", &long] {
        refused(
            code::BAD_ADDRESS,
            "listeners[0].address",
            LISTENER,
            &at(bad),
        );
    }
}

#[test]
fn balancers_and_proxies_are_networks_or_workloads() {
    let with = |fields: &str| LISTENER.replace(" }", &format!(", {fields} }}"));
    for (code, path, fields) in [
        (
            code::NOTHING_THERE,
            "proxy_protocol.trusted",
            "proxy_protocol: {}",
        ),
        (
            code::BAD_ADDRESS,
            "proxy_protocol.trusted[0]",
            "proxy_protocol: { trusted: [here] }",
        ),
        (
            code::BAD_ADDRESS,
            "proxy_protocol.trusted[0]",
            "proxy_protocol: { trusted: [unix] }",
        ),
        (
            code::BAD_CALLER,
            "trust_forwarded[0]",
            "trust_forwarded: [10.0.0.0/33]",
        ),
        (
            code::BAD_CALLER,
            "trust_forwarded[1]",
            "trust_forwarded: [10.0.0.1, \"spiffe://a.example/b\"]",
        ),
    ] {
        refused(
            code,
            &format!("listeners[0].{path}"),
            LISTENER,
            &with(fields),
        );
    }
    let everybody = with("trust_forwarded: [0.0.0.0/0]");
    warned(
        code::BAD_ADDRESS,
        "listeners[0].trust_forwarded[0]",
        &[(LISTENER, &everybody)],
    );
    let policy = sample::policy(&[(
        LISTENER,
        &with("trust_forwarded: [10.0.0.0/8, \"fd00::1\"]"),
    )]);
    let forwarders = policy.listeners()[0].trust_forwarded.as_ref().unwrap();
    for (address, expected) in [("10.1.1.1", true), ("fd00::1", true), ("fd00::2", false)] {
        let origin = crate::Origin::Ip(address.parse().unwrap());
        assert_eq!(forwarders.believe(origin, None), expected, "{address}");
    }
}

#[test]
fn the_admin_api_is_open_to_others_only_for_whom_it_knows() {
    let open = |fields: &str| {
        let tls = "tls: { certificate: { chain: a.pem, key: a.key }, clients: required, trust: [ca.pem] }";
        format!("admin: {{ address: \"0.0.0.0:9901\", {tls}{fields} }}\nlisteners:")
    };
    for fields in [
        "",
        ", allow: [{ callers: anyone }]",
        ", roles: { operator: [{ callers: anyone }] }",
    ] {
        refused(
            code::OPEN_ADMIN,
            "admin.address",
            "listeners:",
            &open(fields),
        );
    }
    for fields in [
        ", allow: [{ callers: [\"spiffe://a.example/b\"] }]",
        ", roles: { viewer: [{ callers: anyone }], approver: [{ callers: [\"spiffe://a.example/b\"] }] }",
    ] {
        sample::policy(&[("listeners:", &open(fields))]);
    }
}

#[test]
fn callers_of_the_admin_api_can_prove_who_they_are() {
    let plain = "admin: { address: \"127.0.0.1:9901\", allow: [{ callers: [\"spiffe://a.example/b\"] }] }\nlisteners:";
    refused(
        code::BAD_CALLER,
        "admin.allow[0].callers",
        "listeners:",
        plain,
    );
    let nobody = "admin: { address: \"127.0.0.1:9901\", roles: {} }\nlisteners:";
    refused(code::NOTHING_THERE, "admin.roles", "listeners:", nobody);
}

#[test]
fn another_wald_asks_beside_the_store_or_where_the_document_says() {
    let at = |text: &str| {
        let policy =
            sample::policy(&[("version: wald/v1\n", &format!("version: wald/v1\n{text}"))]);
        policy.upgrade_socket().map(std::path::Path::to_owned)
    };
    let beside = at("store: { path: /var/lib/wald.redb }\n");
    assert_eq!(beside.unwrap().to_str(), Some("/var/lib/wald.redb.upgrade"));
    let said = at("upgrade: { socket: /run/wald.sock }\n");
    assert_eq!(said.unwrap().to_str(), Some("/run/wald.sock"));
    let deep = format!("/{}", "x".repeat(110));
    assert_eq!(at(&format!("store: {{ path: {deep} }}\n")), None);
    let long = format!("version: wald/v1\nupgrade: {{ socket: {deep} }}\n");
    refused(
        code::BAD_ADDRESS,
        "upgrade.socket",
        "version: wald/v1\n",
        &long,
    );
}

#[test]
fn the_audit_trail_is_signed_where_there_is_one() {
    let with = |text: &str| format!("version: wald/v1\n{text}");
    let signed = with("audit: { key: /etc/wald/audit.key }\n");
    refused(code::NOTHING_THERE, "audit", "version: wald/v1\n", &signed);
    let stored = signed + "store: { path: /var/lib/wald.redb }\n";
    let policy = sample::policy(&[("version: wald/v1\n", &stored)]);
    let audit = policy.audit().unwrap();
    assert_eq!(
        audit.checkpoints.to_str(),
        Some("/var/lib/wald.redb.checkpoints")
    );
}

#[test]
fn a_webhook_is_an_address_that_is_told_apart_by_its_name() {
    let with = |text: &str| format!("version: wald/v1\nevents: {{ webhooks: [{text}] }}\n");
    let refuse = |code, path: &str, text: &str| {
        let path = format!("events.webhooks{path}");
        refused(code, &path, "version: wald/v1\n", &with(text));
    };
    for url in [
        "ftp://h",
        "h",
        "/events",
        "https://me:word@h/",
        "\"http://\"",
    ] {
        refuse(code::BAD_ADDRESS, "[0].url", &format!("{{ url: {url} }}"));
    }
    let trusted = "{ url: http://h, trust: ca.pem }";
    refuse(code::BAD_ADDRESS, "[0].trust", trusted);
    refuse(code::BAD_NAME, "[0].name", "{ url: http://h, name: a b }");
    let twice = "{ url: http://h/a }, { url: http://h/b }";
    refuse(code::DUPLICATE_NAME, "[1]", twice);
    let named = "{ url: http://h/a }, { url: https://h:8443/b, types: [alarm], format: slack }";
    let policy = sample::policy(&[("version: wald/v1\n", &with(named))]);
    let [one, two] = policy.webhooks() else {
        panic!("two webhooks");
    };
    assert_eq!((&*one.name, &*two.name), ("h", "h:8443"));
    assert!(one.wants("promoted") && two.wants("alarm") && !two.wants("promoted"));
    assert_eq!(two.place(), "https://h:8443");
}
