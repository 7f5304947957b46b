//! What a thread of a model does: it takes what waits, alone or in batches, and answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, never, select_biased};

use super::desk::Desk;
use super::sizes::Tally;
use super::{Aside, Batch, Job};
use crate::model::{join, split};
use crate::{Model, RunError, Tensor, panic};

/// One thread, and what it takes from.
pub(super) struct Worker {
    pub(super) model: Model,
    pub(super) jobs: Receiver<Job>,
    pub(super) asides: Receiver<Aside>,
    pub(super) taken: Arc<AtomicUsize>,
    pub(super) tally: Arc<Tally>,
    pub(super) batching: Option<Batching>,
}

/// How the threads of one model share what waits for a batch.
#[derive(Clone)]
pub(super) struct Batching {
    batch: Batch,
    desk: Arc<Mutex<Desk>>,
    /// Says that something is left on the desk. One message wakes one idle thread, which says it again.
    left: Sender<()>,
    seen: Receiver<()>,
}

impl Batching {
    pub(super) fn new(batch: Batch, threads: usize) -> Self {
        let (left, seen) = crossbeam_channel::bounded(threads);
        Self {
            batch,
            desk: Arc::default(),
            left,
            seen,
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Moving requests does not panic; and if it did, they would still be whole.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_back(&self, job: Job) {
        self.desk().extend(std::iter::once(job));
        self.wake_another();
    }

    fn wake_another(&self) {
        // A full channel has woken as many threads as there are.
        self.left.try_send(()).ok();
    }
}

impl Worker {
    /// Until nobody can send any more and nothing is left.
    pub(super) fn work(&self) {
        let no_desk = never();
        let seen = self.batching.as_ref().map_or(&no_desk, |it| &it.seen);
        loop {
            let left = self.pick(None);
            if !left.is_empty() {
                self.run(left);
                continue;
            }
            // The first that is ready, in this order.
            select_biased! {
                recv(self.jobs) -> job => match job {
                    Ok(job) => self.run(self.pick(Some(job))),
                    Err(_) => return,
                },
                recv(seen) -> _ => {}
                recv(self.asides) -> aside => match aside {
                    Ok(aside) => self.run_aside(aside),
                    // Requests may be left when the pool ends, and nobody sends any more.
                    Err(_) => return self.finish(),
                },
            }
        }
    }

    fn finish(&self) {
        while let Ok(job) = self.jobs.recv() {
            self.run(self.pick(Some(job)));
        }
        loop {
            let left = self.pick(None);
            if left.is_empty() {
                return;
            }
            self.run(left);
        }
    }

    /// What to run next: `job` and what waits already, or may come in time, if it can run with it.
    fn pick(&self, job: Option<Job>) -> Vec<Job> {
        let Some(batching) = &self.batching else {
            return job.into_iter().collect();
        };
        let mut desk = batching.desk();
        desk.extend(job.into_iter().chain(self.jobs.try_iter()));
        let mut picked = desk.take(batching.batch.max.get());
        let is_bare = desk.len() == 0;
        drop(desk);
        if is_bare {
            self.wait(batching, &mut picked);
        } else {
            batching.wake_another();
        }
        picked
    }

    /// Waits for more, as long as the first may be kept waiting and nothing else would be.
    fn wait(&self, batching: &Batching, picked: &mut Vec<Job>) {
        let Batch { max, wait } = batching.batch;
        let Some(end) = picked.first().map(|first| first.queued + wait) else {
            return;
        };
        let mut rows = picked.iter().map(Job::rows).fold(0, usize::saturating_add);
        while rows < max.get()
            && Instant::now() < end
            && picked.iter().all(|job| job.can_wait(end))
            && let Ok(job) = self.jobs.recv_deadline(end)
        {
            if rows.saturating_add(job.rows()) <= max.get()
                && picked.iter().all(|it| it.is_like(&job))
            {
                rows += job.rows();
                picked.push(job);
            } else {
                return batching.put_back(job);
            }
        }
    }

    /// Runs and answers. A batch takes the place of one request from here on.
    fn run(&self, jobs: Vec<Job>) {
        self.taken
            .fetch_sub(jobs.len().saturating_sub(1), Ordering::AcqRel);
        self.answer(self.admit(jobs));
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }

    /// Those that can run; the others are told why not. Nobody may fail who runs beside them.
    fn admit(&self, jobs: Vec<Job>) -> Vec<Job> {
        let now = Instant::now();
        let mut admitted = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.refusal(&job, now) {
                Some(refusal) => job.reply(Err(refusal)),
                None => admitted.push(job),
            }
        }
        admitted
    }

    fn refusal(&self, job: &Job, now: Instant) -> Option<RunError> {
        if job.until.is_some_and(|until| until <= now) {
            return Some(RunError::Late);
        }
        self.model.check(&job.inputs).err().map(RunError::Mismatch)
    }

    fn answer(&self, jobs: Vec<Job>) {
        let Some(answers) = self.together(&jobs) else {
            for job in jobs {
                self.record(job.rows());
                job.run(&self.model);
            }
            return;
        };
        for (job, answer) in jobs.into_iter().zip(answers) {
            job.reply(Ok(answer));
        }
    }

    /// The answer to each; none if there is only one, or if one of them makes the model fail: which, shows alone.
    fn together(&self, jobs: &[Job]) -> Option<Vec<Vec<Tensor>>> {
        let (first, others) = jobs
            .split_first()
            .filter(|(_, others)| !others.is_empty())?;
        let others: Vec<_> = others.iter().map(|job| &*job.inputs).collect();
        let joined = join(&first.inputs, &others)?;
        let rows: Vec<_> = jobs.iter().map(Job::rows).collect();
        let outputs = self.model.run_checked(joined).ok()?;
        let answers = split(&outputs, &rows)?;
        self.record(rows.iter().sum());
        Some(answers)
    }

    /// What has no batch has no rows either.
    fn record(&self, rows: usize) {
        if self.batching.is_some() {
            self.tally.record(rows);
        }
    }

    fn run_aside(&self, Aside { job, is_wanted }: Aside) {
        drop(panic::contain(|| {
            if is_wanted() {
                self.answer(self.admit(vec![job]));
            }
        }));
    }
}

impl Job {
    fn run(self, model: &Model) {
        let Self { inputs, reply, .. } = self;
        let outcome = model.run_checked(inputs);
        // A reply that panics has failed its own request, and must not cost the pool a thread.
        // The panic hook has reported it already.
        drop(panic::contain(|| reply(outcome)));
    }

    fn reply(self, outcome: Result<Vec<Tensor>, RunError>) {
        drop(panic::contain(|| (self.reply)(outcome)));
    }

    /// Whether it is still of use to whoever asked if it runs after `end`.
    fn can_wait(&self, end: Instant) -> bool {
        self.until.is_none_or(|until| end < until)
    }
}
