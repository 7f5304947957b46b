//! Listeners.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use config::document::{self, Protocol};
use config::value::Rate;
use config::{Path, code};

use super::origin;
use super::{Report, Scope, tls};
use crate::{Address, Listener, ListenerId, ListenerLimits};

/// Which address was given to what, since no two sockets can share one.
#[derive(Default)]
pub(super) struct Addresses(BTreeMap<Address, Path>);

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
    let address = self::address(report, &path.field("address"), address)?;
    let is_unix = matches!(address, Address::Unix(_));
    let proxy_protocol = match proxy_protocol {
        Some(written) => Some(origin::balancers(
            report,
            &path.field("proxy_protocol"),
            written,
            is_unix,
        )?),
        None => None,
    };
    let forwarders = path.field("trust_forwarded");
    let proves = tls.as_ref().is_some_and(origin::proves_workloads);
    let trust_forwarded = (!trust_forwarded.is_empty())
        .then(|| origin::forwarders(report, &forwarders, trust_forwarded, is_unix, proves));
    let limits = limits
        .as_ref()
        .map_or_else(ListenerLimits::default, |written| {
            self::limits(report, path, written)
        });
    let tls = match tls {
        Some(tls) => Some(tls::server(report, &path.field("tls"), tls)?),
        None => None,
    };
    addresses.claim(report, &address, path);
    let speaks = |protocol: Protocol| protocols.is_empty() || protocols.contains(&protocol);
    Some(Listener {
        id: ListenerId(position),
        name: name.as_str().into(),
        address,
        proxy_protocol,
        trust_forwarded,
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
        body_rate,
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
        body_rate: body_rate.map_or(default.body_rate, |bytes| bytes.0),
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
    pub(super) fn claim(&mut self, report: &mut Report<'_>, address: &Address, path: &Path) {
        // Port 0 asks for a free one, so two such addresses differ.
        let is_one = !matches!(address, Address::Tcp(address) if address.port() == 0);
        let taken = self.0.get(address).filter(|_| is_one);
        if let Some(taken) = taken {
            let message = format!("{address} is already the address of {taken}");
            report.error(
                code::DUPLICATE_ADDRESS,
                &path.field("address"),
                message,
                "choose another port or path",
            );
        } else {
            self.0.insert(address.clone(), path.clone());
        }
    }
}

/// What an address begins with that is a path.
const UNIX: &str = "unix:";

/// The longest path that a socket can have: `sun_path` without its end, on the systems with the least.
pub(super) const UNIX_BYTES_MAX: usize = 103;

/// An address of the network, or the path of a Unix socket.
fn address(report: &mut Report<'_>, path: &Path, written: &str) -> Option<Address> {
    if !written.starts_with(UNIX) {
        return parse(report, path, written).map(Address::Tcp);
    }
    let socket = unix(written);
    if socket.is_none() {
        let message = format!(
            "{written:?} is no absolute path of {UNIX_BYTES_MAX} bytes at most behind `unix://`"
        );
        let remedy = "write, for example, unix:///run/wald.sock";
        report.error(code::BAD_ADDRESS, path, message, remedy);
    }
    socket.map(Address::Unix)
}

/// The absolute path of a Unix socket, if it is one that a socket can have.
pub(super) fn unix(written: &str) -> Option<PathBuf> {
    let path = written.strip_prefix(UNIX)?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (path.starts_with('/') && path.len() <= UNIX_BYTES_MAX).then(|| path.into())
}

pub(super) fn parse(report: &mut Report<'_>, path: &Path, written: &str) -> Option<SocketAddr> {
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
