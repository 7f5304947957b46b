//! Who is at the other end of a connection.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use policy::{ListenerId, Origin, SpiffeId};

use super::tls::{Proved, Tls};

/// Who is at the other end of a connection, as far as it is known.
pub(crate) struct Peer {
    listener: ListenerId,
    origin: Origin,
    address: HeaderValue,
    /// What a handshake proved; none over plain text.
    proved: Option<Proved>,
    /// Whose trust it was proved by, or was looked at again.
    proved_by: RefCell<Option<Arc<Tls>>>,
    distrusted: Cell<bool>,
}

/// That who the peer is was believed once, and is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Distrusted;

impl Peer {
    pub(super) fn new(
        listener: ListenerId,
        origin: Origin,
        proved: Option<(Proved, Arc<Tls>)>,
    ) -> Self {
        let (proved, proved_by) = proved.unzip();
        Self {
            listener,
            origin,
            address: address(origin),
            proved,
            proved_by: RefCell::new(proved_by),
            distrusted: Cell::new(false),
        }
    }

    /// The listener that accepted the connection.
    pub(crate) fn listener(&self) -> ListenerId {
        self.listener
    }

    /// Where the connection comes from.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }

    /// The peer's IP address, as `X-Forwarded-For` says it; `unknown` where it has none (RFC 7239 §6.2).
    pub(crate) fn address(&self) -> &HeaderValue {
        &self.address
    }

    /// Whether nobody between the peer and Wald could read or change what is said.
    pub(crate) fn is_secure(&self) -> bool {
        self.proved.is_some()
    }

    /// The workload that the peer proved to be. A connection may outlive its certificate; the proof does not.
    pub(crate) fn workload(&self, now_ms: u64) -> Option<&SpiffeId> {
        let proved = self.proved.as_ref()?;
        proved
            .workload
            .as_ref()
            .filter(|_| now_ms < proved.until_ms)
    }

    /// Whether what it proved would still be believed by the trust in force. A certificate is looked at again only
    /// when that is another than before: most of the time this is one comparison of pointers, and one of times.
    pub(crate) fn recheck(&self, tls: Option<&Arc<Tls>>, now_ms: u64) -> Result<(), Distrusted> {
        let (Some(proved), Some(now)) = (&self.proved, tls) else {
            return Ok(());
        };
        if !proved.chain.is_empty() && proved.until_ms <= now_ms {
            return Err(Distrusted);
        }
        let mut by = self.proved_by.borrow_mut();
        if !by.as_ref().is_some_and(|by| Arc::ptr_eq(by, now)) {
            self.distrusted.set(!now.believes(&proved.chain));
            *by = Some(Arc::clone(now));
        }
        if self.distrusted.get() {
            Err(Distrusted)
        } else {
            Ok(())
        }
    }
}

fn address(origin: Origin) -> HeaderValue {
    let unknown = HeaderValue::from_static("unknown");
    match origin {
        Origin::Ip(address) => {
            let text = Bytes::from(address.to_canonical().to_string());
            HeaderValue::from_maybe_shared(text).unwrap_or(unknown)
        }
        Origin::Unix | Origin::Unknown => unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_believed_no_longer_than_its_certificate_is_good() {
        let workload: SpiffeId = "spiffe://bank.example/web".parse().unwrap();
        let proved = Proved {
            workload: Some(workload.clone()),
            until_ms: 5_000,
            chain: Vec::new(),
        };
        let listener = policy::compile(&document()).unwrap().listeners()[0].id;
        let origin = Origin::Ip([127, 0, 0, 1].into());
        let peer = Peer {
            proved: Some(proved),
            ..Peer::new(listener, origin, None)
        };
        assert_eq!(peer.workload(4_999), Some(&workload));
        assert_eq!(peer.workload(5_000), None);
        assert!(peer.is_secure());
        let plain = Peer::new(listener, origin, None);
        assert_eq!(plain.address(), "127.0.0.1");
        let unix = Peer::new(listener, Origin::Unix, None);
        assert_eq!(unix.address(), "unknown");
        assert!(plain.workload(0).is_none() && !plain.is_secure());
    }

    fn document() -> config::Document {
        let text = "\
version: wald/v1
listeners: [{ name: edge, address: 127.0.0.1:0 }]
routes: [{ name: all, allow: [{ callers: anyone }], backend: { respond: { status: 204 } } }]
";
        config::read(text, &|_| None, std::path::Path::new(".")).unwrap()
    }
}
