//! What may go where.
pub struct Route {
    pub name: String,
    pub r#match: Option<Match>,
    pub allow: Option<AllowList>,      // absent or empty: nobody. a list of entries, or the word `anyone`? see below
    pub backend: Backend,
    pub timeout: Option<Duration>,
    pub retries: Option<Retries>,      // { attempts: u32, when: Vec<String|u16>, budget: Share, body_max: ByteCount }
    pub fallback: Vec<Backend>,
    pub limits: Option<RouteLimits>,   // { rate: { requests: Rate, key: Option<KeySource> } , body_bytes: Option<ByteCount> (ours) }
    pub shadow: Vec<Shadow>,           // { backend, share, compare: { ignore: Vec<String>, tolerance: f64 } }
    pub set_headers: Option<Anything>,
    pub token: Option<Anything>,
    pub rewrite: Option<Anything>,
}
pub struct Match {
    pub listeners: Vec<String>,                    // ours: only requests that came in there
    pub hosts: Vec<String>,                        // exact, or `*.example.com`
    pub path: Option<PathMatch>,                   // { exact } | { prefix } | { regex }
    pub methods: Vec<String>,
    pub headers: BTreeMap<String, ValueMatch>,     // { exact } | { prefix } | { contains } | { any_of: [..] }
    pub model: Option<String>,
}
/// One entry of `allow`.
pub struct Allow {
    pub callers: Option<Callers>,                  // the word `anyone`, or a list of patterns (a list may hold "anyone")
    pub issuer: Option<String>,
    pub claims: BTreeMap<String, ValueMatch>,
    pub methods: Vec<String>,
    pub models: Vec<String>,
}
pub enum Backend { Upstream(String), Model { name: String, version: Option<String> }, Experiment(String), Respond { status: u16, body: Option<String> } }
