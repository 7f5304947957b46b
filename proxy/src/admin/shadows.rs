//! How shadows answer beside their primaries.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Desk;
use crate::observe::Counters;

/// Each shadow: what became of its copies, and how often it said the same.
pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let mut counters = Counters::default();
    for worker in desk.workers.counters().await {
        counters.merge(worker);
    }
    let copies = counters.shadows.iter().map(|((route, backend, outcome), count)| {
        json!({ "route": route, "backend": backend, "outcome": outcome, "count": count })
    });
    let copies: Vec<_> = copies.collect();
    Json(json!({ "shadows": desk.shadows.shown(), "copies": copies }))
}
