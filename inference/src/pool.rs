//! Threads that run one model, and the bounded queue before them.
//!
//! A model computes for microseconds to milliseconds. On a network thread that would delay every
//! other request there, and unbounded threads were measured to double the p99: so there are as
//! many threads as the document says, and what does not fit the queue is refused at once.
//!
//! Where the document lets them, requests that are alike run together: those that wait when a thread becomes free,
//! so that none is kept waiting for others unless the document says how long.
//!
//! What nobody waits for has a queue of its own, which is looked at when the other is empty. A run
//! cannot be interrupted, so where there are several threads one of them never looks there.

mod desk;
mod sizes;
mod work;

use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never};

pub use sizes::{BATCH_BOUNDS, BatchSizes};

use crate::limits::QUICK_MAX;
use crate::model::rows;
use crate::{Cost, Model, RunError, Tensor, Unbatchable};
use sizes::Tally;
use work::{Batching, Worker};

/// The workers of one model. When it is dropped they end by themselves, once they have answered what it had taken:
/// whoever drops it, which may be a thread that serves requests, does not wait for that.
#[derive(Debug)]
pub struct Pool {
    model: Model,
    crew: Crew,
    cost: Option<Cost>,
    /// How many requests wait or run; what nobody waits for is not among them, and takes no place of theirs.
    taken: Arc<AtomicUsize>,
    taken_max: usize,
    tally: Arc<Tally>,
    /// Without these the workers end.
    queues: Queues<Sender<Job>, Sender<Aside>>,
}

/// The threads of a model, and what may wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crew {
    /// How many run it at once.
    pub threads: NonZeroUsize,
    /// How many requests may wait besides; with 0 a request is taken only if a thread is idle.
    pub queue: usize,
    /// Whether requests run together.
    pub batch: Option<Batch>,
}

/// How requests run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How many rows at most. A request that alone has more runs alone.
    pub max: NonZeroUsize,
    /// How long a request waits for others when a thread is free.
    pub wait: Duration,
}

/// Where a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the thread that has the request.
    Network,
    /// On the model's own threads.
    Own,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Network => "the thread that has the request",
            Self::Own => "threads of its own",
        })
    }
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

/// Why the threads of a model do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gave none.
    #[error("worker {worker} of the model cannot start")]
    Worker {
        /// Counted from 0.
        worker: usize,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It is to run requests together, and cannot.
    #[error("requests cannot run together")]
    Unbatchable(#[from] Unbatchable),
}

struct Job {
    inputs: Vec<Tensor>,
    queued: Instant,
    until: Option<Instant>,
    reply: Reply,
}

impl Job {
    fn rows(&self) -> usize {
        rows(&self.inputs)
    }
}

/// What nobody waits for.
struct Aside {
    job: Job,
    /// Asked when its turn has come.
    is_wanted: Box<dyn FnOnce() -> bool + Send>,
}

type Reply = Box<dyn FnOnce(Result<Vec<Tensor>, RunError>) + Send>;

impl Pool {
    /// Starts the threads. What the model was found to cost says which requests need none of them.
    pub fn start(model: Model, crew: Crew, cost: Option<Cost>) -> Result<Self, StartError> {
        if crew.batch.is_some() {
            model.batchable()?;
        }
        let Crew { threads, queue, .. } = crew;
        let taken_max = threads.get().saturating_add(queue);
        let (jobs, waiting) = bounded(taken_max);
        let (asides, waiting_aside) = bounded(queue);
        // Complete before the first thread starts, so that an error half-way ends those that run.
        let pool = Self {
            model,
            crew,
            cost,
            taken: Arc::default(),
            taken_max,
            tally: Arc::default(),
            queues: Queues { jobs, asides },
        };
        let batching = crew.batch.map(|it| Batching::new(it, threads.get()));
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
            pool.worker(worker, queues, batching.clone())
                .map_err(|cause| StartError::Worker { worker, cause })?;
        }
        Ok(pool)
    }

    fn worker(
        &self,
        number: usize,
        Queues { jobs, asides }: Queues<Receiver<Job>, Receiver<Aside>>,
        batching: Option<Batching>,
    ) -> io::Result<()> {
        let worker = Worker {
            model: self.model.clone(),
            jobs,
            asides,
            taken: Arc::clone(&self.taken),
            tally: Arc::clone(&self.tally),
            batching,
        };
        thread::Builder::new()
            .name(format!("model-{number}"))
            .spawn(move || worker.work())
            .map(drop)
    }

    /// Queues a request. The reply is called once, on a worker's thread: it should only hand on. A request whose
    /// turn comes after `until` is not run.
    pub fn submit(
        &self,
        inputs: Vec<Tensor>,
        until: Option<Instant>,
        reply: impl FnOnce(Result<Vec<Tensor>, RunError>) + Send + 'static,
    ) -> Result<(), Full> {
        let full = self.full();
        let place = |taken| (taken < self.taken_max).then_some(taken + 1);
        let (set, fetch) = (Ordering::AcqRel, Ordering::Acquire);
        self.taken
            .fetch_update(set, fetch, place)
            .map_err(|_taken| full)?;
        let job = Job {
            inputs,
            queued: Instant::now(),
            until,
            reply: Box::new(reply),
        };
        // Who has a place fits.
        self.queues.jobs.try_send(job).map_err(|_full| full)
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
        let full = self.full();
        let aside = Aside {
            job: Job {
                inputs,
                queued: Instant::now(),
                until: None,
                reply: Box::new(reply),
            },
            is_wanted: Box::new(is_wanted),
        };
        self.queues.asides.try_send(aside).map_err(|_full| full)
    }

    fn full(&self) -> Full {
        Full {
            queue: self.crew.queue,
        }
    }

    /// What is known of the cost, where requests may run on threads that serve them: not those that are to run
    /// together, not texts, whose tokens nobody has measured, and not where a value decides how much there is to do.
    fn known(&self) -> Option<Cost> {
        let is_told = self.model.tokenizer().is_none() && self.model.is_steady();
        self.cost.filter(|_| self.crew.batch.is_none() && is_told)
    }

    /// Where a request runs that costs as much as what the model was tried with.
    pub fn place(&self) -> Place {
        if self.known().is_some_and(|cost| cost.time() <= QUICK_MAX) {
            Place::Network
        } else {
            Place::Own
        }
    }

    /// Whether these inputs take so little time that a thread which serves requests runs them sooner than it hands
    /// them over. Never where requests are to run together.
    pub fn is_quick(&self, inputs: &[Tensor]) -> bool {
        self.known()
            .is_some_and(|cost| cost.of(inputs) <= QUICK_MAX)
    }

    /// The model that the threads run.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How many requests wait now for a thread to look at them.
    pub fn waiting(&self) -> usize {
        self.queues.jobs.len()
    }

    /// How many requests may wait.
    pub fn queue(&self) -> usize {
        self.crew.queue
    }

    /// How many rows its threads ran together so far.
    pub fn batch_sizes(&self) -> BatchSizes {
        self.tally.sizes()
    }
}
