//! Routes by path, and within one path by header.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use http::header::{HeaderMap, HeaderName};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{PathPattern, Pattern};
use crate::route::{HeaderPattern, Subject, ValuePattern};

/// A map with a fixed hash. Only the operator's words are its keys, so nobody can crowd it.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Words>>;

/// The routes of one host. Nodes lie in one list, so that a long path is no deep recursion.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
}

/// What lies at one path.
#[derive(Debug, Default)]
struct Node {
    children: Map<Box<str>, usize>,
    /// Routes for exactly this path.
    here: Shelf,
    /// Routes for this path and all below it.
    below: Shelf,
}

const ROOT: usize = 0;

impl Default for Tree {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
        }
    }
}

impl Tree {
    /// Files one route; ids come in ascending order.
    pub(super) fn file(&mut self, id: usize, pattern: &Pattern) {
        let headers = &pattern.headers;
        match &pattern.path {
            PathPattern::Any => self.file_below("", id, headers),
            PathPattern::Prefix(prefix) => self.file_below(prefix, id, headers),
            PathPattern::Exact(exact) => {
                if let Some(node) = self.node(exact) {
                    node.here.file(id, headers);
                }
            }
            PathPattern::Regex(expression) => {
                for beginning in expression.beginnings() {
                    self.file_below(beginning, id, headers);
                }
            }
        }
    }

    fn file_below(&mut self, path: &str, id: usize, headers: &[HeaderPattern]) {
        if let Some(node) = self.node(path) {
            node.below.file(id, headers);
        }
    }

    /// Hands on every list of routes that the request could take.
    pub(super) fn visit(&self, subject: &Subject<'_>, ask: &mut impl FnMut(&[usize])) {
        let Some(mut node) = self.nodes.get(ROOT) else {
            return;
        };
        node.below.visit(subject.headers, ask);
        let Some(path) = subject.path.strip_prefix('/') else {
            return;
        };
        for segment in path.split('/') {
            let child = node
                .children
                .get(segment)
                .and_then(|&child| self.nodes.get(child));
            let Some(child) = child else { return };
            node = child;
            node.below.visit(subject.headers, ask);
        }
        node.here.visit(subject.headers, ask);
    }

    /// The node of a path, made if need be; the empty path is the root.
    fn node(&mut self, path: &str) -> Option<&mut Node> {
        let mut at = ROOT;
        for segment in path.split('/').skip(1) {
            let fresh = self.nodes.len();
            at = *self
                .nodes
                .get_mut(at)?
                .children
                .entry(segment.into())
                .or_insert(fresh);
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        self.nodes.get_mut(at)
    }
}

/// Routes of one path, in order.
#[derive(Debug, Default)]
struct Shelf {
    /// Those without a header condition to file them by.
    plain: Vec<usize>,
    keyed: Vec<Keyed>,
}

/// Routes that want one of certain values of this header, by value.
#[derive(Debug)]
struct Keyed {
    header: HeaderName,
    values: Map<Box<[u8]>, Vec<usize>>,
}

impl Shelf {
    fn file(&mut self, id: usize, headers: &[HeaderPattern]) {
        let key = headers.iter().find_map(|header| match &header.value {
            ValuePattern::OneOf(values) => Some((&header.name, values)),
            ValuePattern::Prefix(_) | ValuePattern::Contains(_) => None,
        });
        let Some((name, values)) = key else {
            self.plain.push(id);
            return;
        };
        let keyed = self.keyed(name);
        for value in values {
            keyed
                .values
                .entry(value.as_bytes().into())
                .or_default()
                .push(id);
        }
    }

    fn visit(&self, headers: &HeaderMap, ask: &mut impl FnMut(&[usize])) {
        ask(&self.plain);
        for Keyed { header, values } in &self.keyed {
            for value in headers.get_all(header) {
                ask(values.get(value.as_bytes()).map_or(&[], Vec::as_slice));
            }
        }
    }

    fn keyed(&mut self, name: &HeaderName) -> &mut Keyed {
        let known = self.keyed.iter().position(|keyed| keyed.header == *name);
        let at = known.unwrap_or_else(|| {
            self.keyed.push(Keyed {
                header: name.clone(),
                values: Map::default(),
            });
            self.keyed.len() - 1
        });
        &mut self.keyed[at]
    }
}

/// Hashes the words of a document.
#[derive(Default)]
pub(super) struct Words(u64);

impl Hasher for Words {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The byte that closes a text: maps of one key type need no border.
    fn write_u8(&mut self, _: u8) {}

    /// The length that opens a list of bytes, likewise.
    fn write_usize(&mut self, _: usize) {}
}
