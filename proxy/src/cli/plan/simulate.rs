//! One simulated experiment, and many of them: assumed traffic, real ledger, verdict and ramp.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use policy::{BUCKETS, Experiment, Outcome, SLOTS, Stage};
use rand_distr::{Binomial, Distribution, StandardNormal, Uniform};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::SeedableRng;
use stats::{Decision, Delta, Ledger};

use super::world::{Drawn, Users, World};

/// Where an experiment without an end is left.
pub(super) const HORIZON: u64 = 200_000;

/// A look comes after a tick or after so much more of what was seen, whichever is later: the judge may be
/// asked at any moment, so fewer looks only find the verdict a little later.
const LOOK: f64 = 0.05;

/// How one simulated experiment ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct End {
    pub(super) verdict: Verdict,
    pub(super) observations: u64,
    pub(super) seconds: f64,
}

/// A verdict as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Promoted,
    RolledBack,
    Futile,
    Undecided,
}

/// All simulated experiments of one scenario.
pub(super) struct Runs(pub(super) Vec<End>);

impl Runs {
    pub(super) fn share_promoted(&self) -> f64 {
        self.count(Verdict::Promoted) / self.0.len().max(1) as f64
    }

    pub(super) fn count(&self, verdict: Verdict) -> f64 {
        self.0.iter().filter(|end| end.verdict == verdict).count() as f64
    }
}

/// Simulates `runs` experiments on all cores; the outcome does not depend on how many there are.
pub(super) fn all(
    experiment: &Experiment,
    world: &World,
    seed: u64,
    runs: u32,
    bar: &ProgressBar,
) -> Runs {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let part = |first: usize| {
        let mine = (0..runs).skip(first).step_by(cores);
        mine.map(|run| {
            let end = Run::new(experiment, world, seed, run).until_verdict();
            bar.inc(1);
            (run, end)
        })
        .collect::<Vec<_>>()
    };
    let mut ends: Vec<(u32, End)> = thread::scope(|scope| {
        let part = &part;
        let threads: Vec<_> = (0..cores)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        // A thread that panicked has said so; its runs are missing.
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .flatten()
            .collect()
    });
    ends.sort_unstable_by_key(|&(run, _)| run);
    Runs(ends.into_iter().map(|(_, end)| end).collect())
}

/// One experiment on its way.
struct Run<'a> {
    experiment: &'a Experiment,
    world: &'a World,
    chance: Pcg64Mcg,
    users: Vec<User>,
    ledger: Ledger,
    stage: Stage,
    tick: u64,
    seconds: f64,
    requests: u64,
    step_seconds: f64,
    step_requests: u64,
}

/// One who comes back: where the hash puts them, and how their outcomes lean.
struct User {
    slot: u16,
    bucket: u16,
    lean: f64,
}

impl<'a> Run<'a> {
    fn new(experiment: &'a Experiment, world: &'a World, seed: u64, run: u32) -> Self {
        // Each run has a stream of its own: 2⁶⁴ apart in the seed.
        let mut chance = Pcg64Mcg::seed_from_u64(seed ^ (u64::from(run) << 32 | 0x57a1d));
        let users = world
            .users
            .map_or_else(Vec::new, |users| crowd(users, &mut chance));
        let stage = Stage::first(1);
        Self {
            experiment,
            world,
            chance,
            users,
            ledger: Ledger::new(experiment.design.clone(), &stage.shares(experiment)),
            stage,
            tick: 0,
            seconds: 0.0,
            requests: 0,
            step_seconds: 0.0,
            step_requests: 0,
        }
    }

    fn until_verdict(mut self) -> End {
        loop {
            self.look();
            let decision = self.ledger.verdict().decision;
            let over = self
                .experiment
                .end
                .time
                .is_some_and(|end| self.seconds >= end.as_secs_f64());
            let verdict = match decision {
                Decision::Promote { .. } => Verdict::Promoted,
                Decision::RollBack => Verdict::RolledBack,
                Decision::Futile => Verdict::Futile,
                Decision::Wait | Decision::Unsound if over => Verdict::Futile,
                Decision::Wait | Decision::Unsound if self.requests >= self.horizon() => {
                    Verdict::Undecided
                }
                Decision::Wait => {
                    self.step();
                    continue;
                }
                Decision::Unsound => continue,
            };
            let (observations, seconds) = (self.ledger.observations(), self.seconds);
            return End {
                verdict,
                observations,
                seconds,
            };
        }
    }

    fn horizon(&self) -> u64 {
        self.experiment.end.observations.unwrap_or(HORIZON)
    }

