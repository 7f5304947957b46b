//! Listeners and the admin address.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use config::document::{self, Admin, Protocol};
use config::value::Rate;
use config::{Path, code};

use super::{Report, Scope, tls};
use crate::{Listener, ListenerId, ListenerLimits};

/// Where the admin API listens unless the document says otherwise.
const ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

/// Which address was given to what, since no two sockets can share one.
#[derive(Default)]
pub(super) struct Addresses(BTreeMap<SocketAddr, Path>);

/// The admin address; it is asked for first, so that a listener that wants it too is refused.
pub(super) fn admin(scope: &mut Scope<'_>, written: Option<&Admin>) -> SocketAddr {
    let path = Path::root().field("admin");
    let Some(Admin {
        address,
        tls,
        allow,
        roles,
    }) = written
    else {
        scope.addresses.claim(&mut scope.report, ADMIN, &path);
        return ADMIN;
    };
    let Scope {
        report, addresses, ..
    } = scope;
    report.not_built(&path, "tls", tls.is_some());
    report.not_built(&path, "allow", !allow.is_empty());
    report.not_built(&path, "roles", roles.is_some());
    let Some(address) = parse(report, &path.field("address"), address) else {
        return ADMIN;
    };
    if !address.ip().is_loopback() && tls.is_none() {
        let message =
            format!("the admin API has no protection of its own, and {address} is open to others");
        let remedy = "use a loopback address, such as 127.0.0.1:9901";
        report.error(code::OPEN_ADMIN, &path.field("address"), message, remedy);
    }
    addresses.claim(report, address, &path);
    address
}

/// Compiles one listener.
pub(super) fn compile(
    scope: &mut Scope<'_>,
    path: &Path,
    position: usize,
    written: &document::Listener,
) -> Option<Listener> {
    let document::Listener {
        name,
        address,
        tls,
        protocols,
        proxy_protocol,
        trust_forwarded,
        limits,
    } = written;
    let Scope {
        report, addresses, ..
    } = scope;
    report.not_built(path, "proxy_protocol", proxy_protocol.is_some());
    report.not_built(path, "trust_forwarded", trust_forwarded.is_some());
    let limits = limits
        .as_ref()
        .map_or_else(ListenerLimits::default, |written| {
            self::limits(report, path, written)
        });
    let tls = match tls {
        Some(tls) => Some(tls::server(report, &path.field("tls"), tls)?),
        None => None,
    };
    let address = parse(report, &path.field("address"), address)?;
    addresses.claim(report, address, path);
    let speaks = |protocol: Protocol| protocols.is_empty() || protocols.contains(&protocol);
    Some(Listener {
        id: ListenerId(position),
        name: name.as_str().into(),
        address,
        http1: speaks(Protocol::Http1),
        http2: speaks(Protocol::Http2),
        tls,
        limits,
    })
}

fn limits(
    report: &mut Report<'_>,
    path: &Path,
    written: &document::ListenerLimits,
) -> ListenerLimits {
    let document::ListenerLimits {
        connections,
        header_bytes,
        header_time,
        body_bytes,
        idle,
        handshakes,
        handshake_rate,
        handshake_time,
    } = written;
    let (path, default) = (path.field("limits"), ListenerLimits::default());
    ListenerLimits {
        connections: report.positive(&path, "connections", *connections, default.connections),
        header_bytes: report.positive(
            &path,
            "header_bytes",
            header_bytes.map(|bytes| bytes.0),
            default.header_bytes,
        ),
        header_time: report.positive(
            &path,
            "header_time",
            header_time.map(|time| time.0),
            default.header_time,
        ),
        body_bytes: report.positive(
            &path,
            "body_bytes",
            body_bytes.map(|bytes| bytes.0),
            default.body_bytes,
        ),
        idle: report.positive(&path, "idle", idle.map(|time| time.0), default.idle),
        handshakes: report.positive(&path, "handshakes", *handshakes, default.handshakes),
        handshake_pause: pause(report, &path, *handshake_rate),
        handshake_time: report.positive(
            &path,
            "handshake_time",
            handshake_time.map(|time| time.0),
            default.handshake_time,
        ),
    }
}

/// The time from one handshake to the next at the highest rate.
fn pause(report: &mut Report<'_>, path: &Path, written: Option<Rate>) -> Duration {
    let Some(Rate { events, per }) = written else {
        return ListenerLimits::default().handshake_pause;
    };
    let pause = Duration::try_from_secs_f64(per.as_secs_f64() / events).unwrap_or_default();
    report.positive(path, "handshake_rate", Some(pause), pause)
}

impl Addresses {
    fn claim(&mut self, report: &mut Report<'_>, address: SocketAddr, path: &Path) {
        // Port 0 asks for a free one, so two such addresses differ.
        let taken = self.0.get(&address).filter(|_| address.port() != 0);
        if let Some(taken) = taken {
            let message = format!("{address} is already the address of {taken}");
            report.error(
                code::DUPLICATE_ADDRESS,
                &path.field("address"),
                message,
                "choose another port",
            );
        } else {
            self.0.insert(address, path.clone());
        }
    }
}

fn parse(report: &mut Report<'_>, path: &Path, written: &str) -> Option<SocketAddr> {
    let address = written.parse().ok();
    if address.is_none() {
        let message = format!("{written:?} is not an IP address with a port");
        report.error(
            code::BAD_ADDRESS,
            path,
            message,
            "write, for example, 127.0.0.1:8080 or [::1]:8080",
        );
    }
    address
}
