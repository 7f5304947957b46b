//! The arguments of a statistic: read strictly, and each refused by its name.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Why arguments are refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    /// Standard input held nothing.
    #[error("nothing to compute: write one JSON object of arguments to standard input")]
    Nothing,
    /// No JSON.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A missing or an unknown argument, or one of another type.
    #[error("{}{what}{}", prefix(.argument), hint(.what))]
    Shape { argument: String, what: String },
    /// The value of an argument makes no sense.
    #[error("{argument}: {found}, want {wanted}")]
    Value {
        argument: String,
        found: String,
        wanted: &'static str,
    },
}

impl Wrong {
    pub(super) fn value(
        argument: impl Into<String>,
        found: impl std::fmt::Display,
        wanted: &'static str,
    ) -> Self {
        Self::Value {
            argument: argument.into(),
            found: found.to_string(),
            wanted,
        }
    }
}

/// The place of the wrong argument; none for the object of all arguments.
fn prefix(argument: &str) -> String {
    match argument {
        "." => String::new(),
        argument => format!("{argument}: "),
    }
}

/// What a misspelled name may have meant. Serde quotes the unknown name first and then all known ones.
fn hint(what: &str) -> String {
    let mut quoted = what.split('`').skip(1).step_by(2);
    let (Some(name), true) = (quoted.next(), what.starts_with("unknown ")) else {
        return String::new();
    };
    let distance = |known: &&str| strsim::damerau_levenshtein(name, known);
    let nearest = quoted.min_by_key(distance);
    nearest.map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

/// The arguments of one method.
pub(super) fn read<T: DeserializeOwned>(input: Value) -> Result<T, Wrong> {
    if !input.is_object() {
        return Err(Wrong::value("input", input, "a JSON object"));
    }
    serde_path_to_error::deserialize(input).map_err(|refused| Wrong::Shape {
        argument: refused.path().to_string(),
        what: refused.into_inner().to_string(),
    })
}

/// How many: other software writes whole numbers with a point, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count(pub(super) u64);

/// The largest count: to here, every whole number has a double of its own.
const COUNT_MAX: f64 = 9_007_199_254_740_992.0;

impl<'de> Deserialize<'de> for Count {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number from 0 to 2⁵³"
    )]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let is_count =
            number.fract().abs() < f64::MIN_POSITIVE && (0.0..=COUNT_MAX).contains(&number);
        is_count
            .then_some(Self(number as u64))
            .ok_or_else(|| D::Error::custom(format!("{number} is no count")))
    }
}

/// A number between 0 and 1, neither of them.
pub(super) fn between_0_and_1(argument: &str, value: f64) -> Result<f64, Wrong> {
    if value > 0.0 && value < 1.0 {
        Ok(value)
    } else {
        Err(Wrong::value(argument, value, "more than 0 and less than 1"))
    }
}

/// A number above 0.
pub(super) fn positive(argument: &str, value: f64) -> Result<f64, Wrong> {
    if value > 0.0 {
        Ok(value)
    } else {
        Err(Wrong::value(argument, value, "more than 0"))
    }
}

/// How many observations a prior is worth. One that outweighs every count would drown it in rounding.
pub(super) fn prior(argument: &str, value: f64) -> Result<f64, Wrong> {
    /// Beyond the largest samples that e-values are tested with.
    const PRIOR_MAX: f64 = 1e9;
    if value > 0.0 && value <= PRIOR_MAX {
        Ok(value)
    } else {
        Err(Wrong::value(argument, value, "more than 0 and at most 10⁹"))
    }
}

/// A number whose square, and the sum of many of them, is still a number.
pub(super) fn moderate(argument: impl Into<String>, value: f64) -> Result<f64, Wrong> {
    const MODERATE_MAX: f64 = 1e100;
    if value.abs() <= MODERATE_MAX {
        Ok(value)
    } else {
        Err(Wrong::value(
            argument,
            value,
            "a number from −10¹⁰⁰ to 10¹⁰⁰",
        ))
    }
}
