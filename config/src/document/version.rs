//! Which edition of the format a document is written in.

use crate::code;
use crate::decode::{Decode, Decoder, Wanted};
use crate::tree::{Node, Value};

/// An edition of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub enum Version {
    /// The first.
    #[serde(rename = "wald/v1")]
    V1,
}

impl Decode for Version {
    fn wanted() -> Wanted {
        Wanted::new("the version of the format", "wald/v1")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) if scalar.text == "wald/v1" => Some(Self::V1),
            other => {
                let message = format!("found {}, this Wald reads `wald/v1`", other.describe());
                decoder.report(
                    code::VERSION,
                    node.place,
                    message,
                    "write `version: wald/v1`",
                );
                None
            }
        }
    }
}
