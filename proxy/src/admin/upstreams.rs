//! How upstreams and their servers are doing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use policy::{Balance, Protocol};
use serde_json::{Value, json};

use super::Desk;
use crate::observe::Counters;
use crate::observe::endpoints::{Doing, endpoints};

/// Each upstream with its servers.
pub(super) async fn list(State(desk): State<Arc<Desk>>) -> Json<Value> {
    let mut counters = Counters::default();
    for worker in desk.workers.counters().await {
        counters.merge(worker);
    }
    let snapshot = Arc::clone(&desk.live.load());
    let doing = endpoints(&snapshot, &counters);
    let shown = |upstream: &policy::Upstream| {
        let its = doing
            .iter()
            .filter(|doing| doing.upstream.id == upstream.id);
        let panicking = counters.panicking.get(&*upstream.name);
        json!({
            "name": upstream.name,
            "protocol": protocol(upstream.protocol),
            "balance": balance(&upstream.balance),
            "health_checked": upstream.health.is_some(),
            "panic": panicking.is_some_and(|workers| *workers > 0),
            "endpoints": its.map(endpoint).collect::<Vec<_>>(),
        })
    };
    let upstreams: Vec<_> = snapshot.policy.upstreams().iter().map(shown).collect();
    Json(json!({ "upstreams": upstreams }))
}

fn endpoint(doing: &Doing<'_>) -> Value {
    let scheme = if doing.written.secure {
        "https"
    } else {
        "http"
    };
    json!({
        "url": format!("{scheme}://{}", doing.written.authority),
        "address": doing.member.address.to_string(),
        "weight": doing.written.weight,
        "zone": doing.written.zone,
        "healthy": doing.is_healthy(),
        "passes_health_check": doing.member.is_well,
        "evicted_by_workers": doing.seen.evicted,
        "in_flight": doing.seen.in_flight,
        "latency_seconds": doing.seen.latency,
        "answered": doing.seen.answered,
        "failed": doing.seen.failed,
        "evictions": doing.seen.evictions,
    })
}

fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http1 => "http1",
        Protocol::Http2 => "http2",
    }
}

fn balance(balance: &Balance) -> Value {
    match balance {
        Balance::PeakEwma => json!("peak_ewma"),
        Balance::LeastRequests => json!("least_requests"),
        Balance::RoundRobin => json!("round_robin"),
        Balance::Hash(unit) => json!({ "hash": unit.to_string() }),
    }
}
