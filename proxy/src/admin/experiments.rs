//! How experiments stand, and what people say about them.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Desk;
use super::problem::Problem;
use crate::causes::causes;
use crate::referee::{Actor, Entry, Order, OrderError, Series};

/// All of them.
pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(json!({ "experiments": desk.referee.book().experiments }))
}

/// One of them.
pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
) -> Result<Json<Entry>, Problem> {
    let book = desk.referee.book();
    let found = book.experiments.iter().find(|entry| entry.name == name);
    found.cloned().map(Json).ok_or_else(|| no_experiment(&name))
}

/// Which part of a history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    /// What came after this moment, in milliseconds since 1970.
    #[serde(default)]
    after: u64,
}

/// How one of them came to stand where it does.
pub(super) async fn series(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    Query(after): Query<After>,
) -> Result<Json<Series>, Problem> {
    let found = desk.referee.series(name.clone(), after.after).await;
    let found = found.map_err(|_| Problem::busy())?;
    found.map(Json).ok_or_else(|| no_experiment(&name))
}

fn no_experiment(name: &str) -> Problem {
    Problem::not_found(format!("there is no experiment `{name}`"))
}

/// Every test of one of them as it stands, with the sums that it is made of.
pub(super) async fn evidence(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let found = desk.referee.evidence(name.clone()).await;
    let tests = found.map_err(|_| Problem::busy())?;
    let tests = tests.ok_or_else(|| no_experiment(&name))?;
    Ok(Json(json!({ "tests": tests })))
}

/// The body of an order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wish {
    reason: String,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    arm: Option<String>,
}

/// How long a reason may be.
const REASON_BYTES_MAX: usize = 2048;

/// Does what somebody says with one of them.
pub(super) async fn order(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
    Path((experiment, verb)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Entry>, Problem> {
    let verb = serde_json::from_value(Value::String(verb.clone()))
        .map_err(|_| Problem::not_found(format!("nothing can be done by the name of `{verb}`")))?;
    let wish: Wish = serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_order(format!("send {{\"reason\": …}}: {error}")))?;
    let reason = wish.reason.trim();
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        let detail = format!("a reason has 1 to {REASON_BYTES_MAX} bytes");
        return Err(Problem::bad_order(detail));
    }
    let order = Order {
        experiment,
        verb,
        arm: wish.arm,
        reason: reason.to_owned(),
        force: wish.force,
        actor,
    };
    desk.referee.order(order).await.map(Json).map_err(refused)
}

fn refused(error: OrderError) -> Problem {
    match error {
        OrderError::Unknown(_) => Problem::not_found(error.to_string()),
        OrderError::NoArm(_) | OrderError::WhichArm => Problem::bad_order(error.to_string()),
        OrderError::NotNow { .. }
        | OrderError::NothingProposed
        | OrderError::Again(_)
        | OrderError::Nobody => Problem::not_now(error.to_string()),
        OrderError::Alarm(_) => Problem::alarmed(error.to_string()),
        OrderError::Store(error) => {
            tracing::error!(error = %causes(&error), "an order could not be written down");
            Problem::busy()
        }
        OrderError::Busy => Problem::busy(),
    }
}
