//! Every reason why Wald itself answers instead of a backend, and what the caller is told.
//!
//! The caller gets a problem document (RFC 9457) with a code that `docs/reference/codes.md` lists.
//! `Display` is the other text, for the log: it may name what the caller must not learn.

use bytes::Bytes;
use config::Code;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

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
    /// No route matches.
    #[error("no route")]
    NoRoute,
    /// The route does not let this caller pass.
    #[error("denied: {0}")]
    Denied(#[source] policy::Denial),
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
    /// The upstream could not be reached.
    #[error("upstream unreachable: {0}")]
    Unreachable(#[source] std::io::Error),
    /// The upstream broke off before it had answered.
    #[error("upstream failed: {0}")]
    Broken(#[source] hyper::Error),
    /// The upstream did not accept a connection in time.
    #[error("upstream connect timeout")]
    ConnectTimeout,
    /// The upstream did not begin to answer in time.
    #[error("upstream response timeout")]
    ResponseTimeout,
    /// All connections that the upstream may have are busy.
    #[error("upstream connection limit")]
    UpstreamBusy,
    /// The model's queue is full.
    #[error("model queue full")]
    ModelBusy,
    /// The model did not answer in time.
    #[error("model timeout")]
    ModelTimeout,
    /// The model failed on an input that fits its signature.
    #[error("model failed: {0}")]
    ModelFailed(String),
    /// What a compiled policy names is missing from its snapshot: a defect of Wald.
    #[error("snapshot without {0}")]
    Incomplete(&'static str),
}

/// What the caller is told.
struct Told {
    status: StatusCode,
    code: Code,
    title: &'static str,
    detail: Option<String>,
}

impl Refusal {
    /// The code that the documentation lists.
    pub(crate) fn code(&self) -> Code {
        self.told().code
    }

    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        self.told().status
    }

    /// The limit that was reached, if that is the reason.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::BodyTooLarge { .. } => Some("body_bytes"),
            Self::UpstreamBusy => Some("upstream_connections"),
            Self::ModelBusy => Some("model_queue"),
            _ => None,
        }
    }

    /// The problem document for the caller.
    pub(crate) fn into_response(self, request_id: &HeaderValue) -> Response<Bytes> {
        let told = self.told();
        let mut problem = json!({
            "type": format!("urn:wald:refusal:{}", told.code),
            "title": told.title,
            "status": told.status.as_u16(),
            "code": told.code.to_string(),
            "request_id": request_id.to_str().unwrap_or_default(),
        });
        if let Some(detail) = told.detail {
            problem["detail"] = detail.into();
        }
        let mut response = Response::new(Bytes::from(problem.to_string()));
        *response.status_mut() = told.status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        self.hint(&mut response);
        response
    }

    /// What a client's software can act upon.
    fn hint(&self, response: &mut Response<Bytes>) {
        match self {
            Self::UpstreamBusy | Self::ModelBusy => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Method { allowed } => {
                response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
    }

    #[rustfmt::skip]
    fn told(&self) -> Told {
        match self {
            Self::Path(why) => told(400, 4001, "the path has more than one meaning").because(why),
            Self::NoHost => told(400, 4002, "the request names no host"),
            Self::BadHost => told(400, 4003, "the request does not name exactly one valid host"),
            Self::Connect => told(501, 4004, "CONNECT is not offered"),
            Self::Upgrade => told(501, 4005, "protocol upgrades are not offered"),
            Self::BodyTooLarge { limit } => told(413, 4006, "the body is too large").because(format_args!("at most {limit} bytes are allowed")),
            Self::BodyBroken => told(400, 4007, "the body is incomplete"),
            Self::NoRoute => told(404, policy::NoRoute::CODE.0, "no route matches"),
            Self::Denied(denial) => told(403, denial.code().0, "not allowed"),
            Self::NoSuchResource => told(404, 4201, "an inline model has no such resource"),
            Self::NoSuchVersion { asked, served } => told(404, 4202, "the model is not served in this version").because(format_args!("version {asked} was asked for, version {served} is served")),
            Self::Method { allowed } => told(405, 4203, "the method is not allowed here").because(format_args!("{allowed} is")),
            Self::Inference(expected) => told(400, 4204, "the inference request is not valid").because(expected),
            Self::Unreachable(_) => told(502, 5001, "the upstream cannot be reached"),
            Self::Broken(_) => told(502, 5002, "the upstream gave no valid response"),
            Self::ConnectTimeout => told(504, 5003, "the upstream did not accept a connection in time"),
            Self::ResponseTimeout => told(504, 5004, "the upstream did not respond in time"),
            Self::UpstreamBusy => told(503, 5005, "the upstream has no free connection"),
            Self::ModelBusy => told(503, 5101, "the model's queue is full"),
            Self::ModelTimeout => told(504, 5102, "the model did not respond in time"),
            Self::ModelFailed(_) => told(500, 5103, "the model failed"),
            Self::Incomplete(_) => told(500, 5901, "internal error"),
        }
    }
}

fn told(status: u16, code: u16, title: &'static str) -> Told {
    Told { status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), code: Code(code), title, detail: None }
}

impl Told {
    fn because(self, detail: impl std::fmt::Display) -> Self {
        Self { detail: Some(detail.to_string()), ..self }
    }
}
