//! Who the servers of each upstream are at the moment, and whether they are well.
//!
//! On the control side names are looked up again when their records expire, and servers are asked how they are.
//! What comes of it stands in a [`Roster`] that every worker reads; it changes without a new snapshot, as no
//! request depends on two of them agreeing.

mod keeper;
mod lookup;
mod probe;

use std::net::SocketAddr;
use std::sync::Arc;

use policy::{Endpoint, Policy, UpstreamId};
use tokio::sync::watch;

pub(crate) use keeper::Keeper;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The position of its endpoint in the upstream.
    pub(crate) endpoint: usize,
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// Whether it was well when it was last asked; also if nobody asks.
    pub(crate) is_well: bool,
}

/// The servers of one upstream.
pub(crate) type Members = Arc<[Member]>;

/// Where the servers of one upstream are told of.
#[derive(Debug)]
pub(crate) struct Roster {
    upstream: policy::Upstream,
    dns_servers: Vec<SocketAddr>,
    members: watch::Sender<Members>,
}

/// The rosters of a policy, by `UpstreamId`.
#[derive(Debug, Default)]
pub(crate) struct Rosters(Vec<Arc<Roster>>);

impl Rosters {
    /// The rosters of a policy. Upstreams with the same servers, asked in the same way, keep what is known of
    /// them.
    pub(crate) fn new(policy: &Policy, before: Option<&Self>) -> Self {
        let roster = |upstream: &policy::Upstream| {
            let kept = before.into_iter().flat_map(Self::iter);
            let dns_servers = policy.dns_servers();
            let kept = kept.into_iter().find(|it| it.serves(upstream, dns_servers));
            kept.cloned()
                .unwrap_or_else(|| Arc::new(Roster::new(upstream, dns_servers)))
        };
        Self(policy.upstreams().iter().map(roster).collect())
    }

    /// The servers of an upstream.
    pub(crate) fn get(&self, id: UpstreamId) -> Option<&Arc<Roster>> {
        self.0.get(id.index())
    }

    /// Each of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Roster>> {
        self.0.iter()
    }
}

impl Roster {
    /// What the document says. Addresses are known and believed to be well at once, names when they were looked
    /// up.
    fn new(upstream: &policy::Upstream, dns_servers: &[SocketAddr]) -> Self {
        let member = |(endpoint, written): (usize, &Endpoint)| {
            Some(Member {
                endpoint,
                address: written.authority.parse().ok()?,
                is_well: true,
            })
        };
        let endpoints = upstream.endpoints.iter().enumerate();
        let members: Members = endpoints.filter_map(member).collect();
        Self {
            upstream: upstream.clone(),
            dns_servers: dns_servers.to_vec(),
            members: watch::Sender::new(members),
        }
    }

    fn serves(&self, upstream: &policy::Upstream, dns_servers: &[SocketAddr]) -> bool {
        self.upstream.name == upstream.name
            && self.upstream.endpoints == upstream.endpoints
            && self.upstream.protocol == upstream.protocol
            && self.upstream.health == upstream.health
            && self.dns_servers == dns_servers
    }

    /// Where changes are heard of.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Members> {
        self.members.subscribe()
    }

    /// The servers that are known now.
    pub(crate) fn members(&self) -> Members {
        Arc::clone(&self.members.borrow())
    }

    /// An endpoint's name has these addresses now; what is known of those that stay is kept.
    fn resolved(&self, endpoint: usize, addresses: &[SocketAddr]) {
        self.members.send_if_modified(|members| {
            let known = |address| {
                members
                    .iter()
                    .find(|it| it.endpoint == endpoint && it.address == address)
            };
            let fresh = addresses.iter().map(|&address| {
                known(address).cloned().unwrap_or(Member {
                    endpoint,
                    address,
                    is_well: true,
                })
            });
            let others = members.iter().filter(|it| it.endpoint != endpoint).cloned();
            let mut next: Vec<Member> = others.chain(fresh).collect();
            next.sort_by_key(|member| (member.endpoint, member.address));
            next.dedup();
            let changed = **members != *next;
            if changed {
                *members = next.into();
            }
            changed
        });
    }

    /// A server turned out to be well, or not to be.
    fn asked(&self, member: &Member, is_well: bool) {
        self.members.send_if_modified(|members| {
            let differs = |it: &Member| {
                it.endpoint == member.endpoint
                    && it.address == member.address
                    && it.is_well != is_well
            };
            let changed = members.iter().any(differs);
            if changed {
                let next = members.iter().map(|it| Member {
                    is_well: if differs(it) { is_well } else { it.is_well },
                    ..it.clone()
                });
                *members = next.collect();
            }
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::policy;

    fn roster() -> Roster {
        let policy = policy(
            "\
version: wald/v1
listeners: [{ name: edge, address: 127.0.0.1:0 }]
upstreams: [{ name: models, endpoints: [http://127.0.0.1:1, http://models.test:2] }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { upstream: models } }]
",
        );
        Roster::new(&policy.upstreams()[0], &[])
    }

    fn known(roster: &Roster) -> Vec<(usize, String, bool)> {
        let members = roster.members();
        let shown = |it: &Member| (it.endpoint, it.address.to_string(), it.is_well);
        members.iter().map(shown).collect()
    }

    #[test]
    fn addresses_are_known_at_once_and_names_when_they_were_looked_up() {
        let roster = roster();
        assert_eq!(known(&roster), [(0, "127.0.0.1:1".to_owned(), true)]);
        roster.resolved(
            1,
            &["10.0.0.2:2", "10.0.0.1:2"].map(|it| it.parse().unwrap()),
        );
        let addresses: Vec<_> = known(&roster).into_iter().map(|it| it.1).collect();
        assert_eq!(addresses, ["127.0.0.1:1", "10.0.0.1:2", "10.0.0.2:2"]);
    }

    #[test]
    fn a_server_that_stays_keeps_what_is_known_of_it() {
        let roster = roster();
        let address = "10.0.0.1:2".parse().unwrap();
        roster.resolved(1, &[address]);
        let member = roster.members()[1].clone();
        let mut heard = roster.subscribe();
        roster.asked(&member, false);
        assert!(heard.has_changed().unwrap());
        heard.mark_unchanged();
        roster.asked(&member, false);
        roster.resolved(1, &[address]);
        assert!(!heard.has_changed().unwrap(), "nothing is new");
        roster.resolved(1, &["10.0.0.2:2".parse().unwrap(), address]);
        assert_eq!(
            known(&roster)[1..],
            [
                (1, "10.0.0.1:2".to_owned(), false),
                (1, "10.0.0.2:2".to_owned(), true)
            ]
        );
    }
}
