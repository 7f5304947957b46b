//! How experiments stand.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::Desk;
use super::problem::Problem;
use crate::referee::Entry;

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
    found
        .cloned()
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no experiment `{name}`")))
}
