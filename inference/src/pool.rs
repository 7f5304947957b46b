//! Threads that run one model, and the bounded queue before them.
//!
//! A model computes for microseconds to milliseconds. On a network thread that would delay every
//! other request there, and unbounded threads were measured to double the p99: so there are as
//! many threads as the document says, and what does not fit the queue is refused at once.

use std::io;
use std::num::NonZeroUsize;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{Model, RunError, Tensor, panic};

/// The workers of one model. Dropping it waits until its queue is empty and its threads have ended.
#[derive(Debug)]
pub struct Pool {
    model: Model,
    queue: usize,
    /// `None` only while dropping: without a sender the workers end once the queue is empty.
    jobs: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
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

type Reply = Box<dyn FnOnce(Result<Vec<Tensor>, RunError>) + Send>;

impl Pool {
    /// Starts the threads. Besides what they are busy with, `queue` requests may wait; with a
    /// queue of 0 a request is taken only if a thread is idle.
    pub fn start(model: Model, threads: NonZeroUsize, queue: usize) -> Result<Self, StartError> {
        let (jobs, taken) = bounded(queue);
        // Complete before the first thread starts, so that an error half-way ends those that run.
        let mut pool = Self {
            model,
            queue,
            jobs: Some(jobs),
            workers: Vec::with_capacity(threads.get()),
        };
        for worker in 0..threads.get() {
            let handle = pool
                .worker(worker, taken.clone())
                .map_err(|cause| StartError { worker, cause })?;
            pool.workers.push(handle);
        }
        Ok(pool)
    }

    fn worker(&self, worker: usize, jobs: Receiver<Job>) -> io::Result<JoinHandle<()>> {
        let model = self.model.clone();
        thread::Builder::new()
            .name(format!("model-{worker}"))
            .spawn(move || work(&model, &jobs))
    }

    /// Queues a request. The reply is called once, on a worker's thread: it should only hand on.
    pub fn submit(
        &self,
        inputs: Vec<Tensor>,
        reply: impl FnOnce(Result<Vec<Tensor>, RunError>) + Send + 'static,
    ) -> Result<(), Full> {
        let job = Job {
            inputs,
            reply: Box::new(reply),
        };
        let queued = self
            .jobs
            .as_ref()
            .is_some_and(|jobs| jobs.try_send(job).is_ok());
        if queued {
            Ok(())
        } else {
            Err(Full { queue: self.queue })
        }
    }

    /// The model that the threads run.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How many requests wait now; those that a thread is busy with are not among them.
    pub fn waiting(&self) -> usize {
        self.jobs.as_ref().map_or(0, Sender::len)
    }

    /// How many requests may wait.
    pub fn queue(&self) -> usize {
        self.queue
    }
}

fn work(model: &Model, jobs: &Receiver<Job>) {
    for Job { inputs, reply } in jobs {
        let outcome = model.run(inputs);
        // A reply that panics has failed its own request, and must not cost the pool a thread.
        // The panic hook has reported it already.
        drop(panic::contain(|| reply(outcome)));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
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
