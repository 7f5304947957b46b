//! The addresses of one name, looked up again when its records expire (RFC 1035 §3.2.1).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};
use tokio::time::Instant;

use super::Roster;

/// Records that want to be looked up for each request are looked up this often.
const LIFE_MIN: Duration = Duration::from_secs(1);
/// Nobody believes a record for longer.
const LIFE_MAX: Duration = Duration::from_secs(300);
/// How long after a failure the next try comes; doubled after each.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Follows the name of an endpoint until nobody needs it any more. A name that cannot be looked up keeps the
/// addresses that it had.
pub(super) async fn follow(roster: Arc<Roster>, endpoint: usize) {
    let Some((host, port)) = name(&roster, endpoint) else {
        return;
    };
    let upstream = &*roster.upstream.name;
    let mut failures = 0;
    let mut resolver = None;
    loop {
        let found = addresses(&mut resolver, &roster.dns_servers, &host, port).await;
        let now = Instant::now();
        let next = match found {
            Ok((addresses, until)) => {
                failures = 0;
                roster.resolved(endpoint, &addresses);
                until.clamp(now + LIFE_MIN, now + LIFE_MAX)
            }
            Err(error) => {
                let pause = RETRY.saturating_mul(1 << failures.min(5)).min(RETRY_MAX);
                failures += 1;
                tracing::warn!(upstream, host, %error, ?pause, "a name cannot be looked up");
                now + pause
            }
        };
        tokio::time::sleep_until(next).await;
    }
}

/// What is looked up, and the port of its servers.
fn name(roster: &Roster, endpoint: usize) -> Option<(String, u16)> {
    let (host, port) = roster
        .upstream
        .endpoints
        .get(endpoint)?
        .authority
        .rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// The addresses, and until when they are good.
async fn addresses(
    resolver: &mut Option<TokioResolver>,
    servers: &[SocketAddr],
    host: &str,
    port: u16,
) -> Result<(Vec<SocketAddr>, Instant), NetError> {
    let resolver = match resolver {
        Some(resolver) => resolver,
        None => resolver.insert(build(servers)?),
    };
    let found = resolver.lookup_ip(host).await?;
    let addresses = found.iter().map(|ip| SocketAddr::new(ip, port)).collect();
    Ok((addresses, Instant::from_std(found.valid_until())))
}

/// Asks these servers, or whom the machine asks. It keeps no answers: when they expire is followed here. Where a
/// name has addresses of both kinds those of IPv4 are taken: each address counts as a server of its own, and
/// half of them would be unreachable wherever IPv6 is only half there.
fn build(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        Resolver::builder_tokio()?
    } else {
        let servers = servers.iter().map(|server| name_server(*server)).collect();
        let config = ResolverConfig::from_name_servers(servers);
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    builder.options_mut().cache_size = 0;
    builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4thenIpv6;
    builder.build()
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    NameServerConfig::new(server.ip(), true, connections.to_vec())
}
