//! Where traffic may go.
pub struct Upstream {
    pub name: String,
    pub endpoints: Vec<String>,
    pub protocol: Option<Protocol>,
    pub region: Option<String>,
    pub balance: Option<Balance>,       // peak_ewma | least_requests | round_robin | { hash: { header: x } }
    pub tls: Option<UpstreamTls>,
    pub timeouts: Option<Timeouts>,     // { connect, response, idle }
    pub health: Option<Health>,         // { path, interval, healthy, unhealthy }
    pub eviction: Option<Eviction>,     // { consecutive_failures, base, max }
    pub limits: Option<UpstreamLimits>, // { connections, in_flight, queued }
    pub insecure: Option<bool>,
    pub authorization: Option<Anything>,
}
pub enum Balance { PeakEwma, LeastRequests, RoundRobin, Hash(HashKey) }
pub struct UpstreamTls { pub trust: Vec<PathBuf>, pub certificate: Option<Certificate>, pub spiffe_id: Option<String>, pub dns_name: Option<String> }
