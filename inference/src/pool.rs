//! Threads that run one model, and the bounded queue before them.
//!
//! A model computes for microseconds to milliseconds. On a network thread that would delay every
//! other request there, and unbounded threads were measured to double the p99: so there are as
//! many threads as the document says, and what does not fit the queue is refused at once.
//!
//! What nobody waits for has a queue of its own, which is looked at when the other is empty. A run
//! cannot be interrupted, so where there are several threads one of them never looks there.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, never, select_biased};

use crate::{Model, RunError, Tensor, panic};

/// The workers of one model. Dropping it waits until its queue is empty and its threads have ended.
#[derive(Debug)]
pub struct Pool {
    model: Model,
    queue: usize,
    /// How many requests wait or run; what nobody waits for is not among them, and takes no place of theirs.
    taken: Arc<AtomicUsize>,
    taken_max: usize,
    /// `None` only while dropping: without a sender the workers end once the queue is empty.
    queues: Option<Queues<Sender<Job>, Sender<Aside>>>,
    workers: Vec<JoinHandle<()>>,
}

/// The two ends of both queues look alike.
#[derive(Debug)]
struct Queues<J, A> {
    jobs: J,
    asides: A,
}

/// The queue of a model is full; nothing was queued, and the reply is never called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model's queue of {queue} is full")]
pub struct Full {
    /// How many requests the queue holds.
    pub queue: usize,
}

/// The system gave no thread to a model.
#[derive(Debug, thiserror::Error)]
#[error("worker {worker} of the model cannot start")]
pub struct StartError {
    /// Counted from 0.
    pub worker: usize,
    #[source]
    cause: io::Error,
}

struct Job {
    inputs: Vec<Tensor>,
    reply: Reply,
}

/// What nobody waits for.
struct Aside {
    job: Job,
    /// Asked when its turn has come.
    is_wanted: Box<dyn FnOnce() -> bool + Send>,
}

type Reply = Box<dyn FnOnce(Result<Vec<Tensor>, RunError>) + Send>;

impl Pool {
    /// Starts the threads. Besides what they are busy with, `queue` requests may wait; with a
    /// queue of 0 a request is taken only if a thread is idle.
    pub fn start(model: Model, threads: NonZeroUsize, queue: usize) -> Result<Self, StartError> {
        let taken_max = threads.get().saturating_add(queue);
        let (jobs, waiting) = bounded(taken_max);
        let (asides, waiting_aside) = bounded(queue);
        // Complete before the first thread starts, so that an error half-way ends those that run.
        let mut pool = Self {
            model,
            queue,
            taken: Arc::default(),
            taken_max,
            queues: Some(Queues { jobs, asides }),
            workers: Vec::with_capacity(threads.get()),
        };
        for worker in 0..threads.get() {
            let is_kept_free = worker == 0 && threads.get() > 1;
            let queues = Queues {
                jobs: waiting.clone(),
                asides: if is_kept_free {
                    never()
                } else {
                    waiting_aside.clone()
                },
            };
            let handle = pool
                .worker(worker, queues)
                .map_err(|cause| StartError { worker, cause })?;
            pool.workers.push(handle);
        }
        Ok(pool)
    }

    fn worker(
        &self,
        worker: usize,
        queues: Queues<Receiver<Job>, Receiver<Aside>>,
    ) -> io::Result<JoinHandle<()>> {
        let (model, taken) = (self.model.clone(), Arc::clone(&self.taken));
        thread::Builder::new()
            .name(format!("model-{worker}"))
            .spawn(move || work(&model, &queues, &taken))
    }

    /// Queues a request. The reply is called once, on a worker's thread: it should only hand on.
    pub fn submit(
        &self,
        inputs: Vec<Tensor>,
        reply: impl FnOnce(Result<Vec<Tensor>, RunError>) + Send + 'static,
    ) -> Result<(), Full> {
        let full = Full { queue: self.queue };
        let place = |taken| (taken < self.taken_max).then_some(taken + 1);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        self.taken
            .fetch_update(set, fetch, place)
            .map_err(|_taken| full)?;
        let job = Job {
            inputs,
            reply: Box::new(reply),
        };
        // Who has a place fits.
        let queues = self.queues.as_ref().ok_or(full)?;
        queues.jobs.try_send(job).map_err(|_full| full)
    }

    /// Queues what nobody waits for: it runs when no request does wait, if it is wanted still when its turn has
    /// come, and at most `queue` may wait for that. What is not wanted, or left when the pool ends, is dropped
    /// with its reply.
    pub fn submit_aside(
        &self,
        inputs: Vec<Tensor>,
        is_wanted: impl FnOnce() -> bool + Send + 'static,
        reply: impl FnOnce(Result<Vec<Tensor>, RunError>) + Send + 'static,
    ) -> Result<(), Full> {
        let full = Full { queue: self.queue };
        let aside = Aside {
            job: Job {
                inputs,
                reply: Box::new(reply),
            },
            is_wanted: Box::new(is_wanted),
        };
        let queues = self.queues.as_ref().ok_or(full)?;
        queues.asides.try_send(aside).map_err(|_full| full)
    }

    /// The model that the threads run.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How many requests wait now; those that a thread is busy with are not among them.
    pub fn waiting(&self) -> usize {
        self.queues.as_ref().map_or(0, |queues| queues.jobs.len())
    }

    /// How many requests may wait.
    pub fn queue(&self) -> usize {
        self.queue
    }
}

fn work(
    model: &Model,
    Queues { jobs, asides }: &Queues<Receiver<Job>, Receiver<Aside>>,
    taken: &AtomicUsize,
) {
    loop {
        // The first that is ready, in this order.
        select_biased! {
            recv(jobs) -> job => {
                let Ok(job) = job else {
                    return;
                };
                run(model, job, taken);
            }
            recv(asides) -> aside => {
                let Ok(Aside { job: Job { inputs, reply }, is_wanted }) = aside else {
                    // Requests may be left when the pool ends, and nobody sends any more.
                    return jobs.iter().for_each(|job| run(model, job, taken));
                };
                drop(panic::contain(|| {
                    if is_wanted() {
                        reply(model.run(inputs));
                    }
                }));
            }
        }
    }
}

fn run(model: &Model, Job { inputs, reply }: Job, taken: &AtomicUsize) {
    let outcome = model.run(inputs);
    // A reply that panics has failed its own request, and must not cost the pool a thread.
    // The panic hook has reported it already.
    drop(panic::contain(|| reply(outcome)));
    taken.fetch_sub(1, Ordering::AcqRel);
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queues = None;
        let here = thread::current().id();
        // A reply may own the last handle of its pool: a thread cannot wait for its own end.
        for worker in self
            .workers
            .drain(..)
            .filter(|worker| worker.thread().id() != here)
        {
            // `work` contains every panic, so there is no outcome to look at.
            drop(worker.join());
        }
    }
}
