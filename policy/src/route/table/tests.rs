//! The route table against asking every route in order.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::Asked;
use crate::ListenerId;
use crate::host;
use crate::route::{Expression, HeaderPattern, ValuePattern};

/// Few words, so that random tables and requests meet.
const SEGMENTS: [&str; 4] = ["a", "b", "ab", ""];
const HOSTS: [&str; 6] = ["a.test", "b.a.test", "test", "x.b.a.test", "A.test:80", ""];
const HEADERS: [&str; 2] = ["x-one", "x-two"];
const EXPRESSIONS: [&str; 7] = [
    "/a.*",
    "/.*b",
    "/a/b/?.*",
    "/(a|ab)/[a-z]*",
    "(?i)/A/b",
    "/a/b|/b",
    "(?:/ab)+/?",
];
const VALUES: [&str; 3] = ["p", "pq", "q"];

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(select(&SEGMENTS[..]), 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

fn path_pattern() -> impl Strategy<Value = PathPattern> {
    prop_oneof![
        Just(PathPattern::Any),
        path().prop_map(|path| PathPattern::Exact(path.into())),
        path().prop_map(|path| PathPattern::Prefix(path.trim_end_matches('/').into())),
        select(&EXPRESSIONS[..])
            .prop_map(|regex| PathPattern::Regex(Expression::new(regex).expect("a regex"))),
    ]
}

const ASKED: [Asked<'static>; 4] = [
    Asked::Unknown,
    Asked::Nothing,
    Asked::Model("m"),
    Asked::Model("o"),
];

fn value_pattern() -> impl Strategy<Value = ValuePattern> {
    prop_oneof![
        subsequence(&VALUES[..], 1..3)
            .prop_map(|values| ValuePattern::OneOf(values.into_iter().map(Into::into).collect())),
        select(&VALUES[..]).prop_map(|value| ValuePattern::Prefix(value.into())),
        select(&VALUES[..]).prop_map(|value| ValuePattern::Contains(value.into())),
    ]
}

fn header_pattern() -> impl Strategy<Value = HeaderPattern> {
    (select(&HEADERS[..]), value_pattern()).prop_map(|(name, value)| HeaderPattern {
        name: HeaderName::from_static(name),
        value,
    })
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let hosts =
        subsequence(&["a.test", "b.a.test", "*.a.test", "*.test"][..], 0..3).prop_map(|hosts| {
            hosts
                .into_iter()
                .map(|host| Host::parse(host).expect("a host"))
                .collect()
        });
    let methods = subsequence(&[Method::GET, Method::POST][..], 0..2);
    let listeners = subsequence(&[ListenerId(0), ListenerId(1)][..], 0..2);
    let headers = prop::collection::vec(header_pattern(), 0..3);
    let model = prop::option::of(select(&["m", "n"][..]));
    (listeners, hosts, path_pattern(), methods, headers, model).prop_map(
        |(listeners, hosts, path, methods, headers, model)| Pattern {
            listeners,
            hosts,
            path,
            methods,
            headers,
            model: model.map(Into::into),
        },
    )
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    prop::collection::vec((select(&HEADERS[..]), select(&VALUES[..])), 0..4).prop_map(|pairs| {
        let pair = |(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        let mut map = HeaderMap::new();
        pairs.into_iter().map(pair).for_each(|(name, value)| {
            map.append(name, value);
        });
        map
    })
}

proptest! {
    #[test]
    fn the_table_finds_what_asking_every_route_finds(
        patterns in prop::collection::vec(pattern(), 0..24),
        host in select(&HOSTS[..]),
        path in prop_oneof![8 => path(), 1 => Just("*".to_owned())],
        method in select(&[Method::GET, Method::POST][..]),
        headers in headers(),
        model in select(&ASKED[..]),
    ) {
        let host = host::bare(host);
        let subject = Subject { listener: ListenerId(0), host, path: &path, method: &method, headers: &headers, model };
        let naive = patterns.iter().position(|pattern| pattern.mismatch(&subject).is_none());
        let table = Table::new(patterns.iter());
        prop_assert_eq!(table.first(&subject, |id| patterns.get(id)), naive);
    }

    #[test]
    fn a_covered_pattern_never_matches_alone(
        wide in pattern(),
        narrow in pattern(),
        host in select(&HOSTS[..]),
        path in path(),
        headers in headers(),
        model in select(&ASKED[..]),
    ) {
        let (host, method) = (host::bare(host), Method::GET);
        let subject = Subject { listener: ListenerId(0), host, path: &path, method: &method, headers: &headers, model };
        if wide.covers(&narrow) && narrow.mismatch(&subject).is_none() {
            prop_assert_eq!(wide.mismatch(&subject), None);
        }
    }
}
