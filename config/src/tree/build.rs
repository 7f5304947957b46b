//! From serde's callbacks to the tree.
//!
//! `serde-saphyr` hands over plain scalars as numbers and words; only their kind is taken from it,
//! their spelling comes from the text itself.

use super::{Entry, Node, Origin, Scalar, Value};
use crate::Place;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// A value as serde sees it, before spellings are looked up.
pub(super) enum Raw {
    Null,
    Plain,
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Self>, Spanned<Self>)>),
}

/// What YAML can say and this tree cannot.
pub(super) enum Odd {
    /// A map's key that is not text.
    Key(Place),
    /// A number whose spelling is not to be found in the text.
    Number(Place),
}

/// Builds the tree of `raw`, which was read from `text`.
pub(super) fn build(raw: Spanned<Raw>, text: &str) -> Result<Node, Odd> {
    let place = place(&raw.referenced);
    let value = match raw.value {
        Raw::Null => Value::Null,
        Raw::Plain => Value::Scalar(plain(&raw.defined, text).ok_or(Odd::Number(place))?),
        Raw::Text(spelled) => Value::Scalar(Scalar {
            text: spelled,
            origin: Origin::Quoted,
        }),
        Raw::List(items) => Value::List(
            items
                .into_iter()
                .map(|item| build(item, text))
                .collect::<Result<_, _>>()?,
        ),
        Raw::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| entry(key, value, text))
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Node { place, value })
}

fn entry(key: Spanned<Raw>, value: Spanned<Raw>, text: &str) -> Result<Entry, Odd> {
    let key = build(key, text)?;
    let Value::Scalar(Scalar { text: name, .. }) = key.value else {
        return Err(Odd::Key(key.place));
    };
    let mut node = build(value, text)?;
    if matches!(node.value, Value::List(_) | Value::Map(_) | Value::Null) {
        node.place = key.place;
    }
    Ok(Entry {
        key: name,
        place: key.place,
        node,
    })
}

fn plain(location: &Location, text: &str) -> Option<Scalar> {
    let span = location.span();
    let begin = usize::try_from(span.byte_offset()?).ok()?;
    let end = begin.checked_add(usize::try_from(span.byte_len()?).ok()?)?;
    Some(Scalar {
        text: text.get(begin..end)?.trim().to_owned(),
        origin: Origin::Plain,
    })
}

pub(super) fn place(location: &Location) -> Place {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX).max(1);
    Place {
        line: number(location.line()),
        column: number(location.column()),
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
