//! One worker's evidence of one run: who was exposed to which arm, and what became of them.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use policy::{Assignment, Beside, Experiment, Observe, Price};
use stats::{Delta, Kind, MovingLimit};

use super::{Roll, Seen};
use crate::gateway::Usage;

/// One moment on both clocks: evidence is dated by the calendar, durations are measured by the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// For durations.
    pub(crate) instant: Instant,
    /// Milliseconds since 1970.
    pub(crate) unix_millis: u64,
}

impl Moment {
    /// This moment.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            instant: Instant::now(),
            unix_millis: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// How a request ended, as far as metrics ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outcome<'a> {
    /// Nothing, too late, cut short, or a status of 500 and above; also when the client left before the end,
    /// because who waits too long leaves. A call of gRPC also by its status.
    pub(crate) failed: bool,
    /// Whether a cascade went on from its first model, once that is known.
    pub(crate) escalated: Option<bool>,
    /// From the request's head to the last byte of the answer.
    pub(crate) duration: Duration,
    /// From the request's head to the head of the answer.
    pub(crate) first_byte: Duration,
    /// How large the answer was, if it went out entirely.
    pub(crate) size: Option<Size>,
    /// What the answer said at each of the experiment's pointers, if it went out entirely.
    pub(crate) said: &'a [Option<f64>],
}

/// How large a whole answer was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Bytes of its body.
    pub(crate) bytes: u64,
    /// Tokens, if it said how many.
    pub(crate) tokens: Option<Usage>,
}

impl Outcome<'_> {
    /// What a metric observes of it; nothing if that does not say, or comes from elsewhere.
    fn value(&self, observe: Observe, price: Price) -> Option<f64> {
        match observe {
            Observe::Failed => Some(f64::from(u8::from(self.failed))),
            Observe::Escalated => self.escalated.map(|it| f64::from(u8::from(it))),
            Observe::Duration => Some(self.duration.as_secs_f64()),
            Observe::FirstByte => Some(self.first_byte.as_secs_f64()),
            Observe::ResponseBytes => Some(self.size?.bytes as f64),
            Observe::Tokens => Some(self.size?.tokens?.output as f64),
            Observe::Cost => {
                let Usage { input, output } = self.size?.tokens?;
                Some(price.of(input, output))
            }
            Observe::Said(pointer) => self.said.get(pointer).copied().flatten(),
            Observe::Feedback | Observe::Missing { .. } => None,
        }
    }
}

/// The evidence that one worker gathered since it was last collected.
pub(crate) struct RunShard {
    design: stats::Design,
    observations: Vec<Watched>,
    /// By arm; empty if no metric asks.
    prices: Vec<Price>,
    /// The metrics that count a request as missing until its feedback comes.
    missing: Vec<usize>,
    /// The windows of what workers observe, each once, the shortest first.
    windows: Vec<Duration>,
    run: u32,
    tick_millis: u64,
    delta: Delta,
    limits: Arc<[MovingLimit]>,
    open: Vec<Slot>,
    free: Vec<Exposure>,
    roll: Option<Roll>,
}

/// What a metric looks at, and the position of its window.
#[derive(Clone, Copy)]
struct Watched {
    observe: Observe,
    kind: Kind,
    beside: Option<Beside>,
    window: usize,
    cap: f64,
}

/// The place of an exposure whose outcome is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exposure(usize);

enum Slot {
    Free,
    Waiting(Exposed),
    /// All windows passed and its outcome was recorded; its request still holds the slot.
    Closed,
}

#[derive(Clone, Copy)]
struct Exposed {
    at: Moment,
    tick: u64,
    epoch: u32,
    arm: usize,
    unit: u64,
    bucket: u16,
    request_bytes: Option<u64>,
    /// How many windows passed; the metrics that had these have their observation.
    passed: usize,
}

impl Exposed {
    /// What a recording says of it.
    fn seen(&self, value: Option<(usize, f64)>, beside: Option<f64>) -> Seen {
        Seen {
            at_ms: self.at.unix_millis,
            epoch: self.epoch,
            unit: self.unit,
            bucket: self.bucket,
            arm: self.arm,
            value,
            beside,
        }
    }
}

