//! The fields of one map: each known one is taken once, each other one is a problem.

use super::hint::{self, shown};
use super::{Decode, Decoder, Wanted};
use crate::code;
use crate::tree::{Entry, Node, Value};
use std::collections::BTreeMap;

/// The fields of a map, while a type is read from it.
pub(crate) struct Fields<'n, 'd, 'a> {
    node: &'n Node,
    entries: &'n [Entry],
    decoder: &'d mut Decoder<'a>,
}

impl<'n, 'd, 'a> Fields<'n, 'd, 'a> {
    /// Opens the map at `node`, reporting fields that are not `known` or there twice.
    pub(crate) fn open(
        node: &'n Node,
        known: &[&str],
        decoder: &'d mut Decoder<'a>,
    ) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            report_not_a_map(node, known, decoder);
            return None;
        };
        for entry in entries
            .iter()
            .filter(|entry| !known.contains(&entry.key.as_str()))
        {
            report_unknown(entry, known, decoder);
        }
        report_repeated(entries, decoder);
        Some(Self {
            node,
            entries,
            decoder,
        })
    }

    /// Reads the field `name`. A field without a value counts as absent.
    pub(crate) fn take<T: Decode>(&mut self, name: &str, required: bool) -> Option<T> {
        let written = self.entries.iter().find(|entry| entry.key == name);
        match (written, T::absent()) {
            (Some(entry), _) if entry.node.value != Value::Null => {
                self.decoder.field(name, &entry.node)
            }
            (_, Some(absent)) if !required => Some(absent),
            _ => {
                self.report_missing(name, T::WANTED);
                None
            }
        }
    }

    fn report_missing(&mut self, name: &str, wanted: Wanted) {
        let place = self.node.place;
        let Wanted { what, example } = wanted;
        self.decoder.inside_field(name, |decoder| {
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
    let found = node.value.describe();
    decoder.report(
        code::WRONG_TYPE,
        node.place,
        format!("found {found}, want a map"),
        format!("its fields are {}", hint::list(known)),
    );
}

fn report_unknown(entry: &Entry, known: &[&str], decoder: &mut Decoder<'_>) {
    let name = shown(&entry.key);
    let remedy = hint::instead(&entry.key, known);
    decoder.report(
        code::UNKNOWN_FIELD,
        entry.place,
        format!("unknown field `{name}`"),
        remedy,
    );
}

/// Reports every field that is written again in the same map.
pub(crate) fn report_repeated(entries: &[Entry], decoder: &mut Decoder<'_>) {
    let mut first = BTreeMap::new();
    for entry in entries {
        if let Some(line) = first.get(entry.key.as_str()) {
            let name = shown(&entry.key);
            decoder.report(
                code::DUPLICATE_FIELD,
                entry.place,
                format!("field `{name}` is there already, in line {line}"),
                format!("keep one `{name}`"),
            );
        } else {
            first.insert(entry.key.as_str(), entry.place.line);
        }
    }
}
