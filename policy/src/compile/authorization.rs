//! `authorization` of an upstream.

use config::document;
use config::{Path, code};
use http::HeaderName;
use http::header::AUTHORIZATION;

use super::{Report, introduction};
use crate::{Authorization, Endpoint, Secret};

/// Compiles what Wald presents to an upstream with these endpoints.
pub(super) fn compile(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Authorization,
    endpoints: &[Endpoint],
) -> Option<Authorization> {
    let document::Authorization {
        header,
        scheme,
        file,
        env,
    } = written;
    let secret = match (file, env) {
        (Some(file), None) => Secret::File(file.clone()),
        (None, Some(env)) => Secret::Env(env.as_str().into()),
        (Some(_), Some(_)) => {
            let message = "the secret is in a file or in a variable, not in both";
            report.error(code::BAD_AUTHORIZATION, path, message, "keep one of them");
            return None;
        }
        (None, None) => {
            let message = "where the secret is, is not said";
            let remedy = "write, for example, `file: upstream.key` or `env: UPSTREAM_KEY`";
            report.error(code::BAD_AUTHORIZATION, path, message, remedy);
            return None;
        }
    };
    let header = match header {
        None => AUTHORIZATION,
        Some(name) => self::header(report, &path.field("header"), name)?,
    };
    let scheme = match scheme.as_deref() {
        Some("") => None,
        Some(scheme) => Some(self::scheme(report, &path.field("scheme"), scheme)?),
        None => (header == AUTHORIZATION).then_some("Bearer"),
    };
    if endpoints.iter().any(is_overheard) {
        let message = "the secret can be read by whoever is on the way to an `http://` endpoint";
        let remedy = "write the endpoints as https://HOST:PORT";
        report.warning(code::SECRET_IN_CLEAR, path, message, remedy);
    }
    Some(Authorization {
        header,
        prefix: scheme.map_or_else(Box::default, |scheme| format!("{scheme} ").into()),
        secret,
    })
}

fn header(report: &mut Report<'_>, path: &Path, name: &str) -> Option<HeaderName> {
    let found = name.parse::<HeaderName>().ok();
    let found = found.filter(|name| *name == AUTHORIZATION || !introduction::is_taken(name));
    if found.is_none() {
        let message = format!("{name:?} is no header that can carry a secret");
        let remedy = "write, for example, x-api-key, or remove it for `authorization`";
        report.error(code::BAD_AUTHORIZATION, path, message, remedy);
    }
    found
}

/// A token of RFC 9110 §11.1.
fn scheme<'a>(report: &mut Report<'_>, path: &Path, written: &'a str) -> Option<&'a str> {
    let is_token = written
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_token {
        let message = format!("{written:?} is no scheme of authorization");
        let remedy = "write, for example, Bearer, or \"\" for the secret alone";
        report.error(code::BAD_AUTHORIZATION, path, message, remedy);
    }
    is_token.then_some(written)
}

/// Whether others may be on the way: not if the endpoint is this machine.
fn is_overheard(
    Endpoint {
        authority, secure, ..
    }: &Endpoint,
) -> bool {
    let host = authority
        .rsplit_once(':')
        .map_or(&**authority, |(host, _)| host);
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<std::net::IpAddr>();
    let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    !secure && !is_here
}
