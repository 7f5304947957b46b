//! How the servers of all upstreams are doing: what the control side knows and what the workers saw.

use policy::{Endpoint, Upstream};

use super::counters::{Counters, EndpointLabels, EndpointSeen};
use crate::live::Snapshot;
use crate::members::Member;

/// One server.
pub(crate) struct Doing<'a> {
    /// The upstream that it belongs to.
    pub(crate) upstream: &'a Upstream,
    /// What the document says about it.
    pub(crate) written: &'a Endpoint,
    /// Where it is, and whether it was well when it was last asked.
    pub(crate) member: Member,
    /// What the workers saw.
    pub(crate) seen: EndpointSeen,
}

impl Doing<'_> {
    /// Whether it is well as far as anybody knows: its health check says so, and no worker has set it aside.
    pub(crate) fn is_healthy(&self) -> bool {
        self.member.is_well && self.seen.evicted == 0
    }
}

/// Each server that is known.
pub(crate) fn endpoints<'a>(snapshot: &'a Snapshot, counters: &Counters) -> Vec<Doing<'a>> {
    let of = |upstream: &'a Upstream| {
        let roster = snapshot.rosters.get(upstream.id);
        let members = roster.map(|roster| roster.members());
        let members = members.iter().flat_map(|members| members.iter().cloned());
        let doing = members.filter_map(|member| {
            let labels = EndpointLabels {
                upstream: upstream.name.to_string(),
                endpoint: member.address.to_string(),
            };
            Some(Doing {
                upstream,
                written: upstream.endpoints.get(member.endpoint)?,
                member,
                seen: counters.endpoints.get(&labels).cloned().unwrap_or_default(),
            })
        });
        doing.collect::<Vec<_>>()
    };
    snapshot.policy.upstreams().iter().flat_map(of).collect()
}
