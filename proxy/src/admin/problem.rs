//! Refusals of the admin API (RFC 9457).

use axum::response::{IntoResponse, Response};
use config::Code;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::refusal::{CHALLENGE, INVALID_TOKEN};

/// The caller does not have the role that a request takes.
pub(super) const NOT_ALLOWED: Code = Code(4706);
/// A token would help, and there is none.
pub(super) const UNPROVEN: Code = Code(4707);
/// A token would help, and this one proves nothing.
pub(super) const BAD_TOKEN: Code = Code(4708);

/// What only the log tells.
const IN_THE_LOG: &str = "nothing more is told here; the operator finds the reason in the log";

/// Why a request to the admin API is refused.
pub(super) struct Problem {
    status: StatusCode,
    code: Code,
    title: &'static str,
    detail: String,
    more: Option<Value>,
    challenge: Option<&'static str>,
}

impl Problem {
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, Code(4701), "not found", detail)
    }

    pub(super) fn not_allowed() -> Self {
        let title = "the admin address does not let this caller do that";
        Self::new(StatusCode::FORBIDDEN, NOT_ALLOWED, title, IN_THE_LOG)
    }

    pub(super) fn unproven() -> Self {
        let title = "the admin address asks for a token";
        let problem = Self::new(StatusCode::UNAUTHORIZED, UNPROVEN, title, IN_THE_LOG);
        Self {
            challenge: Some(CHALLENGE),
            ..problem
        }
    }

    pub(super) fn bad_token() -> Self {
        let title = "the token proves nothing here";
        let problem = Self::new(StatusCode::UNAUTHORIZED, BAD_TOKEN, title, IN_THE_LOG);
        Self {
            challenge: Some(INVALID_TOKEN),
            ..problem
        }
    }

    pub(super) fn method() -> Self {
        let detail = "the resource exists, but not with this method";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Code(4702),
            "method not allowed",
            detail,
        )
    }

    pub(super) fn foreign(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Code(4703),
            "not from this site",
            detail,
        )
    }

    /// The document was not put in force; `listing` is what `wald validate` says of it.
    pub(super) fn not_reloaded(detail: impl Into<String>, listing: Option<Value>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let problem = Self::new(
            status,
            Code(4704),
            "the document before stays in force",
            detail,
        );
        Self {
            more: listing,
            ..problem
        }
    }

    pub(super) fn busy() -> Self {
        let detail = "the referee or the store cannot answer at the moment";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code(4705),
            "try again",
            detail,
        )
    }

    /// An order that says too little, or something else.
    pub(super) fn bad_order(detail: impl Into<String>) -> Self {
        let title = "the order cannot be read";
        Self::new(StatusCode::BAD_REQUEST, Code(4709), title, detail)
    }

    /// A question that is about no request.
    pub(super) fn bad_question(detail: impl Into<String>) -> Self {
        let title = "the question cannot be read";
        Self::new(StatusCode::BAD_REQUEST, Code(4712), title, detail)
    }

    /// An order that cannot follow what is.
    pub(super) fn not_now(detail: impl Into<String>) -> Self {
        let title = "the experiment does not stand like that";
        Self::new(StatusCode::CONFLICT, Code(4710), title, detail)
    }

    /// An order against which the evidence speaks.
    pub(super) fn alarmed(detail: impl Into<String>) -> Self {
        let title = "something speaks against it";
        Self::new(StatusCode::CONFLICT, Code(4711), title, detail)
    }

    /// Whether it is of this code.
    pub(super) fn is(&self, code: Code) -> bool {
        self.code == code
    }

    fn new(status: StatusCode, code: Code, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            more: None,
            challenge: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:wald:refusal:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code.to_string(),
            "detail": self.detail,
        });
        if let (Some(body), Some(Value::Object(more))) = (body.as_object_mut(), self.more) {
            body.extend(more);
        }
        let json = HeaderValue::from_static("application/problem+json");
        let mut response = (self.status, [(CONTENT_TYPE, json)], body.to_string()).into_response();
        if let Some(challenge) = self.challenge {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
