//! The fields of one map: each known one is taken once, each other one is a problem.

use super::hint::{self, shown};
use super::{Decode, Decoder, PROBLEMS_MAX, Wanted};
use crate::code;
use crate::tree::{Entry, Node, Value};
use std::collections::BTreeMap;

/// One field that a type has.
pub(crate) struct Field {
    /// Its name in the document.
    pub(crate) name: &'static str,
    /// Whether it must be written.
    pub(crate) required: bool,
    wanted: fn() -> Wanted,
}

impl Field {
    /// A field for a `T`, called `ident` in Rust. It must be written if that is said, or if `T`
    /// has no value for being absent.
    pub(crate) fn of<T: Decode>(ident: &'static str, required: bool) -> Self {
        Self {
            name: spelled(ident),
            required: required || T::absent().is_none(),
            wanted: T::wanted,
        }
    }
}

/// A field's name as the document spells it: `match` for `r#match`.
fn spelled(ident: &str) -> &str {
    ident.trim_start_matches("r#")
}

/// What a map with these fields looks like: the required ones, each with its own example.
pub(crate) fn map_of(fields: &[Field]) -> Wanted {
    let required = fields.iter().filter(|field| field.required);
    let written = required.map(|field| format!("{}: {}", field.name, (field.wanted)().example));
    match written.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => Wanted::new("a map", "{ … }"),
        written => Wanted::new("a map", format!("{{ {written} }}")),
    }
}

/// The fields of a map, while a type is read from it.
pub(crate) struct Fields<'n, 'd, 'a> {
    node: &'n Node,
    entries: &'n [Entry],
    known: Vec<Field>,
    decoder: &'d mut Decoder<'a>,
}

impl<'n, 'd, 'a> Fields<'n, 'd, 'a> {
    /// Opens the map at `node`, reporting fields that are not `known` or there twice.
    pub(crate) fn open(
        node: &'n Node,
        known: Vec<Field>,
        decoder: &'d mut Decoder<'a>,
    ) -> Option<Self> {
        let names: Vec<_> = known.iter().map(|field| field.name).collect();
        let Value::Map(entries) = &node.value else {
            report_not_a_map(node, &names, decoder);
            return None;
        };
        let unknown = entries
            .iter()
            .filter(|entry| !names.contains(&entry.key.as_str()));
        for entry in unknown.take(PROBLEMS_MAX) {
            report_unknown(entry, &names, decoder);
        }
        report_repeated(entries, decoder);
        Some(Self {
            node,
            entries,
            known,
            decoder,
        })
    }

    /// Reads the field called `ident` in Rust. A field without a value counts as absent.
    pub(crate) fn take<T: Decode>(&mut self, ident: &str) -> Option<T> {
        let name = spelled(ident);
        let written = self.entries.iter().find(|entry| entry.key == name);
        if let Some(entry) = written.filter(|entry| entry.node.value != Value::Null) {
            return self.decoder.field(name, &entry.node);
        }
        let required = self
            .known
            .iter()
            .any(|field| field.name == name && field.required);
        if required {
            self.report_missing::<T>(name);
            return None;
        }
        T::absent()
    }

    fn report_missing<T: Decode>(&mut self, name: &str) {
        let place = self.node.place;
        self.decoder.inside_field(name, |decoder| {
            let Wanted { what, example } = T::wanted();
            let remedy = format!("add `{name}: {example}`");
            decoder.report(
                code::MISSING_FIELD,
                place,
                format!("missing, want {what}"),
                remedy,
            );
        });
    }
}

fn report_not_a_map(node: &Node, known: &[&str], decoder: &mut Decoder<'_>) {
    let message = format!("found {}, want a map", node.value.describe());
    let remedy = format!("its fields are {}", hint::list(known));
    decoder.report(code::WRONG_TYPE, node.place, message, remedy);
}

fn report_unknown(entry: &Entry, known: &[&str], decoder: &mut Decoder<'_>) {
    let message = format!("unknown field `{}`", shown(&entry.key));
    let remedy = hint::instead(&entry.key, known);
    decoder.report(code::UNKNOWN_FIELD, entry.place, message, remedy);
}

/// Reports every field that is written again in the same map.
pub(crate) fn report_repeated(entries: &[Entry], decoder: &mut Decoder<'_>) {
    let mut first = BTreeMap::new();
    for entry in entries {
        if let Some(line) = first.get(entry.key.as_str()) {
            let name = shown(&entry.key);
            let message = format!("field `{name}` is there already, in line {line}");
            let remedy = format!("keep one `{name}`");
            decoder.report(code::DUPLICATE_FIELD, entry.place, message, remedy);
        } else {
            first.insert(entry.key.as_str(), entry.place.line);
        }
    }
}
