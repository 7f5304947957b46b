//! `wald`: reads the command line and does what it says.

mod accept;
mod admin;
mod audit;
mod causes;
mod cli;
mod coding;
mod credentials;
mod demo;
mod feedback;
mod forward;
mod gateway;
mod grpc;
mod handover;
mod identify;
mod infer;
mod live;
mod members;
mod observe;
mod outward;
mod probe;
mod provenance;
mod rates;
mod recording;
mod referee;
mod refusal;
mod reload;
mod server;
mod shadow;
mod store;
mod token;
mod webhooks;
mod workers;

use std::process::ExitCode;

use clap::Parser;

/// Fewer cycles a request than the system's allocator, on one thread as on many.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().obey() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let exit = failure.exit();
            eprintln!("wald: {:#}", anyhow::Error::from(failure));
            exit.into()
        }
    }
}
