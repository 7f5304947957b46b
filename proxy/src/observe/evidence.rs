//! One worker's evidence of one run: who was exposed to which arm, and what became of them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use policy::{Assignment, Beside, Experiment, Observe};
use stats::Delta;

use super::{Roll, Seen};

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
pub(crate) struct Outcome {
    /// Nothing, too late, cut short, or a status of 500 and above; also when the client left before the end,
    /// because who waits too long leaves.
    pub(crate) failed: bool,
    /// From the request's head to the last byte of the answer.
    pub(crate) duration: Duration,
    /// From the request's head to the head of the answer.
    pub(crate) first_byte: Duration,
}

/// The evidence that one worker gathered since it was last collected.
pub(crate) struct RunShard {
    design: stats::Design,
    observations: Vec<(Observe, Option<Beside>)>,
    run: u32,
    tick_millis: u64,
    window: Duration,
    delta: Delta,
    open: Vec<Slot>,
    free: Vec<Exposure>,
    roll: Option<Roll>,
}

/// The place of an exposure whose outcome is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exposure(usize);

enum Slot {
    Free,
    Waiting(Exposed),
    /// Its window passed and its outcome was recorded; its request still holds the slot.
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
        Self {
            design: experiment.design.clone(),
            observations: experiment
                .observations
                .iter()
                .copied()
                .zip(experiment.beside.iter().copied())
                .collect(),
            run,
            tick_millis: u64::try_from(experiment.tick.as_millis())
                .unwrap_or(u64::MAX)
                .max(1),
            window: experiment.window,
            delta: Delta::new(&experiment.design),
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
        let exposed = Exposed {
            at,
            tick,
            epoch,
            arm: arm.index(),
            unit,
            bucket,
            request_bytes,
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
    pub(crate) fn close(&mut self, exposure: Exposure, outcome: Outcome) {
        if let Some(Slot::Waiting(exposed)) = self.open.get(exposure.0) {
            self.record(*exposed, outcome);
        }
        self.set(exposure.0, Slot::Free);
        self.free.push(exposure);
    }

    /// Records whoever waited for longer than the window as failed, with the window as the duration.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let end = Outcome {
            failed: true,
            duration: self.window,
            first_byte: self.window,
        };
        for slot in 0..self.open.len() {
            if let Some(Slot::Waiting(exposed)) = self.open.get(slot)
                && now.duration_since(exposed.at.instant) >= self.window
            {
                self.record(*exposed, end);
                self.set(slot, Slot::Closed);
            }
        }
    }

    /// Hands over what was gathered, if anything was.
    pub(crate) fn collect(&mut self) -> Option<Delta> {
        (!self.delta.is_empty())
            .then(|| std::mem::replace(&mut self.delta, Delta::new(&self.design)))
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

    fn record(&mut self, exposed: Exposed, outcome: Outcome) {
        let bytes = exposed.request_bytes.map(|bytes| bytes as f64);
        let Exposed {
            tick,
            epoch,
            arm,
            bucket,
            ..
        } = exposed;
        for (metric, (observe, beside)) in self.observations.iter().enumerate() {
            let value = match observe {
                Observe::Failed => f64::from(u8::from(outcome.failed)),
                Observe::Duration => outcome.duration.as_secs_f64(),
                Observe::FirstByte => outcome.first_byte.as_secs_f64(),
                Observe::Feedback => continue,
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
