//! Names documents, and parts of them, by what they say.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

/// A hash of what `written` says: JSON with sorted keys and no spaces, so that neither the order
/// of fields nor that of Rust's structs matters.
#[expect(
    clippy::expect_used,
    reason = "JSON lacks only maps whose keys are no text, and documents have none"
)]
pub(crate) fn hash(written: &impl Serialize) -> u128 {
    let value = serde_json::to_value(written).expect("a document is JSON");
    xxh3_128(&serde_json::to_vec(&sorted(&value)).expect("a value is JSON"))
}

/// The same value with its keys in order, whatever order the map of [`Value`] was built to keep.
#[derive(Serialize)]
#[serde(untagged)]
enum Sorted<'a> {
    Object(BTreeMap<&'a str, Self>),
    Array(Vec<Self>),
    Scalar(&'a Value),
}

fn sorted(value: &Value) -> Sorted<'_> {
    match value {
        Value::Object(fields) => Sorted::Object(
            fields
                .iter()
                .map(|(key, value)| (key.as_str(), sorted(value)))
                .collect(),
        ),
        Value::Array(items) => Sorted::Array(items.iter().map(sorted).collect()),
        scalar => Sorted::Scalar(scalar),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn hash_of(json: &str) -> u128 {
        let value: Value = serde_json::from_str(json).expect("JSON");
        hash(&value)
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_all_else_does() {
        assert_eq!(
            hash_of(r#"{"a":1,"b":{"c":2,"d":[3,4]}}"#),
            hash_of(r#"{"b":{"d":[3,4],"c":2},"a":1}"#)
        );
        assert_ne!(hash_of("[1,2]"), hash_of("[2,1]"));
        assert_ne!(hash_of(r#"{"a":1}"#), hash_of(r#"{"a":"1"}"#));
        assert_ne!(hash_of(r#"{"a":1}"#), hash_of(r#"{"b":1}"#));
    }
}
