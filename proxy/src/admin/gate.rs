//! Who may ask the admin API what: the first step of every request but those of probes.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method};
use policy::{Caller, Denial, Role};

use super::Desk;
use super::door::Asker;
use super::problem::Problem;
use crate::identify::{self, TokenError};
use crate::live::Snapshot;
use crate::referee::Actor;

/// What kubelets and balancers ask, who have no certificate.
const OF_PROBES: [&str; 2] = ["/livez", "/readyz"];

/// What is sent but changes nothing that a viewer may not see change.
const OF_VIEWERS: [&str; 2] = ["/api/v1/feedback", "/api/v1/explain"];

/// What takes more than to operate: deciding in place of the evidence.
const OF_APPROVERS: [&str; 4] = ["promote", "rollback", "approve", "stop"];

/// Lets a request pass if its caller has the role that it takes.
pub(super) async fn authorized_only(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(asker): ConnectInfo<Asker>,
    mut request: Request,
    next: Next,
) -> Response {
    let snapshot = Arc::clone(&desk.live.load());
    let (is_open, is_order) = (
        snapshot.policy.admin().is_open(),
        request.method() == Method::POST,
    );
    if is_open {
        request.extensions_mut().insert(Role::Approver);
    }
    if OF_PROBES.contains(&request.uri().path()) || (is_open && !is_order) {
        return next.run(request).await;
    }
    let (caller, doubt) = caller(&desk, &snapshot, &asker, request.headers()).await;
    request.extensions_mut().insert(actor(&caller, &asker));
    if is_open {
        return next.run(request).await;
    }
    let path = request.uri().path();
    let wanted = wanted(request.method(), path);
    let admin = snapshot.policy.admin();
    match admin.authorize(&caller, request.method(), wanted) {
        Ok(()) => {
            let role = role(admin, &caller);
            request.extensions_mut().insert(role);
            if wanted > Role::Viewer {
                tracing::info!(%caller, method = %request.method(), path = request.uri().path(), "asked at the admin address");
            }
            next.run(request).await
        }
        Err(denial) => {
            let address = asker.address;
            tracing::info!(%caller, %address, method = %request.method(), path, reason = %denial, "refused at the admin address");
            let problem = refusal(&denial, doubt.as_ref());
            desk.refused.count(&problem);
            problem.into_response()
        }
    }
}

/// Who is written down as having given an order.
fn actor(caller: &Caller, asker: &Asker) -> Actor {
    let is_proved = caller.is_proved();
    Actor {
        name: if is_proved {
            caller.to_string()
        } else {
            format!("somebody at {}", asker.address.ip())
        },
        is_proved,
    }
}

/// The greatest role of a caller who may look.
fn role(admin: &policy::Admin, caller: &Caller) -> Role {
    let has = |role: &Role| admin.authorize(caller, &Method::POST, *role).is_ok();
    let found = [Role::Approver, Role::Operator].into_iter().find(has);
    found.unwrap_or(Role::Viewer)
}

/// The least role that may do this.
fn wanted(method: &Method, path: &str) -> Role {
    let verb = path.rsplit('/').next().unwrap_or_default();
    match *method {
        Method::GET | Method::HEAD => Role::Viewer,
        Method::POST if OF_VIEWERS.contains(&path) => Role::Viewer,
        Method::POST if !OF_APPROVERS.contains(&verb) => Role::Operator,
        _ => Role::Approver,
    }
}

/// What the connection and the token prove, by the trust in force: connections are kept open for long here.
async fn caller(
    desk: &Desk,
    snapshot: &Arc<Snapshot>,
    asker: &Asker,
    headers: &HeaderMap,
) -> (Caller, Option<TokenError>) {
    let mut caller = Caller::anonymous();
    let now_ms = crate::referee::unix_ms();
    if let (Some(proved), Some(tls)) = (&asker.proved, snapshot.credentials.admin())
        && let Some(workload) = tls.workload(proved, now_ms)
    {
        caller = caller.with_workload(workload.clone());
    }
    let proved = identify::token(&desk.key_servers, &desk.live, headers, now_ms).await;
    match proved {
        Ok(Some(user)) => (caller.with_user(user), None),
        Ok(None) => (caller, None),
        Err(doubt) => (caller, Some(doubt)),
    }
}

/// What the caller may know of it: whether a token would help, or this one does not.
fn refusal(denial: &Denial, doubt: Option<&TokenError>) -> Problem {
    match (denial, doubt) {
        (Denial::Unproven(_), None) => Problem::unproven(),
        (Denial::Unproven(_), Some(_)) => Problem::bad_token(),
        (Denial::Nobody | Denial::NotListed(_), _) => Problem::not_allowed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_is_for_viewers_running_for_operators_deciding_for_approvers() {
        for (method, path, expected) in [
            (Method::GET, "/api/v1/experiments", Role::Viewer),
            (Method::GET, "/metrics", Role::Viewer),
            (Method::POST, "/api/v1/feedback", Role::Viewer),
            (Method::POST, "/api/v1/explain", Role::Viewer),
            (Method::POST, "/api/v1/reload", Role::Operator),
            (Method::POST, "/api/v1/drain", Role::Operator),
            (Method::POST, "/api/v1/experiments/a/pause", Role::Operator),
            (
                Method::POST,
                "/api/v1/experiments/a/promote",
                Role::Approver,
            ),
            (
                Method::POST,
                "/api/v1/experiments/a/rollback",
                Role::Approver,
            ),
            (Method::DELETE, "/api/v1/experiments/a", Role::Approver),
        ] {
            assert_eq!(wanted(&method, path), expected, "{method} {path}");
        }
    }
}
