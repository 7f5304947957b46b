//! What would happen to a request now: `wald explain`, with the document in force and experiments where they stand.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use http::Method;
use policy::SpiffeId;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Desk;
use super::problem::Problem;
use crate::causes::causes;
use crate::cli::explain::{Inquiry, Row, header};

/// The request that is asked about.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(default)]
    method: Option<String>,
    path: String,
    #[serde(default)]
    host: Option<String>,
    /// Each as `name: value`.
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    spiffe: Option<String>,
    #[serde(default)]
    claims: Option<Map<String, Value>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    listener: Option<String>,
}

/// Which route, permit, arm and backend it would get, and why.
pub(super) async fn explain(
    State(desk): State<Arc<Desk>>,
    body: Bytes,
) -> Result<Json<Row>, Problem> {
    let question: Question =
        serde_json::from_slice(&body).map_err(|error| Problem::bad_question(error.to_string()))?;
    let method = question
        .method
        .as_deref()
        .unwrap_or("GET")
        .parse::<Method>();
    let method = method.map_err(|error| Problem::bad_question(format!("method: {error}")))?;
    let spiffe = question.spiffe.as_deref().map(str::parse::<SpiffeId>);
    let spiffe = spiffe.transpose();
    let spiffe = spiffe.map_err(|error| Problem::bad_question(format!("spiffe: {error}")))?;
    let headers: Result<Vec<_>, _> = question.headers.iter().map(|line| header(line)).collect();
    let headers = headers.map_err(|error| Problem::bad_question(format!("headers: {error}")))?;
    let inquiry = Inquiry {
        method: &method,
        path: &question.path,
        host: question.host.as_deref().unwrap_or("localhost"),
        headers: &headers,
        spiffe: spiffe.as_ref(),
        claims: question.claims.as_ref(),
        body: question.body.as_deref().map(str::as_bytes),
        listener: question.listener.as_deref(),
    };
    let snapshot = Arc::clone(&desk.live.load());
    let answer = inquiry.answer(&snapshot.policy, &snapshot.stages);
    answer
        .map(Json)
        .map_err(|error| Problem::bad_question(causes(&error)))
}
