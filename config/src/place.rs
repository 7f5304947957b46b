//! Where in the document something stands, by structure and by line.
/// A path such as `experiments[2].arms`; the empty path is the document itself.
pub struct Path(String);
/// A one-based line and column.
pub struct Place { pub line: u32, pub column: u32 }
/// The place of every value in one document, by path; a path without a value has its nearest parent's place.
pub struct Places(BTreeMap<Path, Place>);
