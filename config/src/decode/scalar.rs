//! Values without parts: text, numbers, yes or no, files, and values with a unit.

use super::{Decode, Decoder, Wanted};
use crate::code;
use crate::document::Anything;
use crate::tree::{Node, Scalar, Value};
use crate::value::{ByteCount, Period, Rate, Ratio, Share};
use std::path::PathBuf;

/// Any scalar is text as it is spelled: `1.10` stays `1.10`, and `no` stays `no`.
impl Decode for String {
    fn wanted() -> Wanted {
        Wanted::new("text", "…")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(scalar.text.clone()),
            _ => {
                decoder.mismatch::<Self>(node);
                None
            }
        }
    }
}

impl Decode for PathBuf {
    fn wanted() -> Wanted {
        Wanted::new("a file", "folder/file")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let file = match &node.value {
            Value::Scalar(scalar) if !scalar.text.is_empty() => &scalar.text,
            _ => {
                decoder.mismatch::<Self>(node);
                return None;
            }
        };
        Some(decoder.base.join(file))
    }
}

impl Decode for bool {
    fn wanted() -> Wanted {
        Wanted::new("`true` or `false`", "true")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match unquoted(node) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                decoder.mismatch::<Self>(node);
                None
            }
        }
    }
}

/// Reads the listed unsigned integers.
macro_rules! whole {
    ($($kind:ident = $what:literal),*) => {
        $(impl Decode for $kind {
            fn wanted() -> Wanted {
        Wanted::new($what, "10")
    }

            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                let number = unquoted(node).and_then(|text| text.parse().ok());
                if number.is_none() {
                    report_number::<Self>(node, decoder);
                }
                number
            }
        })*
    };
}

whole!(
    u16 = "a whole number from 0 to 65535",
    u32 = "a whole number from 0 to 4294967295",
    u64 = "a whole number that is not negative"
);

/// No number of the document means anything below zero.
impl Decode for f64 {
    fn wanted() -> Wanted {
        Wanted::new("a finite number that is not negative", "0.5")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = unquoted(node)
            .and_then(|text| text.parse().ok())
            .filter(|number: &Self| number.is_finite() && !number.is_sign_negative());
        if number.is_none() {
            report_number::<Self>(node, decoder);
        }
        number
    }
}

/// Tells a number of the wrong size from what is no number at all.
fn report_number<T: Decode>(node: &Node, decoder: &mut Decoder<'_>) {
    let is_number = unquoted(node).is_some_and(|text| text.parse::<f64>().is_ok());
    let code = if is_number {
        code::OUT_OF_RANGE
    } else {
        code::WRONG_TYPE
    };
    decoder.refuse::<T>(code, node);
}

/// The text of a scalar that may be a number; a quoted one may not.
fn unquoted(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Scalar(scalar) if !scalar.is_quoted() => Some(&scalar.text),
        _ => None,
    }
}

/// Reads values with a unit, quoted or not.
macro_rules! measured {
    ($($kind:ident = $what:literal, $example:literal;)*) => {
        $(impl Decode for $kind {
            fn wanted() -> Wanted {
        Wanted::new($what, $example)
    }

            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                let value = match &node.value {
                    Value::Scalar(scalar) => scalar.text.parse().ok(),
                    _ => None,
                };
                if value.is_none() {
                    decoder.mismatch::<Self>(node);
                }
                value
            }
        })*
    };
}

measured! {
    Share = "a share from 0% to 100%, or from 0 to 1", "5%";
    Ratio = "a ratio such as 25% or 0.25", "25%";
    Period = "a time with its unit (us, ms, s, m, h, d)", "10s";
    ByteCount = "a size, with a unit (KiB, MiB, GiB) or in bytes", "64KiB";
    Rate = "a number in a time (s, m, h)", "100/s";
}

impl Decode for Anything {
    fn wanted() -> Wanted {
        Wanted::new("anything", "…")
    }

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        json(node, decoder).map(Self)
    }
}

/// The node as JSON, with numbers and words as YAML's core schema has them.
fn json(node: &Node, decoder: &mut Decoder<'_>) -> Option<serde_json::Value> {
    Some(match &node.value {
        Value::Unset => return None,
        Value::Null => serde_json::Value::Null,
        Value::Scalar(scalar) => json_scalar(scalar),
        Value::List(items) => serde_json::Value::Array(
            items
                .iter()
                .map(|item| json(item, decoder))
                .collect::<Option<_>>()?,
        ),
        Value::Map(entries) => {
            super::fields::report_repeated(entries, decoder);
            let fields = entries
                .iter()
                .map(|entry| Some((entry.key.clone(), json(&entry.node, decoder)?)));
            serde_json::Value::Object(fields.collect::<Option<_>>()?)
        }
    })
}

fn json_scalar(scalar: &Scalar) -> serde_json::Value {
    let number = || scalar.text.parse().ok().map(serde_json::Value::Number);
    match scalar.text.as_str() {
        text if scalar.is_quoted() => text.into(),
        "true" => true.into(),
        "false" => false.into(),
        text => number().unwrap_or_else(|| text.into()),
    }
}
