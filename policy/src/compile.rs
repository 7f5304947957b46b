//! The one way from a document to a policy.
//!
//! Every struct of the document is taken apart field by field, so a new field does not compile
//! until it is used here or refused.

mod admin;
mod allow;
mod audience;
mod authorization;
mod backend;
mod experiment;
mod introduction;
mod listener;
mod metric;
mod model;
mod names;
mod origin;
mod pattern;
mod prices;
mod provable;
mod ramp;
mod rate;
mod report;
mod retry;
mod rewrite;
mod route;
mod shadow;
mod tls;
mod token;
mod upstream;
mod watch;
mod webhook;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use config::document::{self, Document, Telemetry};
use config::{Path, Problems, code};

use listener::{Addresses, UNIX_BYTES_MAX};
use names::Names;
use report::Report;

use crate::route::Table;
use crate::{Audit, Drain, Experiment, Policy, Shadow, Target, canonical};

/// Compiles a document, reporting every problem in it rather than the first.
///
/// # Errors
/// When a problem is an error; the warnings are among the problems then.
pub fn compile(document: &Document) -> Result<Policy, Problems> {
    let Document {
        version: _, // `config` reads no other than the one there is
        admin,
        store,
        workers,
        listeners,
        tokens,
        upstreams,
        models,
        signers: _,           // read by models
        require_signature: _, // read by models
        routes,
        experiments,
        zone: _, // read by endpoints and audiences
        dns,
        drain,
        upgrade,
        audit,
        events,
        telemetry,
        places: _,
    } = document;
    let mut scope = Scope::new(document);
    self::telemetry(&mut scope.report, telemetry.as_ref());
    let admin = admin::compile(&mut scope, admin.as_ref());
    let workers = self::workers(&mut scope.report, *workers);
    let listeners = list(&mut scope, "listeners", listeners, listener::compile);
    let issuers = list(&mut scope, "tokens", tokens, token::compile);
    let drain = self::drain(&mut scope.report, drain.as_ref());
    let upgrade_socket = self::upgrade(&mut scope.report, upgrade.as_ref(), store.as_ref());
    let audit = self::audit(&mut scope.report, audit.as_ref(), store.as_ref());
    let webhooks = webhook::compile(&mut scope.report, events.as_ref());
    let dns_servers = upstream::dns_servers(&mut scope.report, dns.as_ref());
    let upstreams = list(&mut scope, "upstreams", upstreams, upstream::compile);
    let models = list(&mut scope, "models", models, model::compile);
    let experiments = list(&mut scope, "experiments", experiments, experiment::compile);
    audience::layers(&mut scope.report, &experiments);
    let routes = self::routes(&mut scope, routes, &experiments);
    let warnings = scope.finish(&routes)?;
    Ok(Policy {
        hash: format!("{:032x}", canonical::hash(document)),
        document: Arc::new(document.clone()),
        warnings,
        admin,
        store: store.as_ref().map(|store| store.path.clone()),
        workers,
        listeners,
        issuers,
        upstreams,
        models: models.into_iter().map(Arc::new).collect(),
        asks_for_models: routes.iter().any(crate::Route::asks_for_model),
        table: Table::new(routes.iter().map(|route| &route.pattern)),
        routes,
        experiments,
        dns_servers,
        drain,
        upgrade_socket,
        audit,
        webhooks,
    })
}

/// What the parts of a compilation share.
struct Scope<'a> {
    document: &'a Document,
    report: Report<'a>,
    names: Names<'a>,
    addresses: Addresses,
}

impl<'a> Scope<'a> {
    fn new(document: &'a Document) -> Self {
        let mut report = Report::new(&document.places);
        let names = Names::collect(document, &mut report);
        for (section, empty) in [
            ("listeners", document.listeners.is_empty()),
            ("routes", document.routes.is_empty()),
        ] {
            if empty {
                let message = format!("without {section} nothing is served");
                report.error(
                    code::NOTHING_THERE,
                    &Path::root().field(section),
                    message,
                    "add at least one",
                );
            }
        }
        Self {
            document,
            report,
            names,
            addresses: Addresses::default(),
        }
    }

    /// Looks at the whole, and gives the warnings if there is nothing worse.
    fn finish(self, routes: &[crate::Route]) -> Result<Problems, Problems> {
        let Self {
            document: _,
            mut report,
            names,
            addresses: _,
        } = self;
        route::warn_unreachable(&mut report, routes);
        names.warn_unused(&mut report);
        let problems = report.finish();
        if problems.is_refused() {
            Err(problems)
        } else {
            Ok(problems)
        }
    }
}

