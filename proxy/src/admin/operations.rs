//! What operators and their machines ask: health, metrics, policy, reload, drain, feedback.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use policy::{Issuer, KeySource};
use serde_json::{Value, json};

use super::Desk;
use super::problem::Problem;
use crate::causes::causes;
use crate::cli::problems;
use crate::identify::paper::Paper;
use crate::observe::exposition::{self, keys};
use crate::referee::Actor;
use crate::reload::{ReloadError, Reloaded};
use crate::server::{Leave, Phase};
use crate::store::StoreError;
use crate::{credentials, feedback, webhooks};

/// Whether the process answers.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// Whether new traffic may come.
pub(super) async fn readyz(State(desk): State<Arc<Desk>>) -> (StatusCode, &'static str) {
    match *desk.phase.borrow() {
        Phase::Serving => (StatusCode::OK, "ready\n"),
        Phase::Leaving | Phase::Retiring | Phase::Draining | Phase::Ended => {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        }
    }
}

/// Everything that is counted, as Prometheus reads it.
pub(super) async fn metrics(State(desk): State<Arc<Desk>>) -> Response {
    let counters = desk.workers.counters().await;
    let book = desk.referee.book();
    let snapshot = Arc::clone(&desk.live.load());
    let standings = desk.key_servers.standings();
    let text = exposition::render(
        counters,
        &book,
        desk.reload.outcomes(),
        &standings,
        &desk.refused,
        &desk.webhooks.shown(),
        (&snapshot, &desk.shadows.shown()),
    );
    let version = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(CONTENT_TYPE, version)], text).into_response()
}

/// Counts what clients report.
pub(super) async fn feedback(State(desk): State<Arc<Desk>>, body: Bytes) -> Response {
    let id = HeaderValue::from_static("");
    let answered = feedback::respond(&desk.referee, body).await;
    answered
        .unwrap_or_else(|refusal| refusal.into_response(&id))
        .map(axum::body::Body::from)
}

/// Everything that was decided, one JSON object a line.
pub(super) async fn audit(State(desk): State<Arc<Desk>>) -> Result<Response, Problem> {
    let lines = desk.referee.audit().await.ok_or_else(Problem::busy)?;
    let kind = HeaderValue::from_static("application/jsonl");
    Ok((
        [(CONTENT_TYPE, kind)],
        lines
            .iter()
            .flat_map(|line| [line, "\n"])
            .collect::<String>(),
    )
        .into_response())
}

/// Whether the audit chain holds.
pub(super) async fn verify(State(desk): State<Arc<Desk>>) -> Result<Json<Value>, Problem> {
    let store = desk.referee.trail().ok_or_else(Problem::busy)?;
    let verified = tokio::task::spawn_blocking(move || {
        let audit = store.audit()?;
        Ok::<_, StoreError>((audit.lines().count(), audit.verify()))
    });
    let (records, verified) = verified
        .await
        .unwrap_or(Err(StoreError::Interrupted))
        .map_err(|error| {
            tracing::error!(error = %causes(&error), "the audit trail cannot be read");
            Problem::busy()
        })?;
    let broken = verified
        .err()
        .map(|broken| json!({ "record": broken.seq, "flaw": broken.flaw.to_string() }));
    Ok(Json(
        json!({ "records": records, "holds": broken.is_none(), "broken": broken }),
    ))
}

/// The document in force, without what is secret in it.
pub(super) async fn policy(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let policy = Arc::clone(&desk.live.load().policy);
    Json(json!({ "hash": policy.hash(), "document": webhooks::shown_document(&policy) }))
}

/// Every certificate, bundle and revocation list in force, and until when it is good; and whose keys are
/// believed, and how old they are.
pub(super) async fn certificates(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let snapshot = Arc::clone(&desk.live.load());
    let now = credentials::now();
    let shown = |paper: &Paper| {
        json!({
            "name": paper.name(),
            "kind": paper.kind,
            "used_by": paper.used_by,
            "file": paper.file,
            "names": paper.names,
            "not_before": date(paper.from),
            "not_after": date(paper.until),
            "seconds_left": paper.until.saturating_sub(now),
            "due": paper.is_due(now),
        })
    };
    let certificates: Vec<_> = snapshot.credentials.papers().map(shown).collect();
    let standings = desk.key_servers.standings();
    let key_set = |issuer: &Issuer| {
        let keys = snapshot.key_sets.of(issuer.id);
        let mut fetching = standings.iter();
        let its = fetching.find(|standing| standing.issuer == issuer.name);
        json!({
            "issuer": &*issuer.name,
            "source": match issuer.keys {
                KeySource::File(_) => "file",
                KeySource::Url(_) => "server",
            },
            "keys": keys.map(|keys| keys.len()),
            "age_seconds": keys::age(issuer, &standings, &snapshot).map(|age| age.as_secs()),
            "failed_fetches": its.map_or(0, |its| its.failed),
        })
    };
    let key_sets: Vec<_> = snapshot.policy.issuers().iter().map(key_set).collect();
    Json(json!({ "certificates": certificates, "key_sets": key_sets }))
}

/// Seconds since 1970 as RFC 3339; none for years that it has no digits for.
fn date(since_1970: i64) -> Option<String> {
    let date = jiff::Timestamp::from_second(since_1970);
    date.ok().map(|date| date.to_string())
}

/// Reads the document again.
pub(super) async fn reload(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
) -> Result<Json<Reloaded>, Problem> {
    let reloaded = desk.reload.now(actor.name.clone()).await;
    let detail = match &reloaded {
        Ok(reloaded) => json!({ "hash": reloaded.hash, "changed": reloaded.changed }),
        Err(error) => json!({ "refused": error.to_string() }),
    };
    desk.referee.note("reloaded", &actor, detail).await;
    reloaded.map(Json).map_err(|error| not_reloaded(&error))
}

/// Finishes what was begun, and ends.
pub(super) async fn drain(
    State(desk): State<Arc<Desk>>,
    Extension(actor): Extension<Actor>,
) -> (StatusCode, Json<Value>) {
    desk.referee.note("drained", &actor, json!({})).await;
    desk.leave.send_replace(Some(Leave::Told));
    (StatusCode::ACCEPTED, Json(json!({ "draining": true })))
}

fn not_reloaded(error: &ReloadError) -> Problem {
    match error.problems() {
        Some(problems) => {
            Problem::not_reloaded(error.to_string(), Some(json!(problems::listing(problems))))
        }
        None => Problem::not_reloaded(causes(error), None),
    }
}
