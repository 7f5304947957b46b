//! One snapshot as one worker uses it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use policy::{Assignment, CopyTarget, ExperimentId, ModelId, Outside, RouteId};
use stats::MovingLimit;
use xxhash_rust::xxh3::xxh3_64;

use super::counters::{Counters, Histogram, ModelLabels};
use super::evidence::{Exposure, Moment, Outcome, RunShard};
use super::lane::{Lane, Lanes};
use super::{Limits, Observed};
use crate::forward::{Budget, Pool};
use crate::identify::Cache;
use crate::live::Snapshot;
use crate::shadow::{Copies, Way};

/// A snapshot with the worker's own evidence, counts and connections beside it.
pub(crate) struct View {
    snapshot: Arc<Snapshot>,
    pools: Vec<Rc<Pool>>,
    /// By `RouteId`.
    copies: Vec<Vec<Rc<Copies>>>,
    tokens: Rc<Cache>,
    lanes: Lanes,
    runs: Vec<RefCell<RunShard>>,
    experiments: Vec<u64>,
    /// By `ExperimentId`, then by why requests take no part.
    outside: Vec<[Cell<u64>; Outside::ALL.len()]>,
    routes: Vec<RouteTally>,
    inferences: Vec<RefCell<Histogram>>,
}

#[derive(Default)]
struct RouteTally {
    in_flight: Cell<u64>,
    overhead: RefCell<Histogram>,
    budget: Budget,
    retries: Cell<u64>,
    retries_spent: Cell<u64>,
}

impl View {
    /// The worker's view of a snapshot. Upstreams that did not change keep the connections of `before`.
    pub(crate) fn new(snapshot: Arc<Snapshot>, before: Option<&Self>) -> Self {
        let policy = &snapshot.policy;
        let tls = |upstream: &policy::Upstream| snapshot.credentials.upstream(upstream.id);
        let rosters = &snapshot.rosters;
        let pool = |upstream: &policy::Upstream| {
            let roster = rosters.get(upstream.id)?;
            let mut kept = before.into_iter().flat_map(|before| &before.pools);
            let kept = kept.find(|pool| pool.serves(upstream, tls(upstream), roster));
            let pool = kept.cloned();
            Some(pool.unwrap_or_else(|| Rc::new(Pool::new(upstream, tls(upstream), roster))))
        };
        let copy = |route: &policy::Route, shadow: &policy::Shadow| {
            let backend = policy.backend(&shadow.target.into());
            let way = way(&snapshot, before, shadow.target)?;
            Some(Rc::new(Copies::new(route, backend, shadow, way)))
        };
        let copies = |route: &policy::Route| {
            let shadows = route.shadows.iter();
            shadows.filter_map(|shadow| copy(route, shadow)).collect()
        };
        let run = |(experiment, stage): (&policy::Experiment, &policy::Stage)| {
            let mut shard = RunShard::new(experiment, stage.run(), snapshot.recorded);
            if let Some(limits) = before.and_then(|view| view.limits(experiment, stage.run())) {
                shard.follow(limits);
            }
            shard
        };
        // Other keys or another document, and what was verified before must be verified again.
        let same_keys = before
            .filter(|before| Arc::ptr_eq(&before.snapshot.key_sets, &snapshot.key_sets))
            .map(|before| Rc::clone(&before.tokens));
        Self {
            tokens: same_keys.unwrap_or_default(),
            // Each upstream has its roster: both come from the same policy.
            pools: policy.upstreams().iter().filter_map(pool).collect(),
            copies: policy.routes().iter().map(copies).collect(),
            lanes: Lanes::new(policy),
            runs: policy
                .experiments()
                .iter()
                .zip(&snapshot.stages)
                .map(run)
                .map(RefCell::new)
                .collect(),
            experiments: hashes(policy),
            outside: policy
                .experiments()
                .iter()
                .map(|_| Default::default())
                .collect(),
            routes: policy.routes().iter().map(|_| Default::default()).collect(),
            inferences: policy.models().iter().map(|_| RefCell::default()).collect(),
            snapshot,
        }
    }

