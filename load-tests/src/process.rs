//! A process that this program started: its CPU time while it runs, its end when it is dropped.

use std::{
    collections::HashMap,
    fs, io,
    ops::Sub,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end by itself before it is killed.
const ENDING: Duration = Duration::from_secs(10);

/// When it is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// A running child; ended with SIGTERM when dropped, so that it takes its own children along.
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command`, or says which program is missing and what brings it.
    pub(crate) fn start(command: &mut Command) -> Result<Self, StartError> {
        command
            .spawn()
            .map(Self)
            .map_err(|source| StartError::new(&command.get_program().to_string_lossy(), source))
    }

    /// CPU time so far of this process and all that descend from it.
    pub(crate) fn cpu(&self) -> io::Result<Cpu> {
        let table = table()?;
        let mut cpu = Cpu::default();
        for row in self.family(&table).iter().filter_map(|id| table.get(id)) {
            cpu.user += row.cpu.user;
            cpu.system += row.cpu.system;
        }
        Ok(cpu)
    }

    /// How often its threads have been put aside so far, by their own wish or not, and those of its descendants.
    pub(crate) fn switches(&self) -> io::Result<u64> {
        let mut switches = 0;
        for id in self.family(&table()?) {
            let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
                continue;
            };
            for thread in threads {
                // A thread may end between the listing and this line.
                let status = fs::read_to_string(thread?.path().join("status"));
                let status = status.unwrap_or_default();
                switches += number(&status, "voluntary_ctxt_switches:");
                switches += number(&status, "nonvoluntary_ctxt_switches:");
            }
        }
        Ok(switches)
    }

    /// Resident memory of it and its descendants; pages that several share count once (smaps_rollup, proc(5)).
    pub(crate) fn resident_kib(&self) -> io::Result<f64> {
        let family = self.family(&table()?);
        let maps = family
            .iter()
            .filter_map(|id| fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok());
        Ok(maps.map(|maps| number(&maps, "Pss:") as f64).sum())
    }

    fn family(&self, table: &HashMap<u32, Row>) -> Vec<u32> {
        let mut family = vec![self.0.id()];
        let mut seen = 0;
        while let Some(parent) = family.get(seen).copied() {
            let children = table.iter().filter(|(_, row)| row.parent == parent);
            family.extend(children.map(|(id, _)| *id));
            seen += 1;
        }
        family
    }

    /// Its number, for signals.
    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let asked = self.id();
        let until = Instant::now() + ENDING;
        while !self.has_ended() && Instant::now() < until {
            // Again and again: nginx in one process misses a signal that comes just before it begins to wait.
            if kill_process(asked, Signal::TERM).is_err() {
                break;
            }
            let again = Instant::now() + AGAIN;
            while !self.has_ended() && Instant::now() < again {
                thread::sleep(Duration::from_millis(10));
            }
        }
        if !self.has_ended() && self.0.kill().is_ok() {
            // Reaps it; an error would only say that it is gone already.
            self.0.wait().ok();
        }
    }
}

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{program} does not start: is it installed? `make bench` installs what it needs")]
pub(crate) struct StartError {
    program: String,
    source: io::Error,
}

impl StartError {
    /// Says that `program` could not be started.
    pub(crate) fn new(program: &str, source: io::Error) -> Self {
        Self {
            program: program.to_owned(),
            source,
        }
    }
}

/// CPU seconds, in the program itself and in the kernel on its behalf.
#[derive(Clone, Copy, Default)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl Sub for Cpu {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user - earlier.user,
            system: self.system - earlier.system,
        }
    }
}

/// The number behind a name that begins a line; zero if there is none.
fn number(text: &str, name: &str) -> u64 {
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_default()
}

struct Row {
    parent: u32,
    cpu: Cpu,
}

/// Kernel ticks a second in /proc: fixed at 100 for user space on Linux, whatever the kernel's own rate.
const TICKS_A_SECOND: f64 = 100.0;

/// Every process of the machine, from /proc/PID/stat (proc(5)).
fn table() -> io::Result<HashMap<u32, Row>> {
    let mut table = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process may end between the listing and this line.
        let Ok(line) = fs::read_to_string(format!("/proc/{id}/stat")) else {
            continue;
        };
        table.extend(row(&line).map(|row| (id, row)));
    }
    Ok(table)
}

/// Reads one stat line. The name in parentheses may hold anything, so fields are counted from its end:
/// state, parent, and utime and stime as the 12th and 13th after the name.
fn row(line: &str) -> Option<Row> {
    let (_, fields) = line.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let seconds = |at: usize| {
        fields
            .get(at)?
            .parse::<f64>()
            .ok()
            .map(|ticks| ticks / TICKS_A_SECOND)
    };
    Some(Row {
        parent: fields.get(1)?.parse().ok()?,
        cpu: Cpu {
            user: seconds(11)?,
            system: seconds(12)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_a_name_with_spaces_and_parentheses() {
        let line = "42 (a (b) c) S 7 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 1 0 100 1 1";
        let row = row(line).expect("a row");
        assert_eq!(row.parent, 7);
        assert!((row.cpu.user - 1.5).abs() < 1e-9);
        assert!((row.cpu.system - 0.25).abs() < 1e-9);
    }
}