/// Compiles every item of a section. Some are missing afterwards only if the document is refused,
/// so the positions of a policy's items are those of the document's.
fn list<T, U>(
    scope: &mut Scope<'_>,
    section: &str,
    written: &[T],
    compile: impl Fn(&mut Scope<'_>, &Path, usize, &T) -> Option<U>,
) -> Vec<U> {
    let section = Path::root().field(section);
    let item = |(position, written)| compile(scope, &section.index(position), position, written);
    written.iter().enumerate().filter_map(item).collect()
}

/// Compiles the routes, and tells them what their experiments ask of requests.
fn routes(
    scope: &mut Scope<'_>,
    written: &[document::Route],
    experiments: &[Experiment],
) -> Vec<crate::Route> {
    let mut routes = list(scope, "routes", written, route::compile);
    for route in &mut routes {
        if let Target::Experiment(id) = route.target {
            let Some(experiment) = experiments.get(id.index()) else {
                continue;
            };
            route.is_parted_by_model = experiment.audience.asks_for_model();
            let phase_of = Some(id);
            let copies = experiment.shadow_first.iter().flat_map(|it| &it.copies);
            let copies = copies.cloned().map(|copy| Shadow { phase_of, ..copy });
            route.shadows.extend(copies);
        }
    }
    routes
}

fn workers(report: &mut Report<'_>, written: Option<u32>) -> Option<NonZeroUsize> {
    let workers = report.positive(&Path::root(), "workers", Some(written?), 1);
    usize::try_from(workers).ok().and_then(NonZeroUsize::new)
}

fn drain(report: &mut Report<'_>, written: Option<&document::Drain>) -> Drain {
    let default = Drain::default();
    let Some(document::Drain { wait, time }) = written else {
        return default;
    };
    let time = time.map(|time| time.0);
    let path = Path::root().field("drain");
    Drain {
        wait: wait.map_or(default.wait, |wait| wait.0),
        time: report.positive(&path, "time", time, default.time),
    }
}

/// Where another Wald asks to take over. Only a path that somebody chose is worth an error: a store far down
/// does no harm.
fn upgrade(
    report: &mut Report<'_>,
    written: Option<&document::Upgrade>,
    store: Option<&document::Store>,
) -> Option<PathBuf> {
    let fits = |path: &PathBuf| path.as_os_str().len() <= UNIX_BYTES_MAX;
    let Some(document::Upgrade { socket }) = written else {
        let mut path = store?.path.clone().into_os_string();
        path.push(".upgrade");
        return Some(PathBuf::from(path)).filter(fits);
    };
    if !fits(socket) {
        let length = socket.as_os_str().len();
        report.error(
            code::BAD_ADDRESS,
            &Path::root().field("upgrade").field("socket"),
            format!("a Unix socket's path has {UNIX_BYTES_MAX} bytes at most, this one {length}"),
            "name a shorter path, for example one in /run/wald",
        );
    }
    Some(socket.clone())
}

/// Who signs the audit trail; without a store there is nothing to sign.
fn audit(
    report: &mut Report<'_>,
    written: Option<&document::Audit>,
    store: Option<&document::Store>,
) -> Option<Audit> {
    let document::Audit { key, checkpoints } = written?;
    let Some(store) = store else {
        let message = "there is no audit trail to sign without a store";
        let remedy = "add `store: { path: … }`, or remove `audit`";
        report.error(
            code::NOTHING_THERE,
            &Path::root().field("audit"),
            message,
            remedy,
        );
        return None;
    };
    let beside = || {
        let mut path = store.path.clone().into_os_string();
        path.push(".checkpoints");
        PathBuf::from(path)
    };
    Some(Audit {
        key: key.clone(),
        checkpoints: checkpoints.clone().unwrap_or_else(beside),
    })
}

fn telemetry(report: &mut Report<'_>, written: Option<&Telemetry>) {
    // How logs look is settled before there is a policy, so `log` is read from the document.
    let Some(Telemetry { traces, log: _ }) = written else {
        return;
    };
    report.not_built(&Path::root().field("telemetry"), "traces", traces.is_some());
}

#[cfg(test)]
mod tests;
