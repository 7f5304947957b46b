//! The admin address: health, metrics, experiments, feedback, reload and the dashboard, over HTTP.
//!
//! Beyond loopback only over TLS and for callers that the document lets in, by compile(). A page of another
//! site that a browser has open could still reach it in its user's name, so whatever comes with a foreign
//! `Host` or `Origin` is refused.

mod door;
mod events;
mod experiments;
mod explain;
mod gate;
mod guard;
mod live;
mod me;
mod operations;
mod page;
mod problem;
mod shadows;
mod traffic;
mod upstreams;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use config::Code;
use tokio::sync::{Semaphore, watch};

use crate::identify::key_servers::KeyServers;
use crate::live::Live;
use crate::referee::Referee;
use crate::reload::Reload;
use crate::server::{Leave, Phase};
use crate::shadow;
use crate::webhooks::Webhooks;
use crate::workers::Workers;
use door::{Asker, Door};
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
    /// Who sends events to others.
    pub(crate) webhooks: Webhooks,
    /// Who compares the answers of shadows.
    pub(crate) shadows: shadow::Desk,
    /// How far the server has come.
    pub(crate) phase: watch::Receiver<Phase>,
    /// Whom the gate did not let in.
    pub(crate) refused: Refused,
    /// Places for those who listen to events.
    pub(crate) listeners: Arc<Semaphore>,
    /// Ends the server when it is set.
    pub(crate) leave: watch::Sender<Option<Leave>>,
}

/// Requests that were refused for want of a role, by code.
#[derive(Default)]
pub(crate) struct Refused([AtomicU64; 3]);

/// Places for as many as may listen to events at once.
pub(crate) fn listeners() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(events::LISTENERS_MAX))
}

impl Refused {
    /// What is counted, in the order of the counts.
    const CODES: [Code; 3] = [problem::NOT_ALLOWED, problem::UNPROVEN, problem::BAD_TOKEN];

    fn count(&self, problem: &Problem) {
        let place = Self::CODES.iter().position(|&code| problem.is(code));
        if let Some(count) = place.and_then(|place| self.0.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many there were, of codes that there were.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Code, u64)> + '_ {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Self::CODES
            .into_iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
    }
}

/// Serves until the process ends.
pub(crate) async fn serve(socket: std::net::TcpListener, desk: Desk) {
    let served = match Door::open(socket, desk.live.clone(), desk.leave.subscribe()) {
        Ok(door) => {
            let router = router(Arc::new(desk));
            axum::serve(door, router.into_make_service_with_connect_info::<Asker>()).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin address is not served");
    }
}

fn router(desk: Arc<Desk>) -> Router {
    let api = Router::new()
        .route("/events", get(events::listen))
        .route("/live", get(live::listen))
        .route("/me", get(me::show))
        .route("/experiments", get(experiments::list))
        .route("/experiments/{name}", get(experiments::show))
        .route("/experiments/{name}/series", get(experiments::series))
        .route("/experiments/{name}/evidence", get(experiments::evidence))
        .route("/experiments/{name}/{verb}", post(experiments::order))
        .route("/feedback", post(operations::feedback))
        .route("/audit", get(operations::audit))
        .route("/audit/verify", get(operations::verify))
        .route("/explain", post(explain::explain))
        .route("/traffic", get(traffic::show))
        .route("/certificates", get(operations::certificates))
        .route("/shadows", get(shadows::list))
        .route("/upstreams", get(upstreams::list))
        .route("/policy", get(operations::policy))
        .route("/reload", post(operations::reload))
        .route("/drain", post(operations::drain));
    Router::new()
        .route("/", get(page::index))
        .route("/favicon.svg", get(page::icon))
        .route("/assets/{name}", get(page::asset))
        .route("/openapi.json", get(page::openapi))
        .route("/livez", get(operations::livez))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .nest("/api/v1", api)
        .fallback(async || Problem::not_found("there is no such resource"))
        .method_not_allowed_fallback(async || Problem::method())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&desk),
            gate::authorized_only,
        ))
        .layer(axum::middleware::from_fn(guard::own_site_only))
        .with_state(desk)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_document_of_the_api_names_every_resource_and_no_other() {
        let document: serde_json::Value =
            serde_json::from_str(include_str!("admin/openapi.json")).unwrap();
        let mut told: Vec<&str> = document["paths"]
            .as_object()
            .unwrap()
            .keys()
            .map(|path| &**path)
            .collect();
        told.sort_unstable();
        // What the dashboard consists of is no part of the API.
        let pages = ["/", "/favicon.svg", "/assets/{name}"];
        let source = include_str!("admin.rs");
        let (_, after) = source.split_once("let api = Router::new()").unwrap();
        let (api, rest) = after.split_once("Router::new()").unwrap();
        let (outside, _) = rest.split_once(".nest(").unwrap();
        let routes = |part: &'static str| {
            let named = part.split(".route(\"").skip(1);
            named.filter_map(|line| line.split_once('"').map(|(path, _)| path))
        };
        let api = routes(api).map(|path| format!("/api/v1{path}"));
        let outside = routes(outside)
            .filter(|path| !pages.contains(path))
            .map(str::to_owned);
        let mut served: Vec<String> = api.chain(outside).collect();
        served.sort_unstable();
        assert_eq!(told, served);
    }
}