    /// What the view shows.
    pub(crate) fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// The connections to each upstream, by `UpstreamId`.
    pub(crate) fn pools(&self) -> &[Rc<Pool>] {
        &self.pools
    }

    /// Where copies of a route's requests go.
    pub(crate) fn copies(&self, route: RouteId) -> &[Rc<Copies>] {
        self.copies.get(route.index()).map_or(&[], Vec::as_slice)
    }

    /// The tokens that were verified with the snapshot's keys.
    pub(crate) fn tokens(&self) -> &Cache {
        &self.tokens
    }

    /// Positions of lanes.
    pub(crate) fn lanes(&self) -> &Lanes {
        &self.lanes
    }

    /// The lane at this position.
    pub(crate) fn lane(&self, index: usize) -> Option<&Lane> {
        self.lanes.get(index)
    }

    /// Counts that a unit met its arm, and waits for the outcome.
    pub(crate) fn expose(
        &self,
        assignment: &Assignment,
        at: Moment,
        request_bytes: Option<u64>,
    ) -> Option<Exposure> {
        let run = self.runs.get(assignment.experiment.index())?;
        Some(run.borrow_mut().expose(assignment, at, request_bytes))
    }

    /// Counts a request that takes no part in its experiment.
    pub(crate) fn outside(&self, experiment: ExperimentId, why: Outside) {
        let counts = self.outside.get(experiment.index());
        if let Some(count) = counts.and_then(|counts| counts.get(why as usize)) {
            count.set(count.get() + 1);
        }
    }

    /// Records the outcome of an exposure.
    pub(crate) fn close(&self, experiment: ExperimentId, exposure: Exposure, outcome: Outcome<'_>) {
        if let Some(run) = self.runs.get(experiment.index()) {
            run.borrow_mut().close(exposure, outcome);
        }
    }

    /// Counts a request that began (1) or ended (-1) on a route.
    pub(crate) fn in_flight(&self, route: RouteId, change: i8) {
        if let Some(tally) = self.routes.get(route.index()) {
            tally
                .in_flight
                .set(tally.in_flight.get().saturating_add_signed(change.into()));
        }
    }

    /// Asks for the budget of a route's retries.
    pub(crate) fn budget<T>(&self, route: RouteId, ask: impl FnOnce(&Budget) -> T) -> Option<T> {
        self.routes.get(route.index()).map(|it| ask(&it.budget))
    }

    /// Counts that a request is tried again.
    pub(crate) fn retried(&self, route: RouteId) {
        if let Some(tally) = self.routes.get(route.index()) {
            tally.retries.set(tally.retries.get() + 1);
        }
    }

    /// Counts that there was no budget for a retry.
    pub(crate) fn retries_spent(&self, route: RouteId) {
        if let Some(tally) = self.routes.get(route.index()) {
            tally.retries_spent.set(tally.retries_spent.get() + 1);
        }
    }

    /// Counts how long a request spent in Wald itself.
    pub(crate) fn overhead(&self, route: RouteId, duration: Duration) {
        if let Some(tally) = self.routes.get(route.index()) {
            tally.overhead.borrow_mut().record(duration);
        }
    }

    /// Counts how long an inference waited and ran.
    pub(crate) fn inferred(&self, model: ModelId, duration: Duration) {
        if let Some(histogram) = self.inferences.get(model.index()) {
            histogram.borrow_mut().record(duration);
        }
    }

    /// Hands over the evidence since the last time, and holds what comes against these limits. Whoever waits
    /// beyond the window is recorded first.
    pub(crate) fn evidence(&self, now: Instant, limits: &Limits) -> Vec<Observed> {
        let runs = self.snapshot.policy.experiments().iter().zip(&self.runs);
        let collected = runs.filter_map(|(experiment, run)| {
            let mut run = run.borrow_mut();
            run.sweep(now);
            let (name, number) = (experiment.name.to_string(), run.run());
            let delta = run.collect();
            let key = (name, number);
            if let Some(limits) = limits.get(&key) {
                run.follow(Arc::clone(limits));
            }
            let (experiment, number) = key;
            Some(Observed {
                experiment,
                run: number,
                delta: delta?,
                roll: run.collect_roll(),
            })
        });
        collected.collect()
    }

