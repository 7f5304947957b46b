//! Who is called what, and whether anyone asks for them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use config::{Document, Path, code};

use super::Report;

/// How different a name may be from a known one to be taken for a slip of the pen.
const NEAR: f64 = 0.6;

/// The longest name: it becomes a header value and a metric label.
const LENGTH_MAX: usize = 128;

/// All names that other parts of the document refer to.
pub(super) struct Names<'a> {
    pub(super) listeners: Directory<'a>,
    pub(super) upstreams: Directory<'a>,
    pub(super) experiments: Directory<'a>,
    pub(super) models: Versions<'a>,
    pub(super) signers: Directory<'a>,
}

impl<'a> Names<'a> {
    pub(super) fn collect(document: &'a Document, report: &mut Report<'_>) -> Self {
        let listeners = document.listeners.iter().map(|listener| &*listener.name);
        let upstreams = document.upstreams.iter().map(|upstream| &*upstream.name);
        let experiments = document
            .experiments
            .iter()
            .map(|experiment| &*experiment.name);
        let signers = document.signers.iter().map(|signer| &*signer.name);
        // Nothing refers to a route, but logs and metrics tell routes apart by name.
        let routes = document.routes.iter().map(|route| &*route.name);
        Directory::collect("route", &Path::root().field("routes"), routes, report);
        Self {
            listeners: Directory::collect(
                "listener",
                &Path::root().field("listeners"),
                listeners,
                report,
            ),
            upstreams: Directory::collect(
                "upstream",
                &Path::root().field("upstreams"),
                upstreams,
                report,
            ),
            experiments: Directory::collect(
                "experiment",
                &Path::root().field("experiments"),
                experiments,
                report,
            ),
            models: Versions::collect(document, report),
            signers: Directory::collect("signer", &Path::root().field("signers"), signers, report),
        }
    }

    /// Warns of what no route leads to.
    pub(super) fn warn_unused(&self, report: &mut Report<'_>) {
        self.upstreams.warn_unused(report);
        self.experiments.warn_unused(report);
        self.models.warn_unused(report);
    }
}

/// The names of one list.
pub(super) struct Directory<'a> {
    kind: &'static str,
    section: Path,
    positions: BTreeMap<&'a str, usize>,
    used: BTreeSet<usize>,
}

impl<'a> Directory<'a> {
    /// Reads the names of a list, refusing those that cannot be used and those used before.
    pub(super) fn collect(
        kind: &'static str,
        section: &Path,
        names: impl Iterator<Item = &'a str>,
        report: &mut Report<'_>,
    ) -> Self {
        let mut positions = BTreeMap::new();
        for (position, name) in names.enumerate() {
            let path = section.index(position).field("name");
            check(kind, name, &path, report);
            if let Some(&earlier) = positions.get(name) {
                let message = format!("{kind} {name} is already {}", section.index(earlier));
                report.error(
                    code::DUPLICATE_NAME,
                    &path,
                    message,
                    "give one of them another name",
                );
            } else {
                positions.insert(name, position);
            }
        }
        Self {
            kind,
            section: section.clone(),
            positions,
            used: BTreeSet::new(),
        }
    }

    /// The position of a name that something at `path` refers to.
    pub(super) fn find(
        &mut self,
        name: &str,
        path: &Path,
        report: &mut Report<'_>,
    ) -> Option<usize> {
        let position = self.positions.get(name).copied();
        match position {
            Some(position) => {
                self.used.insert(position);
            }
            None => unknown(
                self.kind,
                name,
                self.positions.keys().copied(),
                path,
                report,
            ),
        }
        position
    }

    fn warn_unused(&self, report: &mut Report<'_>) {
        for (name, position) in &self.positions {
            if !self.used.contains(position) {
                unused(self.kind, name, &self.section.index(*position), report);
            }
        }
    }
}

/// The inline models, each with its versions.
pub(super) struct Versions<'a> {
    models: BTreeMap<&'a str, Vec<(&'a str, usize)>>,
    used: BTreeSet<usize>,
}

