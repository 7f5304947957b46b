//! Models that Wald runs itself.
pub struct Model {
    pub name: String,
    pub version: Option<String>,  // default "1"
    pub file: PathBuf,
    pub sha256: String,           // required
    pub batch: Option<Batch>,     // { max: u32, wait: Duration }
    pub threads: Option<u32>,
    pub queue: Option<u32>,       // ours: how many requests may wait; default 1024
    pub signature: Option<Anything>,
    pub tokenizer: Option<Anything>,
    pub labels: Option<Anything>,
    pub example: Option<Anything>,
}