    /// What the numbers of a run are held against.
    fn limits(&self, experiment: &policy::Experiment, run: u32) -> Option<Arc<[MovingLimit]>> {
        let known = self.snapshot.policy.experiments().iter().zip(&self.runs);
        let mut known = known.filter(|(known, _)| known.name == experiment.name);
        let shard = known.next()?.1.borrow();
        (shard.run() == run).then(|| shard.limits())
    }

    /// Whether there is evidence that was not handed over yet.
    pub(crate) fn has_evidence(&self) -> bool {
        self.runs.iter().any(|run| run.borrow().has_evidence())
    }

    /// The run of an experiment that this view shows.
    pub(crate) fn run(&self, experiment: ExperimentId) -> Option<u32> {
        let stages = &self.snapshot.stages;
        stages.get(experiment.index()).map(policy::Stage::run)
    }

    /// What tokens call an experiment: ids change with a reload, names do not.
    pub(crate) fn experiment_hash(&self, experiment: ExperimentId) -> Option<u64> {
        self.experiments.get(experiment.index()).copied()
    }

    /// Adds everything that was counted.
    pub(crate) fn export(&self, into: &mut Counters) {
        let policy = &self.snapshot.policy;
        self.lanes.export(policy, into);
        self.copies
            .iter()
            .flatten()
            .for_each(|copies| copies.export(into));
        for (route, tally) in policy.routes().iter().zip(&self.routes) {
            *into.in_flight.entry(route.name.to_string()).or_default() += tally.in_flight.get();
            if route.retries.is_some() {
                *into.retries.entry(route.name.to_string()).or_default() += tally.retries.get();
            }
            if tally.retries_spent.get() > 0 {
                *into.limits.entry("retry_budget").or_default() += tally.retries_spent.get();
            }
            into.overheads
                .entry(route.name.to_string())
                .or_default()
                .merge(&tally.overhead.borrow());
        }
        for (experiment, counts) in policy.experiments().iter().zip(&self.outside) {
            for (why, count) in Outside::ALL.iter().zip(counts) {
                let labels = (experiment.name.to_string(), why.as_str());
                *into.outside.entry(labels).or_default() += count.get();
            }
        }
        for (model, seen) in policy.models().iter().zip(&self.inferences) {
            let labels = ModelLabels {
                model: model.name.to_string(),
                version: model.version.to_string(),
            };
            into.inferences
                .entry(labels)
                .or_default()
                .merge(&seen.borrow());
        }
    }

    /// Closes upstream connections that nobody needed for a while.
    pub(crate) fn sweep(&self, now: Instant) {
        for pool in &self.pools {
            pool.sweep(now);
        }
        for copies in self.copies.iter().flatten() {
            if let Some(pool) = copies.pool() {
                pool.sweep(now);
            }
        }
    }
}

/// How copies reach a shadow. An upstream that did not change keeps the connections of `before`.
fn way(snapshot: &Snapshot, before: Option<&View>, target: CopyTarget) -> Option<Way> {
    let CopyTarget::Upstream(upstream) = target else {
        return Some(Way::Model);
    };
    let upstream = snapshot.policy.upstreams().get(upstream.index())?;
    let tls = snapshot.credentials.upstream(upstream.id);
    let roster = snapshot.rosters.get(upstream.id)?;
    let before = before.into_iter().flat_map(|it| it.copies.iter().flatten());
    let mut kept = before.filter_map(|copies| copies.pool());
    let kept = kept.find(|pool| pool.serves(upstream, tls, roster));
    let pool = kept.map_or_else(|| Rc::new(Pool::new(upstream, tls, roster)), Rc::clone);
    Some(Way::Upstream(pool))
}

/// What tokens call the experiments.
fn hashes(policy: &policy::Policy) -> Vec<u64> {
    let names = policy.experiments().iter().map(|it| it.name.as_bytes());
    names.map(xxh3_64).collect()
}
