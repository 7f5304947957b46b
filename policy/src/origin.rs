//! Who a connection comes from as far as the network tells, and whose word about others is taken.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{SpiffeId, SpiffePattern};

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An address.
    Ip(IpAddr),
    /// A process of this machine, over a Unix socket.
    Unix,
    /// Nobody says.
    Unknown,
}

/// A set of origins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Networks by their prefix.
    pub prefixes: Vec<IpNet>,
    /// Whether whoever may open the listener's Unix socket belongs to it.
    pub unix: bool,
}

/// Whose `x-forwarded-*`, `x-request-id` and `x-wald-*` fields are believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarders {
    /// By what their connection proved.
    pub callers: Vec<SpiffePattern>,
    /// By where they are.
    pub networks: Networks,
}

impl Networks {
    /// Whether an origin is one of them. An IPv4 address that comes as an IPv6 one (RFC 4291 §2.5.5.2) is
    /// still itself.
    #[must_use]
    pub fn contain(&self, origin: Origin) -> bool {
        match origin {
            Origin::Ip(address) => {
                let address = address.to_canonical();
                self.prefixes.iter().any(|prefix| prefix.contains(&address))
            }
            Origin::Unix => self.unix,
            Origin::Unknown => false,
        }
    }
}

impl Forwarders {
    /// Whether the word of such a caller is taken.
    #[must_use]
    pub fn believe(&self, origin: Origin, workload: Option<&SpiffeId>) -> bool {
        let named = |id| self.callers.iter().any(|pattern| pattern.matches(id));
        self.networks.contain(origin) || workload.is_some_and(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_the_addresses_of_their_prefixes() {
        let networks = Networks {
            prefixes: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()],
            unix: false,
        };
        for (address, expected) in [
            ("10.1.2.3", true),
            ("10.2.0.1", false),
            ("::ffff:10.1.2.3", true),
            ("fd00::1", true),
            ("fe80::1", false),
        ] {
            let origin = Origin::Ip(address.parse().unwrap());
            assert_eq!(networks.contain(origin), expected, "{address}");
        }
        assert!(!networks.contain(Origin::Unix) && !networks.contain(Origin::Unknown));
    }

    #[test]
    fn a_forwarder_is_believed_for_its_network_or_its_name() {
        let forwarders = Forwarders {
            callers: vec!["spiffe://bank.example/edge/*".parse().unwrap()],
            networks: Networks {
                unix: true,
                ..Networks::default()
            },
        };
        let edge: SpiffeId = "spiffe://bank.example/edge/1".parse().unwrap();
        let web: SpiffeId = "spiffe://bank.example/web".parse().unwrap();
        assert!(forwarders.believe(Origin::Unknown, Some(&edge)));
        assert!(forwarders.believe(Origin::Unix, None));
        assert!(!forwarders.believe(Origin::Unknown, Some(&web)));
    }
}
