//! Patterns of workloads.

use crate::decode::{Decode, Decoder, Wanted};
use crate::tree::{Node, Value};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// Workloads by SPIFFE id, or `anyone`. Written as a list, or as one word.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Callers(pub Vec<String>);

impl Callers {
    /// Whether it opens a route to all.
    #[must_use]
    pub fn anyone(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "anyone")
    }
}

impl Decode for Callers {
    fn wanted() -> Wanted {
        Wanted::new("a list of SPIFFE ids, or `anyone`", "anyone")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(Self(vec![scalar.text.clone()])),
            Value::List(_) => Vec::decode(node, decoder).map(Self),
            _ => {
                decoder.mismatch::<Self>(node);
                None
            }
        }
    }
}

impl JsonSchema for Callers {
    fn schema_name() -> Cow<'static, str> {
        "Callers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Workloads by SPIFFE id, or `anyone`. Written as a list, or as one word.",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        })
    }
}
