//! Values without parts: text, numbers, yes or no, files, and values with a unit.

use super::{Decode, Decoder, Wanted};
use crate::code;
use crate::document::Anything;
use crate::tree::{Node, Scalar, Value};
use crate::value::{ByteCount, Period, Rate, Ratio, Share};
use std::path::PathBuf;

/// Any scalar is text as it is spelled: `1.10` stays `1.10`, and `no` stays `no`.
impl Decode for String {
    const WANTED: Wanted = Wanted {
        what: "text",
        example: "…",
    };

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(scalar.text.clone()),
            _ => {
                decoder.mismatch(node, Self::WANTED);
                None
            }
        }
    }
}

impl Decode for PathBuf {
    const WANTED: Wanted = Wanted {
        what: "a file",
        example: "folder/file",
    };

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let file = match &node.value {
            Value::Scalar(scalar) if !scalar.text.is_empty() => &scalar.text,
            _ => {
                decoder.mismatch(node, Self::WANTED);
                return None;
            }
        };
        Some(decoder.base.join(file))
    }
}

impl Decode for bool {
    const WANTED: Wanted = Wanted {
        what: "`true` or `false`",
        example: "true",
    };

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        match unquoted(node) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                decoder.mismatch(node, Self::WANTED);
                None
            }
        }
    }
}

/// Reads the listed unsigned integers.
macro_rules! whole {
    ($($kind:ident = $what:literal),*) => {
        $(impl Decode for $kind {
            const WANTED: Wanted = Wanted { what: $what, example: "10" };

            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                let number = unquoted(node).and_then(|text| text.parse().ok());
                if number.is_none() {
                    report_number(node, Self::WANTED, decoder);
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
    const WANTED: Wanted = Wanted {
        what: "a number that is not negative",
        example: "0.5",
    };

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let number = unquoted(node)
            .and_then(|text| text.parse().ok())
            .filter(|number: &Self| number.is_finite() && !number.is_sign_negative());
        if number.is_none() {
            report_number(node, Self::WANTED, decoder);
        }
        number
    }
}

/// Tells a number of the wrong size from what is no number at all.
fn report_number(node: &Node, wanted: Wanted, decoder: &mut Decoder<'_>) {
    let is_number = unquoted(node).is_some_and(|text| text.parse::<f64>().is_ok());
    if is_number {
        let (found, Wanted { what, example }) = (node.value.describe(), wanted);
        decoder.report(
            code::OUT_OF_RANGE,
            node.place,
            format!("found {found}, want {what}"),
            format!("write it like `{example}`"),
        );
    } else {
        decoder.mismatch(node, wanted);
    }
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
            const WANTED: Wanted = Wanted { what: $what, example: $example };

            fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
                let value = match &node.value {
                    Value::Scalar(scalar) => scalar.text.parse().ok(),
                    _ => None,
                };
                if value.is_none() {
                    decoder.mismatch(node, Self::WANTED);
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
    const WANTED: Wanted = Wanted {
        what: "anything",
        example: "…",
    };

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
