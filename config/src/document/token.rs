//! Whose tokens are believed.
pub struct Issuer {
    pub issuer: String,
    pub audiences: Vec<String>,
    pub keys: Keys,               // { file } or { url, refresh }
    pub algorithms: Vec<String>,
    pub leeway: Option<Duration>,
}
pub enum Keys { File(PathBuf), Url { url: String, refresh: Option<Duration> } }