impl<'a> Versions<'a> {
    fn collect(document: &'a Document, report: &mut Report<'_>) -> Self {
        let mut models: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
        for (position, model) in document.models.iter().enumerate() {
            let path = Path::root().field("models").index(position);
            let version = super::model::version(model);
            check("model", &model.name, &path.field("name"), report);
            check("version", version, &path.field("version"), report);
            let versions = models.entry(&model.name).or_default();
            if versions.iter().any(|&(known, _)| known == version) {
                let message = format!("model {} has two versions {version}", model.name);
                report.error(
                    code::DUPLICATE_NAME,
                    &path,
                    message,
                    "give one of them another `version`",
                );
            }
            versions.push((version, position));
        }
        Self {
            models,
            used: BTreeSet::new(),
        }
    }

    /// The position of a model that `backend` refers to, the newest if no version is named.
    pub(super) fn find(
        &mut self,
        name: &str,
        version: Option<&str>,
        backend: &Path,
        report: &mut Report<'_>,
    ) -> Option<usize> {
        let Some(versions) = self.models.get(name) else {
            unknown(
                "model",
                name,
                self.models.keys().copied(),
                &backend.field("model"),
                report,
            );
            return None;
        };
        let found = match version {
            Some(version) => versions.iter().find(|&&(known, _)| known == version),
            None => versions
                .iter()
                .max_by(|(one, _), (two, _)| by_age(one, two)),
        };
        match (found, version) {
            (None, Some(version)) => {
                let known = versions.iter().map(|&(known, _)| known);
                unknown("version", version, known, &backend.field("version"), report);
            }
            (None, None) => {}
            (Some(&(_, position)), _) => {
                self.used.insert(position);
            }
        }
        found.map(|&(_, position)| position)
    }

    fn warn_unused(&self, report: &mut Report<'_>) {
        for (name, versions) in &self.models {
            for (version, position) in versions {
                if !self.used.contains(position) {
                    let name = format!("{name} version {version}");
                    unused(
                        "model",
                        &name,
                        &Path::root().field("models").index(*position),
                        report,
                    );
                }
            }
        }
    }
}

/// Orders versions such as `2`, `10` and `1.4.0` by their numbers, others as text.
fn by_age(one: &str, two: &str) -> Ordering {
    let numbers = |version: &str| {
        version
            .split('.')
            .map(|part| part.parse::<u64>().ok())
            .collect::<Option<Vec<_>>>()
    };
    match (numbers(one), numbers(two)) {
        (Some(numbers), Some(others)) => numbers.cmp(&others),
        _ => one.cmp(two),
    }
}

/// Refuses a name that a header, a metric or a path could not carry.
pub(super) fn check(kind: &str, name: &str, path: &Path, report: &mut Report<'_>) {
    let carried = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:@+".contains(&byte);
    if name.is_empty() || name.len() > LENGTH_MAX || !name.bytes().all(carried) {
        let message = format!("{name:?} cannot name a {kind}");
        let remedy = format!("use 1 to {LENGTH_MAX} letters, digits and `. _ - : @ +`");
        report.error(code::BAD_NAME, path, message, remedy);
    }
}

pub(super) fn unknown<'a>(
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
    path: &Path,
    report: &mut Report<'_>,
) {
    let distance = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    let (near, known): (Vec<_>, Vec<_>) = known.partition(|known| distance(known) >= NEAR);
    let nearest = near
        .into_iter()
        .max_by(|one, two| distance(one).total_cmp(&distance(two)));
    let remedy = match (nearest, known.first()) {
        (Some(nearest), _) => format!("did you mean {nearest}?"),
        (None, Some(_)) => format!("known are: {}", known.join(", ")),
        (None, None) => format!("add a {kind} of that name"),
    };
    report.error(
        code::UNKNOWN_NAME,
        path,
        format!("there is no {kind} {name}"),
        remedy,
    );
}

fn unused(kind: &str, name: &str, path: &Path, report: &mut Report<'_>) {
    let message = format!("no route leads to {kind} {name}");
    report.warning(
        code::UNUSED,
        path,
        message,
        "use it as a backend, or remove it",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        assert_eq!(by_age("9", "10"), Ordering::Less);
        assert_eq!(by_age("1.4", "1.4.1"), Ordering::Less);
        assert_eq!(by_age("2024-b", "2024-a"), Ordering::Greater);
    }
}
