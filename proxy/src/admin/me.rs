//! Who is asking, and what the admin address lets them do: so that a page offers nothing that is refused.

use axum::{Extension, Json};
use policy::Role;
use serde::Serialize;

use crate::referee::Actor;

/// Whoever asks.
#[derive(Debug, Serialize)]
pub(super) struct Me {
    /// What the connection or the token proves; none where nobody is asked who they are.
    name: Option<String>,
    role: &'static str,
}

/// The caller as the gate knows it.
pub(super) async fn show(
    actor: Option<Extension<Actor>>,
    Extension(role): Extension<Role>,
) -> Json<Me> {
    Json(Me {
        name: actor.map(|Extension(actor)| actor.name),
        role: match role {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Approver => "approver",
        },
    })
}