    /// Goes up the ramp by the referee's rule.
    fn step(&mut self) {
        let minimum = self.experiment.step_minimum;
        let lasted = Duration::from_secs_f64(self.seconds - self.step_seconds);
        let due = self.stage.step() + 1 < self.experiment.ramp.len()
            && lasted >= minimum.time
            && self.requests - self.step_requests >= minimum.observations;
        if let Some(next) = self
            .stage
            .after(self.experiment, Outcome::NextStep)
            .filter(|_| due)
        {
            self.ledger.open_epoch(&next.shares(self.experiment));
            self.stage = next;
            (self.step_seconds, self.step_requests) = (self.seconds, self.requests);
        }
    }

    /// Lets traffic come until the next look.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of requests, at least 1 and at most the horizon"
    )]
    fn look(&mut self) {
        let tick = self.world.per_second * self.experiment.tick.as_secs_f64();
        let more = tick.max(LOOK * self.requests as f64).max(1.0).ceil() as u64;
        let requests = more.min(self.horizon().saturating_sub(self.requests).max(1));
        let mut delta = Delta::new(&self.experiment.design);
        if let Some(limits) = self.ledger.limits() {
            delta.follow(limits);
        }
        if self.users.is_empty() {
            self.at_once(requests, &mut delta);
        } else {
            (0..requests).for_each(|moment| self.one_by_one(moment, &mut delta));
        }
        self.requests += requests;
        self.seconds += requests as f64 / self.world.per_second;
        self.tick += 1;
        self.ledger.absorb(delta);
        self.ledger.close_before(self.tick);
    }

    /// Independent requests: arms by chance, sums where they can be drawn.
    fn at_once(&mut self, requests: u64, delta: &mut Delta) {
        let epoch = self.stage.epoch();
        let (mut left, mut share_left) = (requests, 1.0_f64);
        for (arm, share) in self.stage.shares(self.experiment).into_iter().enumerate() {
            let part = (share / share_left).clamp(0.0, 1.0);
            let n = Binomial::new(left, part).map_or(0, |split| split.sample(&mut self.chance));
            (left, share_left) = (left - n, (share_left - share).max(f64::MIN_POSITIVE));
            delta.expose_many(epoch, arm, n);
            for (metric, signal) in self.world.metrics.iter().enumerate() {
                let kind = self.experiment.design.metrics[metric].kind;
                if let Some(sums) = signal.sums(arm, n, kind, &mut self.chance) {
                    delta.observe_many(epoch, self.tick, metric, arm, &sums);
                    continue;
                }
                for _ in 0..n {
                    let Drawn { y, x } = signal.one(arm, 0.0, 0.0, &mut self.chance);
                    let y = self.experiment.capped(metric, y);
                    observe(delta, (epoch, self.tick), metric, (arm, 0), y, x);
                }
            }
        }
    }

    /// A request of someone who comes back, at a moment of the tick.
    fn one_by_one(&mut self, moment: u64, delta: &mut Delta) {
        let Ok(any) = Uniform::new(0, self.users.len()) else {
            return;
        };
        let place = any.sample(&mut self.chance);
        let user = &self.users[place];
        let (epoch, icc) = (
            self.stage.epoch(),
            self.world.users.map_or(0.0, |users| users.icc),
        );
        let arm = self.stage.arm_of(self.experiment, user.slot).index();
        let unit = place as u64;
        delta.expose(epoch, self.tick, arm, unit);
        for (metric, signal) in self.world.metrics.iter().enumerate() {
            let Drawn { y, x } = signal.one(arm, user.lean, icc, &mut self.chance);
            let y = self.experiment.capped(metric, y);
            let place = (arm, user.bucket);
            observe(delta, (epoch, self.tick), metric, place, y, x);
            delta.observe_unit(self.tick, moment, metric, arm, unit, y);
        }
    }
}

fn observe(
    delta: &mut Delta,
    (epoch, tick): (u32, u64),
    metric: usize,
    (arm, bucket): (usize, u16),
    y: f64,
    x: Option<f64>,
) {
    match x {
        None => delta.observe(epoch, tick, metric, arm, bucket, y),
        Some(_) => delta.observe_pair(epoch, tick, metric, arm, bucket, [Some(y), x]),
    }
}

fn crowd(users: Users, chance: &mut Pcg64Mcg) -> Vec<User> {
    let (Ok(slots), Ok(buckets)) = (Uniform::new(0, SLOTS), Uniform::new(0, BUCKETS)) else {
        return Vec::new();
    };
    let user = |_| User {
        slot: slots.sample(chance),
        bucket: buckets.sample(chance),
        lean: StandardNormal.sample(chance),
    };
    (0..users.count).map(user).collect()
}
