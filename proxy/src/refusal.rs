//! Every reason why Wald itself answers instead of a backend, and what the caller is told.
//!
//! The caller gets a problem document (RFC 9457) with a code that `docs/reference/codes.md` lists.
//! `Display` is the other text, for the log: it may name what the caller must not learn.

pub(crate) mod kind;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue, Response};
use policy::token::Malformed;
use policy::{Denial, Doubt};
use serde_json::json;

use crate::feedback::Refused;
use crate::gateway::model::{AHEAD_BYTES_MAX, Unsound};
use crate::grpc;
use crate::identify::TokenError;
use crate::rates::{self, Exceeded};

use kind::Kind;

/// The detail of a refusal whose reason only the operator may know.
const IN_THE_LOG: &str =
    "nothing more is told here; the operator finds the reason in the log by the request id";

/// In which bodies to inline models may come.
const ENCODINGS: &str = "gzip, deflate, zstd";

/// How a caller can prove who it is (RFC 6750 §3).
pub(crate) const CHALLENGE: &str = r#"Bearer realm="wald""#;
pub(crate) const INVALID_TOKEN: &str = r#"Bearer realm="wald", error="invalid_token""#;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The path has more than one meaning.
    #[error("ambiguous path: {0}")]
    Path(#[source] policy::path::Ambiguous),
    /// An HTTP/1.1 request without `Host`.
    #[error("no host")]
    NoHost,
    /// Several `Host` fields, or one that is no host.
    #[error("bad host")]
    BadHost,
    /// `CONNECT`: Wald is no forward proxy.
    #[error("method CONNECT")]
    Connect,
    /// `Upgrade` to something else than HTTP/2.
    #[error("protocol upgrade")]
    Upgrade,
    /// The body is longer than the route allows.
    #[error("body larger than {limit} bytes")]
    BodyTooLarge {
        /// The route's limit.
        limit: u64,
    },
    /// The client's body ended early or broke its own framing.
    #[error("the request's body broke off")]
    BodyBroken,
    /// The client's body did not arrive in time.
    #[error("the request's body was late")]
    BodyTimeout,
    /// The client's certificate was good when hands were shaken, and is no more.
    #[error("the client's certificate is not believed any more")]
    Distrusted,
    /// The body, which was to name the model, has no single meaning.
    #[error("no model: {0}")]
    Model(Unsound),
    /// The body did not name its model soon enough.
    #[error("no model within the first {AHEAD_BYTES_MAX} bytes of the body")]
    ModelLate,
    /// The body, which was to name the model, is encoded.
    #[error("no model in an encoded body")]
    ModelEncoded,
    /// The caller has sent as many requests as the route takes.
    #[error("rate exceeded, wait {:?}", .0.wait)]
    Rate(Exceeded),
    /// No route matches.
    #[error("no route")]
    NoRoute,
    /// The route does not let this caller pass.
    #[error("denied: {0}")]
    Denied(#[source] Denial),
    /// The request needs a user, and its token proves none.
    #[error("token refused: {0}")]
    Token(#[source] TokenError),
    /// An inline model was asked at a path that the Open Inference Protocol does not have.
    #[error("no such resource of an inline model")]
    NoSuchResource,
    /// The version in the path is not the one that serves.
    #[error("version {asked} asked, {served} served")]
    NoSuchVersion {
        /// What the path said.
        asked: String,
        /// What the placement decided.
        served: String,
    },
    /// The resource of an inline model exists, but not with this method.
    #[error("method not allowed, {allowed} is")]
    Method {
        /// The one that is allowed.
        allowed: &'static str,
    },
    /// The inference request does not fit the protocol or the model; the text says what was expected.
    #[error("bad inference request: {0}")]
    Inference(String),
    /// An inline model was asked in an encoding that is not known.
    #[error("unknown encoding of a body")]
    Encoding,
    /// The upstream could not be reached.
    #[error("upstream unreachable: {0}")]
    Unreachable(#[source] std::io::Error),
    /// No address of the upstream's servers could be found out yet.
    #[error("no address of the upstream is known")]
    Unresolved,
    /// The upstream did not prove to be who it must be, or would not believe who Wald is.
    #[error("no TLS with the upstream: {0}")]
    Untrusted(#[source] std::io::Error),
    /// The upstream broke off before it had answered.
    #[error("upstream failed: {0}")]
    Broken(#[source] hyper::Error),
    /// The upstream says that it has not looked at the request.
    #[error("refused unread: {0}")]
    Unread(#[source] hyper::Error),
    /// The upstream changed to another protocol, which nobody had asked for.
    #[error("upstream switched protocols")]
    Switched,
    /// The upstream did not accept a connection in time.
    #[error("upstream connect timeout")]
    ConnectTimeout,
    /// The upstream did not begin to answer in time.
    #[error("upstream response timeout")]
    ResponseTimeout,
    /// The exchange took longer than the route lets it.
    #[error("the exchange took too long")]
    TotalTimeout,
    /// The caller waits no longer (`grpc-timeout`).
    #[error("the deadline of the call passed")]
    Deadline,
    /// The upstream may not have more connections or requests.
    #[error("limit {0}")]
    UpstreamBusy(&'static str),
    /// The model's queue is full.
    #[error("model queue full")]
    ModelBusy,
    /// The model did not answer in time.
    #[error("model timeout")]
    ModelTimeout,
    /// The model failed on an input that fits its signature.
    #[error("model failed: {0}")]
    ModelFailed(String),
    /// The body is neither a report nor an array of reports.
    #[error("the feedback cannot be read")]
    FeedbackMalformed,
    /// More reports in one request than are taken.
    #[error("more than {limit} reports")]
    FeedbackTooMany {
        /// How many are taken.
        limit: usize,
    },
    /// The referee's mailbox is full.
    #[error("the referee's mailbox is full")]
    FeedbackBusy,
    /// The one report of the request is not counted.
    #[error("feedback refused: {0}")]
    Feedback(#[source] Refused),
    /// What a compiled policy names is missing from its snapshot: a defect of Wald.
    #[error("snapshot without {0}")]
    Incomplete(&'static str),
}

impl Refusal {
    /// The status, code and title that belong to it.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Model(_) => kind::MODEL,
            Self::ModelLate => kind::MODEL_LATE,
            Self::ModelEncoded => kind::MODEL_ENCODED,
            Self::Distrusted => kind::DISTRUSTED,
            Self::Rate(_) => kind::RATE,
            Self::NoRoute => kind::NO_ROUTE,
            Self::Denied(Denial::Nobody) => kind::NOBODY,
            Self::Denied(Denial::NotListed(_)) => kind::NOT_LISTED,
            Self::Denied(Denial::Unproven(_)) => kind::UNPROVEN,
            Self::Token(doubt) => token(doubt),
            Self::Path(_) => kind::PATH,
            Self::NoHost => kind::NO_HOST,
            Self::BadHost => kind::BAD_HOST,
            Self::Connect => kind::CONNECT,
            Self::Upgrade => kind::UPGRADE,
            Self::BodyTooLarge { .. } => kind::BODY_TOO_LARGE,
            Self::BodyBroken => kind::BODY_BROKEN,
            Self::BodyTimeout => kind::BODY_TIMEOUT,
            Self::NoSuchResource => kind::NO_SUCH_RESOURCE,
            Self::NoSuchVersion { .. } => kind::NO_SUCH_VERSION,
            Self::Method { .. } => kind::METHOD,
            Self::Inference(_) => kind::INFERENCE,
            Self::Encoding => kind::ENCODING,
            Self::Unreachable(_) | Self::Unresolved => kind::UNREACHABLE,
            Self::Untrusted(_) => kind::UNTRUSTED,
            Self::Broken(_) | Self::Unread(_) | Self::Switched => kind::BROKEN,
            Self::ConnectTimeout => kind::CONNECT_TIMEOUT,
            Self::ResponseTimeout | Self::TotalTimeout => kind::RESPONSE_TIMEOUT,
            Self::Deadline => kind::DEADLINE,
            Self::UpstreamBusy(_) => kind::UPSTREAM_BUSY,
            Self::ModelBusy => kind::MODEL_BUSY,
            Self::ModelTimeout => kind::MODEL_TIMEOUT,
            Self::ModelFailed(_) => kind::MODEL_FAILED,
            Self::FeedbackMalformed => kind::FEEDBACK_MALFORMED,
            Self::FeedbackTooMany { .. } => kind::FEEDBACK_TOO_MANY,
            Self::FeedbackBusy => kind::FEEDBACK_BUSY,
            Self::Feedback(Refused::Token(_)) => kind::FEEDBACK_TOKEN,
            Self::Feedback(Refused::Foreign) => kind::FEEDBACK_FOREIGN,
            Self::Feedback(Refused::OtherRun) => kind::FEEDBACK_OTHER_RUN,
            Self::Feedback(Refused::NotCounting) => kind::FEEDBACK_NOT_COUNTING,
            Self::Feedback(Refused::Metric) => kind::FEEDBACK_METRIC,
            Self::Feedback(Refused::Value) => kind::FEEDBACK_VALUE,
            Self::Feedback(Refused::Late) => kind::FEEDBACK_LATE,
            Self::Incomplete(_) => kind::INCOMPLETE,
        }
    }

    /// What the caller may learn beyond the title.
    fn detail(&self) -> Option<String> {
        match self {
            Self::Path(why) => Some(why.to_string()),
            Self::Model(why) => Some(why.to_string()),
            Self::ModelLate => Some(format!(
                "put `model` into the first {AHEAD_BYTES_MAX} bytes of the body"
            )),
            Self::ModelEncoded => Some("send the body without content-encoding".to_owned()),
            Self::BodyTooLarge { limit } => Some(format!("at most {limit} bytes are allowed")),
            Self::NoSuchVersion { asked, served } => {
                Some(format!("version {asked} was asked for, {served} is served"))
            }
            Self::Method { allowed } => Some(format!("{allowed} is offered")),
            Self::Inference(expected) => Some(expected.clone()),
            Self::Encoding => Some(format!("{ENCODINGS} are taken, one at a time")),
            Self::FeedbackMalformed => Some(
                "send one object {assignment, metric, value, id} or an array of them".to_owned(),
            ),
            Self::FeedbackTooMany { limit } => Some(format!("at most {limit} are taken")),
            Self::Feedback(why) => Some(why.to_string()),
            _ => None,
        }
    }

    /// Whether an inline model was asked.
    fn is_of_model(&self) -> bool {
        matches!(
            self,
            Self::NoSuchResource
                | Self::NoSuchVersion { .. }
                | Self::Method { .. }
                | Self::Inference(_)
                | Self::Encoding
                | Self::ModelBusy
                | Self::ModelTimeout
                | Self::ModelFailed(_)
        )
    }

    /// Whether a server of an upstream is to blame.
    pub(crate) fn is_of_server(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Untrusted(_)
                | Self::Broken(_)
                | Self::Switched
                | Self::ConnectTimeout
                | Self::ResponseTimeout
        )
    }

    /// Whether no server has looked at the request.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Untrusted(_) | Self::ConnectTimeout | Self::Unread(_)
        )
    }

    /// Whether what a route falls back to may do better.
    pub(crate) fn is_of_backend(&self) -> bool {
        self.is_of_server()
            || matches!(
                self,
                Self::Unresolved
                    | Self::Unread(_)
                    | Self::UpstreamBusy(_)
                    | Self::ModelBusy
                    | Self::ModelTimeout
                    | Self::ModelFailed(_)
            )
    }

    /// The limit that was reached, if that is the reason.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::BodyTooLarge { .. } => Some("body_bytes"),
            Self::ModelLate => Some("model_ahead_bytes"),
            Self::Token(TokenError::Malformed(Malformed::TooLarge)) => Some("token_bytes"),
            Self::Rate(_) => Some("rate"),
            Self::UpstreamBusy(limit) => Some(limit),
            Self::ModelBusy => Some("model_queue"),
            Self::FeedbackBusy => Some("referee_mailbox"),
            _ => None,
        }
    }

    /// The problem document for the caller.
    pub(crate) fn into_response(self, request_id: &HeaderValue) -> Response<Bytes> {
        let Kind {
            status,
            code,
            title,
        } = self.kind();
        let mut problem = json!({
            "type": format!("urn:wald:refusal:{code}"),
            "title": title,
            "status": status.as_u16(),
            "code": code.to_string(),
            "detail": self.detail().as_deref().unwrap_or(IN_THE_LOG),
            "request_id": request_id.to_str().unwrap_or_default(),
        });
        // Where clients of the Open Inference Protocol and of TensorFlow Serving look.
        if self.is_of_model() {
            problem["error"] = self.told().into();
        }
        let mut response = Response::new(Bytes::from(problem.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        self.hint(response.headers_mut());
        response
    }

    /// What the caller is told, in one line.
    pub(crate) fn told(&self) -> String {
        let Kind { code, title, .. } = self.kind();
        match self.detail() {
            Some(detail) => format!("{code}: {title}: {detail}"),
            None => format!("{code}: {title}"),
        }
    }

    /// The end of a call, for a caller that speaks gRPC: a status with code and title, and nothing else.
    pub(crate) fn into_call_status(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        self.hint(response.headers_mut());
        grpc::mark(response.headers_mut());
        let status = match self {
            // Nothing was sent: whoever repeats what is unavailable may repeat this.
            Self::ConnectTimeout => grpc::Status::UNAVAILABLE,
            // What HTTP has no other number for, or gRPC no number for when it comes from a proxy.
            Self::Inference(_) => grpc::Status::INVALID_ARGUMENT,
            Self::NoSuchVersion { .. } => grpc::Status::NOT_FOUND,
            Self::Encoding => grpc::Status::UNIMPLEMENTED,
            _ => grpc::Status::from_http(self.kind().status),
        };
        status.write(&self.told(), response.headers_mut());
        response
    }

    /// What a client's software can act upon.
    fn hint(&self, headers: &mut HeaderMap) {
        match self {
            Self::UpstreamBusy(_) | Self::ModelBusy | Self::FeedbackBusy => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Rate(Exceeded { wait, allowance }) => {
                allowance.tell(headers);
                headers.insert(RETRY_AFTER, HeaderValue::from(rates::seconds(*wait)));
            }
            // RFC 6750 §3: the error is named only where there was a token.
            Self::Denied(Denial::Unproven(_)) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
            }
            Self::Token(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(INVALID_TOKEN));
            }
            // Another request of this connection would end the same.
            Self::Distrusted => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            // RFC 9110 §15.5.16; gRPC has a field of its own.
            Self::Encoding => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
                headers.insert(grpc::ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
            }
            Self::Method { allowed } => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
    }
}

/// The kinds of tokens that prove nothing. Each says what its holder can see for itself, or has to ask the
/// issuer about; which issuers and keys there are, it does not say.
fn token(doubt: &TokenError) -> Kind {
    match doubt {
        TokenError::Malformed(Malformed::TooLarge) => kind::TOKEN_TOO_LARGE,
        TokenError::Malformed(_) | TokenError::Doubt(Doubt::Claim(_)) => kind::TOKEN_MALFORMED,
        TokenError::Issuer(_) | TokenError::Doubt(Doubt::Issuer) => kind::TOKEN_ISSUER,
        TokenError::Algorithm(_) => kind::TOKEN_ALGORITHM,
        TokenError::UnknownKey { .. } | TokenError::NoKey => kind::TOKEN_KEY,
        TokenError::Signature => kind::TOKEN_SIGNATURE,
        TokenError::Doubt(Doubt::Audience) => kind::TOKEN_AUDIENCE,
        TokenError::Doubt(Doubt::Expired) => kind::TOKEN_EXPIRED,
        TokenError::Doubt(Doubt::Early) => kind::TOKEN_EARLY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation's line for a kind.
    fn line(kind: &Kind) -> String {
        format!(
            "| {} | {} | {} |",
            kind.code,
            kind.status.as_u16(),
            kind.title
        )
    }

    #[test]
    fn the_documentation_lists_exactly_the_kinds_that_there_are() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/codes.md");
        let page = std::fs::read_to_string(page).unwrap();
        let section = page
            .split("\n## ")
            .find(|section| section.starts_with("Refusals\n"))
            .unwrap();
        let listed: Vec<&str> = section
            .lines()
            .filter(|line| line.starts_with("| WALD-"))
            .collect();
        let known: Vec<String> = kind::ALL.iter().map(line).collect();
        assert_eq!(listed, known);
    }

    #[test]
    fn routing_uses_the_codes_of_the_policy() {
        assert_eq!(Refusal::NoRoute.kind().code, policy::NoRoute::CODE);
        let nobody = Denial::Nobody;
        let code = nobody.code();
        assert_eq!(Refusal::Denied(nobody).kind().code, code);
    }

    #[test]
    fn a_call_may_be_repeated_when_nothing_of_it_was_sent() {
        let status = |refusal: Refusal| {
            let head = refusal.into_call_status().into_parts().0;
            grpc::Status::of(&head.headers)
        };
        assert_eq!(
            [Refusal::ConnectTimeout, Refusal::ResponseTimeout].map(status),
            [
                Some(grpc::Status::UNAVAILABLE),
                Some(grpc::Status::DEADLINE_EXCEEDED)
            ]
        );
    }

    #[test]
    fn whoever_asks_a_model_finds_the_error_where_its_protocol_has_it() {
        let body = |refusal: Refusal| {
            let response = refusal.into_response(&HeaderValue::from_static("17"));
            serde_json::from_slice::<serde_json::Value>(response.body()).unwrap()
        };
        let wrong = body(Refusal::Inference("expected FP32".to_owned()));
        let told = "WALD-4204: the inference request is not valid: expected FP32";
        assert_eq!(wrong["error"], told);
        assert_eq!(body(Refusal::NoRoute).get("error"), None);
    }

    #[test]
    fn the_caller_does_not_learn_what_only_the_log_should_say() {
        let refused = Refusal::ModelFailed("secret".to_owned());
        assert!(refused.to_string().contains("secret"));
        let response = refused.into_response(&HeaderValue::from_static("17"));
        let told = String::from_utf8(response.into_body().to_vec()).unwrap();
        assert!(
            told.contains(r#""request_id":"17""#) && !told.contains("secret"),
            "{told}"
        );
        assert!(told.contains(IN_THE_LOG), "{told}");
    }
}
