//! A proxy or a server that is measured: what it costs while it is driven.

use std::{io, net::SocketAddr, path::PathBuf, time::Instant};

use crate::{
    drive::{DriveError, Load, Seen},
    figure::{Quantity, Round, Row},
    process::{Process, StartError},
};

/// A process that serves on a loopback port of its own.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

/// What drives a peer for a round. Figures of different drivers are never compared.
pub(crate) type Drive<'a> = &'a dyn Fn(SocketAddr, Load) -> Result<Seen, DriveError>;

impl Peer {
    /// The port as templates want it.
    pub(crate) fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// Drives it with `load` and says what that cost.
    pub(crate) fn measure(&self, load: Load, drive: Drive<'_>) -> Result<Round, PeerError> {
        let (before, switches) = (self.process.cpu()?, self.process.switches()?);
        let seen = drive(self.address, load)?;
        let spent = self.process.cpu()? - before;
        let switches = self.process.switches()?.saturating_sub(switches);
        let micros = 1e6 / seen.requests;
        let mut round = Round::from([
            (Quantity::CpuUs, (spent.user + spent.system) * micros),
            (Quantity::UserUs, spent.user * micros),
            (Quantity::SystemUs, spent.system * micros),
            (Quantity::PerSecond, seen.requests * 1e6 / seen.micros),
            (Quantity::MemoryKib, self.process.resident_kib()?),
            (Quantity::Switches, switches as f64 / seen.requests),
        ]);
        round.extend(seen.waits());
        Ok(round)
    }
}

/// Runs the rounds: each peer once a round, so that none has the quiet minutes for itself. The order turns, so that
/// none always follows the same other.
pub(crate) fn compare(peers: &[(&Peer, Drive<'_>)], load: Load) -> Result<Vec<Row>, PeerError> {
    if load.rounds > 1 {
        for (peer, drive) in peers {
            peer.measure(load.warmed_up(), drive)?;
        }
    }
    let mut rounds = vec![Vec::new(); peers.len()];
    let begun = Instant::now();
    for round in 0..usize::from(load.rounds) {
        for at in (0..peers.len()).map(|at| (at + round) % peers.len()) {
            if let (Some((peer, drive)), Some(rounds)) = (peers.get(at), rounds.get_mut(at)) {
                let seen = peer.measure(load, drive)?;
                let cpu = seen.get(&Quantity::CpuUs).copied().unwrap_or(f64::NAN);
                eprintln!(
                    "{:4.0} s, round {}: {:<10} {cpu:7.1} µs CPU",
                    begun.elapsed().as_secs_f64(),
                    round + 1,
                    peer.name
                );
                rounds.push(seen);
            }
        }
    }
    let named = peers.iter().zip(&rounds);
    Ok(named
        .map(|((peer, _), rounds)| Row::of(peer.name, rounds))
        .collect())
}

/// Why a peer gave no figures.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeerError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{name} accepts no connection; it said (in {log}): {said}", log = log.display())]
    NotServing {
        name: &'static str,
        log: PathBuf,
        said: String,
    },
    #[error("{0} is not installed, and nothing works without it")]
    Missing(&'static str),
    #[error("{0} does not answer an inference request")]
    Silent(&'static str),
    #[error("{0} lets in who has no token")]
    Open(&'static str),
    #[error("wald has not read its document anew")]
    Unchanged,
    #[error("the models of a scenario could not be trained")]
    Untrained,
    #[error(transparent)]
    Drive(#[from] DriveError),
    #[error("a file of a peer, or /proc, cannot be used")]
    Io(#[from] io::Error),
}
