//! How a caller is introduced to an upstream: headers that say what was proved, and what becomes of its token.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::claim::ClaimPath;
use crate::{Caller, token};

/// What a route tells its upstream about the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    pub(crate) headers: Vec<(HeaderName, Fact)>,
    pub(crate) strips_token: bool,
}

/// Something that may have been proved about a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// A claim of its token.
    Claim(ClaimPath),
    /// Its workload.
    Workload,
}

impl Introduction {
    /// Writes into a request's head what was proved about its caller, and takes out what the client said
    /// there itself. What was not proved, or what no header can carry, is not said at all.
    pub fn give(&self, caller: &Caller, headers: &mut HeaderMap) {
        if self.strips_token && token::is_bearer(headers) {
            headers.remove(AUTHORIZATION);
        }
        for (name, fact) in &self.headers {
            remove_alike(headers, name);
            if let Some(value) = fact.of(caller) {
                headers.insert(name.clone(), value);
            }
        }
    }
}

impl Fact {
    /// A line end would begin a header of the client's own making; `from_str` refuses every control character.
    fn of(&self, caller: &Caller) -> Option<HeaderValue> {
        match self {
            Self::Claim(path) => {
                let text = path.text(caller.user()?.claims())?;
                HeaderValue::from_str(&text).ok()
            }
            Self::Workload => HeaderValue::from_str(caller.workload()?.as_str()).ok(),
        }
    }
}

/// Takes out a header and those that some servers cannot tell from it: CGI and WSGI read `X_User` and
/// `X-User` as one name.
pub(crate) fn remove_alike(headers: &mut HeaderMap, name: &HeaderName) {
    let mark = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let is_alike = |other: &&HeaderName| {
        let (one, other) = (name.as_str().bytes(), other.as_str().bytes());
        one.map(mark).eq(other.map(mark))
    };
    let alike: Vec<HeaderName> = headers.keys().filter(is_alike).cloned().collect();
    for name in alike {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sample;

    fn introduced(claims: &serde_json::Value, client: &[(&str, &str)]) -> HeaderMap {
        let claim = |name| Fact::Claim(ClaimPath::parse(name).unwrap());
        let introduction = Introduction {
            headers: vec![
                (HeaderName::from_static("x-user"), claim("sub")),
                (HeaderName::from_static("x-level"), claim("/a/level")),
                (HeaderName::from_static("x-workload"), Fact::Workload),
            ],
            strips_token: true,
        };
        let mut headers = sample::headers(client);
        introduction.give(&sample::caller(claims), &mut headers);
        headers
    }

    #[track_caller]
    fn check(headers: &HeaderMap, name: &str, value: Option<&str>) {
        let found = headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(found, value, "{name}");
    }

    #[test]
    fn what_was_proved_is_said() {
        let headers = introduced(&json!({ "sub": "ada", "a": { "level": 3 } }), &[]);
        check(&headers, "x-user", Some("ada"));
        check(&headers, "x-level", Some("3"));
        check(&headers, "x-workload", None);
    }

    #[test]
    fn what_the_client_says_itself_is_taken_out_however_it_is_spelled() {
        let client = [
            ("x-user", "root"),
            ("x_user", "root"),
            ("X_Level", "9"),
            ("x-users", "kept"),
        ];
        let headers = introduced(&json!({}), &client);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-users"]);
    }

    #[test]
    fn what_no_header_can_carry_is_not_said() {
        for sub in ["ada\r\nx-admin: 1", "ada\n", "ada\0", "a\u{7f}"] {
            let headers = introduced(&json!({ "sub": sub }), &[]);
            assert!(headers.is_empty(), "{sub:?}: {headers:?}");
        }
    }

    #[test]
    fn a_token_ends_here_and_other_credentials_go_on() {
        let token = [("authorization", "Bearer abc")];
        assert!(introduced(&json!({}), &token).is_empty());
        let basic = [("authorization", "Basic YTpi")];
        assert_eq!(introduced(&json!({}), &basic).len(), 1);
        let both = [
            ("authorization", "Basic YTpi"),
            ("authorization", "bearer abc"),
        ];
        assert!(introduced(&json!({}), &both).is_empty());
    }
}
