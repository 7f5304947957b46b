//! The admin address: health, metrics, experiments, feedback, reload and the dashboard, over HTTP.
//!
//! Bound to loopback by compile(). A page of another site that a browser on this machine has open could
//! still reach it, so whatever comes with a foreign `Host` or `Origin` is refused.

mod experiments;
mod guard;
mod operations;
mod page;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::identify::key_servers::KeyServers;
use crate::live::Live;
use crate::referee::Referee;
use crate::reload::Reload;
use crate::server::Phase;
use crate::workers::Workers;
use problem::Problem;

/// The largest body: ten thousand items of feedback.
const BODY_BYTES_MAX: usize = 4 << 20;

/// What the answers are made of.
pub(crate) struct Desk {
    /// The snapshot in force.
    pub(crate) live: Live,
    /// Who knows how experiments stand.
    pub(crate) referee: Referee,
    /// Who has counted requests.
    pub(crate) workers: Workers,
    /// Who reloads.
    pub(crate) reload: Reload,
    /// Who fetches the keys of issuers.
    pub(crate) key_servers: KeyServers,
    /// How far the server has come.
    pub(crate) phase: watch::Receiver<Phase>,
    /// Ends the server when it is set.
    pub(crate) stop: watch::Sender<bool>,
}

/// Serves until the process ends.
pub(crate) async fn serve(socket: std::net::TcpListener, desk: Desk) {
    let served = match TcpListener::from_std(socket) {
        Ok(listener) => axum::serve(listener, router(Arc::new(desk))).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin address is not served");
    }
}

fn router(desk: Arc<Desk>) -> Router {
    let api = Router::new()
        .route("/experiments", get(experiments::list))
        .route("/experiments/{name}", get(experiments::show))
        .route("/feedback", post(operations::feedback))
        .route("/audit", get(operations::audit))
        .route("/certificates", get(operations::certificates))
        .route("/policy", get(operations::policy))
        .route("/reload", post(operations::reload))
        .route("/drain", post(operations::drain));
    Router::new()
        .route("/", get(page::index))
        .route("/dashboard.css", get(page::style))
        .route("/dashboard.js", get(page::script))
        .route("/livez", get(operations::livez))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .nest("/api/v1", api)
        .fallback(async || Problem::not_found("there is no such resource"))
        .method_not_allowed_fallback(async || Problem::method())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(guard::own_site_only))
        .with_state(desk)
}
