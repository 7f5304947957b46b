//! Who is calling.
//!
//! Second step of a request, after `accept` and before the route is chosen. What it hands on is an
//! [`Identity`]: a `Caller`, and what was wrong with the token if nothing was proved by it. Nothing later
//! reads a token, or what a client says about itself.

pub(crate) mod agents;
mod cache;
pub(crate) mod certificate;
mod jwt;
pub(crate) mod key_servers;
pub(crate) mod paper;

use std::sync::Arc;

use http::HeaderName;
use http::header::{FORWARDED, HeaderMap};
use policy::{Caller, User, token};

pub(crate) use cache::Cache;
pub(crate) use jwt::{KeySet, KeySetError, KeySets, TokenError};
use key_servers::KeyServers;

use crate::accept::Peer;
use crate::live::{Live, Snapshot};
use crate::observe::Passage;
use crate::server::Worker;

/// What Wald says about a request, to backends and to clients. A client cannot say it.
pub(crate) const OURS: &str = "x-wald-";

/// What proxies say about the client.
const CLAIMED: [HeaderName; 3] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
];

/// Removes everything that only Wald may say, or a proxy before it that is believed. `Forwarded` (RFC 7239)
/// is not kept: nothing here would add to it, so it would contradict what is added to. What a tester asks for stays
/// until the request is placed: it claims nothing.
pub(crate) fn remove_claimed(headers: &mut HeaderMap, is_believed: bool) {
    if !headers.keys().any(is_claim) {
        return;
    }
    headers.remove(FORWARDED);
    if is_believed {
        return;
    }
    let claimed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OURS) && **name != policy::OVERRIDE)
        .cloned()
        .collect();
    for name in claimed.iter().chain(&CLAIMED) {
        headers.remove(name);
    }
}

/// Whether a field of this name says what a client cannot say. Most heads have none.
fn is_claim(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with(OURS) || name == "forwarded" || name.starts_with("x-forwarded-")
}

/// Who is calling, and why the request's token proves nothing if it does not. A bad token is no
/// reason to refuse a request that needs none: it may be meant for someone else.
pub(crate) struct Identity {
    /// What was proved.
    pub(crate) caller: Caller,
    /// What was wrong with the token.
    pub(crate) doubt: Option<TokenError>,
}

/// Takes what the connection proved, and looks at the request's token. Only a key that is not known yet
/// lets this wait, and never for long.
pub(crate) async fn identify(
    worker: &Worker,
    peer: &Peer,
    headers: &HeaderMap,
    passage: &mut Passage,
) -> Identity {
    let mut caller = Caller::anonymous();
    if let Some(workload) = peer.workload(passage.arrived().unix_millis) {
        caller = caller.with_workload(workload.clone());
    }
    let proved = match token::bearer(headers) {
        _ if passage.view().snapshot().policy.issuers().is_empty() => Ok(None),
        Ok(None) => Ok(None),
        Ok(Some(text)) => user(worker, text, passage).await.map(Some),
        Err(malformed) => Err(TokenError::Malformed(malformed)),
    };
    match proved {
        Ok(Some(user)) => Identity {
            caller: caller.with_user(user),
            doubt: None,
        },
        Ok(None) => Identity {
            caller,
            doubt: None,
        },
        Err(doubt) => Identity {
            caller,
            doubt: Some(doubt),
        },
    }
}

/// The user that a request to the admin address brings a token of: verified each time, since few come. Only
/// a key that is not known yet lets this wait.
pub(crate) async fn token(
    key_servers: &KeyServers,
    live: &Live,
    headers: &HeaderMap,
    now_ms: u64,
) -> Result<Option<Arc<User>>, TokenError> {
    let snapshot = Arc::clone(&live.load());
    if snapshot.policy.issuers().is_empty() {
        return Ok(None);
    }
    let Some(text) = token::bearer(headers).map_err(TokenError::Malformed)? else {
        return Ok(None);
    };
    let verify =
        |snapshot: &Snapshot| jwt::verify(text, &snapshot.policy, &snapshot.key_sets, now_ms);
    let mut believed = verify(&snapshot);
    if let Err(TokenError::UnknownKey { issuer, .. }) = &believed {
        let seen = Arc::clone(&snapshot.key_sets);
        key_servers.refresh(issuer, seen).await;
        believed = verify(&live.load());
    }
    believed.map(|believed| Some(believed.user))
}

async fn user(worker: &Worker, text: &str, passage: &mut Passage) -> Result<Arc<User>, TokenError> {
    let first = known(worker, text, passage);
    let Err(TokenError::UnknownKey { issuer, .. }) = &first else {
        return first;
    };
    let before = Arc::clone(&passage.view().snapshot().key_sets);
    let refresh = worker.key_servers().refresh(issuer, Arc::clone(&before));
    Box::pin(refresh).await;
    // Other keys may be in force whoever has asked for them. Nothing was decided by the snapshot so far, so
    // the request may go on with a newer one.
    let view = worker.view();
    if Arc::ptr_eq(&before, &view.snapshot().key_sets) {
        return first;
    }
    passage.renew(view);
    known(worker, text, passage)
}

/// The user of a token, by the keys of the snapshot in force.
fn known(worker: &Worker, text: &str, passage: &Passage) -> Result<Arc<User>, TokenError> {
    let (view, now_ms) = (passage.view(), passage.arrived().unix_millis);
    let seen = view.tokens().find(text, now_ms);
    worker.count_token(seen.is_ok());
    match seen {
        Ok(user) => Ok(user),
        Err(place) => {
            let snapshot = view.snapshot();
            let believed = jwt::verify(text, &snapshot.policy, &snapshot.key_sets, now_ms)?;
            let user = Arc::clone(&believed.user);
            view.tokens().keep(place, believed);
            Ok(user)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_wald_may_say_is_removed_from_a_clients_request() {
        let mut headers: HeaderMap = [
            "x-wald-arm",
            "x-wald-anything",
            "x-wald-override",
            "forwarded",
            "x-forwarded-for",
            "x-walden",
            "accept",
        ]
        .into_iter()
        .map(|name| {
            (
                HeaderName::from_static(name),
                http::HeaderValue::from_static("1"),
            )
        })
        .collect();
        let left = |headers: &HeaderMap| {
            let mut left: Vec<_> = headers
                .keys()
                .map(|name| name.as_str().to_owned())
                .collect();
            left.sort_unstable();
            left.join(" ")
        };
        remove_claimed(&mut headers, true);
        let believed = "accept x-forwarded-for x-wald-anything x-wald-arm x-wald-override x-walden";
        assert_eq!(left(&headers), believed);
        remove_claimed(&mut headers, false);
        assert_eq!(left(&headers), "accept x-wald-override x-walden");
    }
}
