//! Refusals of the admin API (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// Why a request to the admin API is refused.
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    more: Option<Value>,
}

impl Problem {
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "WALD-4701", "not found", detail)
    }

    pub(super) fn method() -> Self {
        let detail = "the resource exists, but not with this method";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "WALD-4702",
            "method not allowed",
            detail,
        )
    }

    pub(super) fn foreign(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "WALD-4703",
            "not from this site",
            detail,
        )
    }

    /// The document was not put in force; `listing` is what `wald validate` says of it.
    pub(super) fn not_reloaded(detail: impl Into<String>, listing: Option<Value>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let problem = Self::new(
            status,
            "WALD-4704",
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
            "WALD-4705",
            "try again",
            detail,
        )
    }

    fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            more: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:wald:refusal:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let (Some(body), Some(Value::Object(more))) = (body.as_object_mut(), self.more) {
            body.extend(more);
        }
        let json = HeaderValue::from_static("application/problem+json");
        (self.status, [(CONTENT_TYPE, json)], body.to_string()).into_response()
    }
}
