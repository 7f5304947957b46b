//! Values with a unit, as the document spells them: `5%`, `250ms`, `1MiB`, `100/s`.

mod bytes;
mod period;
mod rate;
mod share;

pub use bytes::ByteCount;
pub use period::Period;
pub use rate::Rate;
pub use share::{Ratio, Share};

/// A text that is not the value it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {wanted}")]
pub struct Malformed {
    /// What it should be, with an example.
    pub wanted: &'static str,
}

/// Splits `250ms` into `250` and `ms`.
fn number_and_unit(text: &str) -> (&str, &str) {
    let unit = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    text.split_at(unit)
}

/// A number of digits with at most one point; what Rust also reads, such as `inf`, `+1` or `1e5`, is refused.
fn decimal(digits: &str) -> Option<f64> {
    let is_decimal = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    is_decimal
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|number: &f64| number.is_finite())
}

/// Gives a type the schema of a text with a pattern, or of a number where `number` says which.
macro_rules! spelled {
    ($kind:ident, $about:literal, $pattern:literal $(, $number:tt)?) => {
        impl schemars::JsonSchema for $kind {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($kind).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": $about,
                    "anyOf": [{ "type": "string", "pattern": $pattern } $(, $number)?],
                })
            }
        }
    };
}
use spelled;
