//! Issuers of tokens: their keys, algorithms and audiences.

use std::net::IpAddr;
use std::time::Duration;

use config::document::{self, Keys};
use config::{Path, code};
use http::Uri;

use super::{Report, Scope};
use crate::issuer::{Algorithm, KeyServer, KeySource};
use crate::{Issuer, IssuerId};

/// How far clocks may differ unless the document says otherwise, and at most: beyond that a clock is wrong.
const LEEWAY: Duration = Duration::from_secs(30);
const LEEWAY_MAX: Duration = Duration::from_secs(600);

/// How often keys are fetched again unless the document says otherwise. More often than once a second
/// would be an attack.
const REFRESH: Duration = Duration::from_secs(600);
const REFRESH_MIN: Duration = Duration::from_secs(1);

/// How long keys outlive their server unless the document says otherwise: a night and a morning.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// Compiles one issuer.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    position: usize,
    written: &document::Issuer,
) -> Option<Issuer> {
    let document::Issuer {
        issuer,
        audiences,
        keys,
        algorithms,
        leeway,
    } = written;
    name(scope, path, position, issuer);
    let report = &mut scope.report;
    self::audiences(report, &path.field("audiences"), audiences);
    let keys = source(report, &path.field("keys"), keys);
    let algorithms = self::algorithms(report, &path.field("algorithms"), algorithms);
    let leeway = leeway.map_or(LEEWAY, |time| time.0);
    if leeway > LEEWAY_MAX {
        let message = "a leeway lasts at most 10m, or a token hardly expires";
        report.error(
            code::OUT_OF_RANGE,
            &path.field("leeway"),
            message,
            "write, for example, 30s, and set the clocks right",
        );
    }
    Some(Issuer {
        id: IssuerId(position),
        name: issuer.as_str().into(),
        keys: keys?,
        algorithms: algorithms?,
        audiences: audiences.iter().map(|it| it.as_str().into()).collect(),
        leeway,
    })
}

fn name(scope: &mut Scope<'_>, path: &Path, position: usize, issuer: &str) {
    let path = path.field("issuer");
    let mut earlier = scope.document.tokens.iter().take(position);
    if earlier.any(|earlier| earlier.issuer == issuer) {
        let message = format!("issuer {issuer} is there already");
        let remedy = "write both key sets into one, or remove one of the issuers";
        scope
            .report
            .error(code::DUPLICATE_NAME, &path, message, remedy);
    }
    if issuer.is_empty() {
        let message = "an issuer without a name issues nothing";
        let remedy = "write the `iss` of its tokens";
        scope.report.error(code::BAD_NAME, &path, message, remedy);
    }
}

fn audiences(report: &mut Report<'_>, path: &Path, written: &[String]) {
    if written.is_empty() {
        let message = "without an audience, tokens meant for others would be believed";
        let remedy = "write what `aud` says in tokens for this service";
        report.error(code::NOTHING_THERE, path, message, remedy);
    }
}

fn algorithms(report: &mut Report<'_>, path: &Path, written: &[String]) -> Option<Vec<Algorithm>> {
    if written.is_empty() {
        let remedy = "write what the issuer signs with, for example [RS256]";
        report.error(
            code::NOTHING_THERE,
            path,
            "no token could be signed",
            remedy,
        );
        return None;
    }
    let mut algorithm = |(position, name): (usize, &String)| {
        let known = Algorithm::named(name);
        if known.is_none() {
            let message = format!("{name} is not taken: {}", why_not(name));
            let known: Vec<_> = Algorithm::ALL.iter().map(|it| it.name()).collect();
            let remedy = format!("use one of {}", known.join(", "));
            report.error(code::BAD_ALGORITHM, &path.index(position), message, remedy);
        }
        known
    };
    let algorithms: Vec<_> = written.iter().enumerate().map(&mut algorithm).collect();
    algorithms.into_iter().collect()
}

fn why_not(name: &str) -> &'static str {
    match name {
        "HS256" | "HS384" | "HS512" => {
            "whoever checks an HMAC can make one, so that every reader of the key would be an issuer"
        }
        "none" => "a token without a signature proves nothing",
        "ES512" | "ES256K" | "Ed448" => "no library in use verifies it",
        _ => "it is no algorithm of RFC 7518",
    }
}

fn source(report: &mut Report<'_>, path: &Path, written: &Keys) -> Option<KeySource> {
    let (url, refresh, stale, trust) = match written {
        Keys::File { file } => return Some(KeySource::File(file.clone())),
        Keys::Url {
            url,
            refresh,
            stale,
            trust,
        } => (url, refresh, stale, trust),
    };
    let refresh = refresh.map_or(REFRESH, |time| time.0);
    if refresh < REFRESH_MIN {
        let message = "keys are fetched once a second at most";
        let remedy = "write, for example, 10m: an unknown key is fetched at once in any case";
        report.error(code::OUT_OF_RANGE, &path.field("refresh"), message, remedy);
    }
    let stale = stale.map_or(STALE, |time| time.0);
    if stale < refresh {
        let message = "keys would go stale before they are fetched again";
        let remedy = "write a `stale` that is longer than `refresh`";
        report.error(code::OUT_OF_RANGE, &path.field("stale"), message, remedy);
    }
    let url = self::url(report, &path.field("url"), url)?;
    if trust.is_some() && url.scheme_str() == Some("http") {
        let message = "`trust` is for https, and this address has no certificate";
        report.error(
            code::BAD_ADDRESS,
            &path.field("trust"),
            message,
            "remove it, or use https",
        );
    }
    Some(KeySource::Url(KeyServer {
        url,
        refresh,
        stale,
        trust: trust.clone(),
    }))
}

/// Keys that came over an open network could be anyone's, and whoever has the key makes the tokens.
fn url(report: &mut Report<'_>, path: &Path, written: &str) -> Option<Uri> {
    let uri: Option<Uri> = written.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let problem = match uri.as_ref().and_then(Uri::scheme_str) {
        Some("https") if !host.is_empty() => return uri,
        Some("http") if is_loopback(host) => return uri,
        Some("http") => "whoever stands between could replace the keys, and issue tokens",
        _ => "keys come over https, or over http from this machine",
    };
    let remedy = "write it like https://issuer.example/jwks.json";
    report.error(
        code::BAD_ADDRESS,
        path,
        format!("{written}: {problem}"),
        remedy,
    );
    None
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
