//! Who is asked for the addresses of names.

use std::net::{IpAddr, SocketAddr};

use config::document::Dns;
use config::{Path, code};

use super::Report;

/// Where name servers listen (RFC 1035 §4.2).
const PORT: u16 = 53;

/// Compiles the servers of a document that names some.
pub(in crate::compile) fn dns_servers(
    report: &mut Report<'_>,
    written: Option<&Dns>,
) -> Vec<SocketAddr> {
    let Some(Dns { servers }) = written else {
        return Vec::new();
    };
    let path = Path::root().field("dns").field("servers");
    if servers.is_empty() {
        let message = "no name server is named";
        let remedy = "name one, for example [10.0.0.2], or remove `dns`";
        report.error(code::NOTHING_THERE, &path, message, remedy);
    }
    let servers = servers.iter().enumerate().filter_map(|(position, text)| {
        let server = address(text);
        if server.is_none() {
            let message = format!("{text:?} is not the address of a name server");
            let remedy = "write an IP address, and a port if it is not 53";
            report.error(code::BAD_ADDRESS, &path.index(position), message, remedy);
        }
        server
    });
    servers.collect()
}

fn address(text: &str) -> Option<SocketAddr> {
    let bare = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT));
    text.parse().ok().or_else(bare)
}
