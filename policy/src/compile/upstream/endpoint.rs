//! Where the servers of an upstream are.

use config::document;
use config::{Path, code};
use http::Uri;

use super::Report;
use crate::Endpoint;

/// The largest weight: a ring of hashes has 160 points for each unit of weight.
const WEIGHT_MAX: u32 = 100;

/// Compiles the endpoints of an upstream; those in `zone` are near.
pub(super) fn list(
    report: &mut Report<'_>,
    path: &Path,
    written: &[document::Endpoint],
    zone: Option<&str>,
) -> Option<Vec<Endpoint>> {
    if written.is_empty() {
        let remedy = "name at least one, for example [http://127.0.0.1:8001]";
        report.error(
            code::NOTHING_THERE,
            path,
            "the upstream has no endpoint",
            remedy,
        );
    }
    let endpoint = |(position, written)| endpoint(report, &path.index(position), written, zone);
    let endpoints: Vec<_> = written.iter().enumerate().map(endpoint).collect();
    endpoints
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .filter(|endpoints| !endpoints.is_empty())
}

fn endpoint(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::Endpoint,
    zone: Option<&str>,
) -> Option<Endpoint> {
    let url = written.url();
    let parsed = url.parse::<Uri>().ok();
    let Some((authority, secure)) = parsed.as_ref().and_then(address) else {
        let message = format!("{url:?} is not the address of a server");
        let remedy = "write http://HOST:PORT or https://HOST:PORT, without user, path or query";
        report.error(code::BAD_ADDRESS, path, message, remedy);
        return None;
    };
    let (weight, own) = match written {
        document::Endpoint::Address(_) => (None, None),
        document::Endpoint::Detailed(detailed) => (detailed.weight, detailed.zone.as_deref()),
    };
    let weight = report.positive(path, "weight", weight, 1);
    if weight > WEIGHT_MAX {
        let message = format!("`weight` is larger than {WEIGHT_MAX}");
        let remedy = "divide the weights of all endpoints by the same number";
        report.error(code::OUT_OF_RANGE, &path.field("weight"), message, remedy);
    }
    Some(Endpoint {
        authority,
        secure,
        weight,
        zone: own.map(Into::into),
        is_near: own.is_some() && own == zone,
    })
}

/// Host and port of an `http://` or `https://` address, and whether it is the latter.
fn address(url: &Uri) -> Option<(String, bool)> {
    let (secure, usual) = match url.scheme_str()? {
        "http" => (false, 80),
        "https" => (true, 443),
        _ => return None,
    };
    let authority = url
        .authority()
        .filter(|authority| !authority.as_str().contains('@'))?;
    let host = Some(authority.host()).filter(|host| !host.is_empty())?;
    // A port that is no port makes `port_u16` none, as does none at all.
    let port = if authority.as_str() == host {
        usual
    } else {
        authority.port_u16()?
    };
    let bare = url
        .path_and_query()
        .is_none_or(|rest| rest.as_str() == "/" || rest.as_str().is_empty());
    bare.then(|| (format!("{host}:{port}"), secure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(
            url.parse()
                .ok()
                .as_ref()
                .and_then(address)
                .map(|(authority, _)| authority)
                .as_deref(),
            expected,
            "{url}"
        );
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port() {
        check("http://127.0.0.1:8001", Some("127.0.0.1:8001"));
        check("http://models.test/", Some("models.test:80"));
        check("https://models.test", Some("models.test:443"));
        check("http://[::1]:8001", Some("[::1]:8001"));
    }

    #[test]
    fn an_endpoint_has_nothing_else() {
        for url in [
            "127.0.0.1:8001",
            "http://",
            "http://a/b",
            "http://a/?b",
            "http://u@a",
            "http://a:0x",
            "ftp://a",
        ] {
            check(url, None);
        }
    }
}
