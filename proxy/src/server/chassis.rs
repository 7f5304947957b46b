//! The part of the server that is pingora's: services, their names, their end.

use std::io;
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use pingora_core::server::configuration::ServerConf;
use pingora_core::server::{ListenFds, RunArgs, Server, ShutdownWatch};
use pingora_core::services::{ServiceReadyNotifier, ServiceWithDependents};
use tokio::sync::oneshot;

use super::ending::Ending;
use super::worker::{Duty, work};

/// Runs the workers until the end, and waits for their threads.
pub(super) fn run(duties: Vec<Duty>, ending: Ending) -> io::Result<()> {
    let conf = ServerConf {
        threads: 1,
        work_stealing: false,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut threads = Vec::with_capacity(duties.len());
    for (number, duty) in duties.into_iter().enumerate() {
        let (service, thread) = WorkerService::start(format!("worker-{number}"), duty)?;
        server.add_service(service);
        threads.push(thread);
    }
    server.run(RunArgs {
        shutdown_signal: Box::new(ending),
    });
    threads.into_iter().try_for_each(joined)
}

fn joined(thread: JoinHandle<io::Result<()>>) -> io::Result<()> {
    thread
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("a worker panicked")))
}

/// A worker as pingora sees it: something that ends when its thread does.
struct WorkerService {
    name: String,
    ended: oneshot::Receiver<()>,
}

impl WorkerService {
    fn start(name: String, duty: Duty) -> io::Result<(Self, JoinHandle<io::Result<()>>)> {
        let (end, ended) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name(name.clone()).spawn(move || {
            let _end = end;
            work(duty).inspect_err(|error| tracing::error!(%error, "a worker cannot serve"))
        })?;
        Ok((Self { name, ended }, thread))
    }
}

#[async_trait]
impl ServiceWithDependents for WorkerService {
    async fn start_service(
        &mut self,
        _inherited: Option<ListenFds>,
        _shutdown: ShutdownWatch,
        _listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        ready.notify_ready();
        // The sender is never used, only dropped: either way the thread is gone.
        drop((&mut self.ended).await);
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }
}
