//! `${VARIABLE}` and `${VARIABLE:-default}` in values.
//!
//! They are replaced after the YAML is read, inside one scalar at a time, so that no value of a
//! variable can add a field or break the document. Keys are left alone. `$${` stands for `${`.

use crate::code;
use crate::decode::{Decoder, shown};
use crate::tree::{Node, Origin, Scalar, TEXT_BYTES_MAX, Value};

/// Gives the value of a variable, if it is set.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Replaces the variables in every value of the tree, reporting each that cannot be.
pub(crate) fn substitute(tree: &mut Node, environment: Environment<'_>, decoder: &mut Decoder<'_>) {
    Substitution {
        environment,
        bytes_left: TEXT_BYTES_MAX,
    }
    .walk(tree, decoder);
}

struct Substitution<'e> {
    environment: Environment<'e>,
    /// A short document may name a long variable many times: all of them together get one limit.
    bytes_left: usize,
}

impl Substitution<'_> {
    fn walk(&mut self, node: &mut Node, decoder: &mut Decoder<'_>) {
        match &mut node.value {
            Value::Scalar(scalar) if scalar.text.contains("${") => {
                match self.expand(&scalar.text) {
                    Ok(text) => {
                        *scalar = Scalar {
                            text,
                            origin: Origin::Variable,
                        }
                    }
                    Err(unset) => {
                        let (message, remedy) = unset.explain();
                        decoder.report(code::UNSET_VARIABLE, node.place, message, remedy);
                        node.value = Value::Unset;
                    }
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    decoder.inside_item(index, |decoder| self.walk(item, decoder));
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    decoder.inside_field(&entry.key, |decoder| self.walk(&mut entry.node, decoder));
                }
            }
            Value::Null | Value::Unset | Value::Scalar(_) => {}
        }
    }

    fn expand(&mut self, text: &str) -> Result<String, Unset> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            if let Some(escaped) = before.strip_suffix('$') {
                expanded.push_str(escaped);
                expanded.push_str("${");
                rest = after;
                continue;
            }
            let (reference, behind) = after.split_once('}').ok_or(Unset::Unclosed)?;
            expanded.push_str(before);
            expanded.push_str(&self.value(reference)?);
            rest = behind;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn value(&mut self, reference: &str) -> Result<String, Unset> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            return Err(Unset::NotAName(shown(name)));
        }
        // As in a shell, `:-` also stands in for a variable that is set to nothing.
        let set = (self.environment)(name).filter(|value| default.is_none() || !value.is_empty());
        let value = set
            .or_else(|| default.map(str::to_owned))
            .ok_or_else(|| Unset::Missing(shown(name)))?;
        self.bytes_left = self
            .bytes_left
            .checked_sub(value.len())
            .ok_or(Unset::TooLong)?;
        Ok(value)
    }
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name
            .chars()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
}

/// Why a variable cannot be replaced.
enum Unset {
    Missing(String),
    NotAName(String),
    Unclosed,
    TooLong,
}

impl Unset {
    /// The message and the remedy.
    fn explain(&self) -> (String, String) {
        match self {
            Self::Missing(name) => (
                format!("variable `{name}` is not set"),
                format!("set `{name}`, or give a default: `${{{name}:-…}}`"),
            ),
            Self::NotAName(name) => (
                format!("`{name}` is not the name of a variable"),
                "use letters, digits and `_`, or write `$${` for a literal `${`".to_owned(),
            ),
            Self::Unclosed => (
                "`${` without its `}`".to_owned(),
                "close it, or write `$${` for a literal `${`".to_owned(),
            ),
            Self::TooLong => (
                format!("the variables of this document hold more than {TEXT_BYTES_MAX} bytes"),
                "keep large values in files".to_owned(),
            ),
        }
    }
}