impl RunShard {
    /// An empty shard for this run of an experiment; one that is recorded also keeps what it saw one by
    /// one.
    pub(crate) fn new(experiment: &Experiment, run: u32, recorded: bool) -> Self {
        let windows = windows(experiment);
        let metrics = experiment.observations.iter().zip(&experiment.beside);
        let watched = |(metric, (observe, beside)): (usize, (&Observe, &Option<Beside>))| Watched {
            observe: *observe,
            kind: experiment.design.metrics[metric].kind,
            beside: *beside,
            window: windows.partition_point(|shorter| *shorter < experiment.windows[metric]),
            cap: experiment.capped(metric, f64::INFINITY),
        };
        Self {
            design: experiment.design.clone(),
            observations: metrics.enumerate().map(watched).collect(),
            prices: experiment.prices.clone(),
            missing: experiment.missing(None).collect(),
            windows,
            run,
            tick_millis: u64::try_from(experiment.tick.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            delta: Delta::new(&experiment.design),
            limits: Arc::default(),
            open: Vec::new(),
            free: Vec::new(),
            roll: recorded.then(Roll::with_room),
        }
    }

    /// The run that the evidence belongs to.
    pub(crate) fn run(&self) -> u32 {
        self.run
    }

    /// Counts that a unit met its arm, and waits for the outcome.
    /// `request_bytes` is the length of its body, if it says one.
    pub(crate) fn expose(
        &mut self,
        assignment: &Assignment,
        at: Moment,
        request_bytes: Option<u64>,
    ) -> Exposure {
        let Assignment {
            epoch,
            arm,
            unit,
            bucket,
            ..
        } = *assignment;
        let tick = at.unix_millis / self.tick_millis;
        self.delta.expose(epoch, tick, arm.index(), unit);
        for &metric in &self.missing {
            self.delta
                .observe(epoch, tick, metric, arm.index(), bucket, 1.0);
        }
        let exposed = Exposed {
            at,
            tick,
            epoch,
            arm: arm.index(),
            unit,
            bucket,
            request_bytes,
            passed: 0,
        };
        if let Some(roll) = &mut self.roll {
            roll.add(exposed.seen(None, None));
        }
        let waiting = Slot::Waiting(exposed);
        match self.free.pop() {
            Some(Exposure(slot)) => {
                self.set(slot, waiting);
                Exposure(slot)
            }
            None => {
                self.open.push(waiting);
                Exposure(self.open.len() - 1)
            }
        }
    }

    /// Records the outcome of an exposure, unless its window has passed.
    pub(crate) fn close(&mut self, exposure: Exposure, outcome: Outcome<'_>) {
        if let Some(Slot::Waiting(exposed)) = self.open.get(exposure.0) {
            let exposed = *exposed;
            self.record(exposed, outcome, exposed.passed..self.windows.len());
        }
        self.set(exposure.0, Slot::Free);
        self.free.push(exposure);
    }

    /// Records whoever waited for longer than a window as failed, with that window as the duration, for
    /// the metrics that have it: others go on waiting.
    pub(crate) fn sweep(&mut self, now: Instant) {
        for slot in 0..self.open.len() {
            if let Some(Slot::Waiting(exposed)) = self.open.get(slot) {
                let waiting = self.passed_by(*exposed, now);
                self.set(slot, waiting);
            }
        }
    }

    /// Records what the windows that passed leave to say about an exposure.
    fn passed_by(&mut self, mut exposed: Exposed, now: Instant) -> Slot {
        let waited = now.duration_since(exposed.at.instant);
        while let Some(window) = self.windows.get(exposed.passed).copied() {
            if waited < window {
                return Slot::Waiting(exposed);
            }
            let end = Outcome {
                failed: true,
                escalated: None,
                duration: window,
                first_byte: window,
                size: None,
                said: &[],
            };
            self.record(exposed, end, exposed.passed..exposed.passed + 1);
            exposed.passed += 1;
        }
        Slot::Closed
    }

    /// Holds numbers against these limits from now on.
    pub(crate) fn follow(&mut self, limits: Arc<[MovingLimit]>) {
        self.limits = Arc::clone(&limits);
        self.delta.follow(limits);
    }

    /// What numbers are held against.
    pub(crate) fn limits(&self) -> Arc<[MovingLimit]> {
        Arc::clone(&self.limits)
    }

    /// Hands over what was gathered, if anything was.
    pub(crate) fn collect(&mut self) -> Option<Delta> {
        if self.delta.is_empty() {
            return None;
        }
        let mut next = Delta::new(&self.design);
        next.follow(self.limits());
        Some(std::mem::replace(&mut self.delta, next))
    }

    /// Hands over what was written down one by one, if it is recorded.
    pub(crate) fn collect_roll(&mut self) -> Option<Roll> {
        self.roll
            .as_mut()
            .map(|roll| std::mem::replace(roll, Roll::with_room()))
    }

    /// Whether there is something to collect.
    pub(crate) fn has_evidence(&self) -> bool {
        !self.delta.is_empty()
    }

    /// Records an outcome for the metrics with these windows.
    fn record(&mut self, exposed: Exposed, outcome: Outcome<'_>, windows: Range<usize>) {
        let bytes = exposed.request_bytes.map(|bytes| bytes as f64);
        let Exposed {
            tick,
            epoch,
            arm,
            bucket,
            ..
        } = exposed;
        let price = self.prices.get(arm).copied().unwrap_or_default();
        for (metric, watched) in self.observations.iter().enumerate() {
            let Watched {
                observe,
                kind,
                beside,
                window,
                cap,
            } = *watched;
            if !windows.contains(&window) {
                continue;
            }
            let value = outcome.value(observe, price);
            let Some(value) = value.filter(|&value| kind.fits(value)) else {
                continue;
            };
            let beside = beside.map(|beside| match beside {
                Beside::RequestBytes => bytes,
                Beside::KnownBytes => Some(bytes.unwrap_or_default()),
                Beside::Duration => Some(outcome.duration.as_secs_f64()),
                Beside::FirstByte => Some(outcome.first_byte.as_secs_f64()),
            });
            if let Some(roll) = &mut self.roll {
                roll.add(exposed.seen(Some((metric, value)), beside.flatten()));
            }
            let value = value.min(cap);
            let moment = exposed.at.unix_millis;
            self.delta
                .observe_unit(tick, moment, metric, arm, exposed.unit, value);
            match beside {
                None => self.delta.observe(epoch, tick, metric, arm, bucket, value),
                Some(beside) => {
                    let pair = [Some(value), beside];
                    self.delta
                        .observe_pair(epoch, tick, metric, arm, bucket, pair);
                }
            }
        }
    }

    fn set(&mut self, slot: usize, value: Slot) {
        if let Some(place) = self.open.get_mut(slot) {
            *place = value;
        }
    }
}

/// The windows of what workers observe, each once, the shortest first.
fn windows(experiment: &Experiment) -> Vec<Duration> {
    let metrics = experiment.observations.iter().zip(&experiment.windows);
    let is_seen =
        |observe: &Observe| !matches!(observe, Observe::Feedback | Observe::Missing { .. });
    let observed = metrics.filter(|(observe, _)| is_seen(observe));
    let mut windows: Vec<Duration> = observed.map(|(_, window)| *window).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Failures are waited for a second, durations two.
    const DOCUMENT: &str = r#"
version: wald/v1
listeners: [{ name: edge, address: "127.0.0.1:8080" }]
upstreams:
  - { name: old, endpoints: ["http://127.0.0.1:8001"] }
  - { name: new, endpoints: ["http://127.0.0.1:8002"] }
routes: [{ name: all, match: {}, allow: [{ callers: anyone }], backend: { experiment: trial } }]
experiments:
  - name: trial
    unit: request
    arms:
      - { name: control, backend: { upstream: old } }
      - { name: candidate, backend: { upstream: new } }
    metrics:
      - { name: latency, kind: mean, scale: linear, source: duration, better: lower, role: goal, window: 2s, winsorize: 1.5 }
      - { name: failures, kind: proportion, source: failed, better: lower, role: guardrail, margin: { odds: 1.5 }, window: 1s }
"#;

    /// What the metrics summed up, as counts and sums.
    fn sums(shard: &mut RunShard, design: &stats::Design) -> [(u64, f64); 2] {
        let mut ledger = stats::Ledger::new(design.clone(), &[0.5, 0.5]);
        if let Some(delta) = shard.collect() {
            ledger.absorb(delta);
        }
        ledger.close_before(u64::MAX);
        let report = ledger.report();
        [0, 1].map(|metric| {
            let found = &report.metrics[metric];
            (found.n[0], found.estimate.control.unwrap_or_default())
        })
    }

    #[test]
    fn each_metric_gets_its_terminal_value_after_its_own_window_and_is_cut_off_at_its_cap() {
        let document = config::read(DOCUMENT, &|_| None, std::path::Path::new("/")).unwrap();
        let policy = policy::compile(&document).unwrap();
        let experiment = &policy.experiments()[0];
        let assignment = Assignment {
            experiment: experiment.id,
            run: 1,
            epoch: 0,
            arm: policy::ArmId::CONTROL,
            unit: 1,
            bucket: 0,
            counted: true,
        };
        let at = Moment::now();
        let mut shard = RunShard::new(experiment, 1, false);
        let exposure = shard.expose(&assignment, at, None);
        shard.sweep(at.instant + Duration::from_millis(1500));
        assert_eq!(sums(&mut shard, &experiment.design), [(0, 0.0), (1, 1.0)]);
        let outcome = Outcome {
            failed: false,
            escalated: Some(false),
            duration: Duration::from_millis(1750),
            first_byte: Duration::ZERO,
            size: None,
            said: &[],
        };
        shard.close(exposure, outcome);
        assert_eq!(sums(&mut shard, &experiment.design), [(1, 1.5), (0, 0.0)]);
    }
}
