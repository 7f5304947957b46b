//! Where peers are started: one folder for the files of a scenario, and the templates they are made of.

use std::{
    collections::BTreeSet,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    FOLDER,
    drive::Load,
    peer::{Peer, PeerError},
    process::Process,
};

/// How long a peer may take until it accepts connections. Servers in Python import for some seconds.
const STARTING: Duration = Duration::from_secs(180);

/// A scenario's own place.
pub(crate) struct Stage {
    /// The `wald` to measure.
    pub(crate) wald: PathBuf,
    /// Whether this run only shows that the instrument works.
    pub(crate) is_short: bool,
    /// How often everybody is driven, if not as often as a scenario says.
    rounds: Option<u16>,
    /// Where everything that peers read and write is kept.
    pub(crate) folder: PathBuf,
    absent: Mutex<BTreeSet<&'static str>>,
}

/// What a peer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Wald,
    Nginx,
    Haproxy,
    Envoy,
    /// Of ours, beside this program.
    Floor,
}

/// A peer to be started: its name in results, and the template of what it reads.
pub(crate) struct Cast<'a> {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// A file of `scenarios` or `peers`; nothing for the floor.
    pub(crate) template: &'a str,
    /// Threads that serve.
    pub(crate) workers: u16,
    /// Names in the template beyond `LISTEN`, `FOLDER` and `WORKERS`.
    pub(crate) values: &'a [(&'a str, String)],
}

/// A peer of a list: its name in results, what it is, and its template.
pub(crate) type Part = (&'static str, Program, &'static str);

impl Stage {
    pub(crate) fn new(wald: &Path, folder: &Path, is_short: bool, rounds: Option<u16>) -> Self {
        Self {
            wald: wald.to_owned(),
            is_short,
            rounds,
            folder: folder.to_owned(),
            absent: Mutex::default(),
        }
    }

    /// The load of a scenario, or a second of little in a short run.
    pub(crate) fn load(&self, full: Load) -> Load {
        if self.is_short {
            Load {
                connections: full.connections.min(8),
                seconds: 1,
                rounds: 1,
            }
        } else {
            Load {
                rounds: self.rounds.unwrap_or(full.rounds),
                ..full
            }
        }
    }

    /// The model server that proxies forward to.
    pub(crate) fn backend(&self) -> Result<Peer, PeerError> {
        self.backend_named("backend")
    }

    /// Another of them.
    pub(crate) fn backend_named(&self, name: &'static str) -> Result<Peer, PeerError> {
        let backend = self.start(&Cast {
            name,
            program: Program::Nginx,
            template: "backend.conf",
            workers: 1,
            values: &[],
        })?;
        backend.ok_or(PeerError::Missing("nginx"))
    }

    /// Starts a peer; `None` where its program is not installed, which the report then says.
    pub(crate) fn start(&self, cast: &Cast<'_>) -> Result<Option<Peer>, PeerError> {
        let Some(program) = self.program(cast.program) else {
            return Ok(None);
        };
        let address = free_address()?;
        let mut command = Command::new(program);
        self.arguments(cast, address, &mut command)?;
        self.run(cast.name, address, &mut command).map(Some)
    }

    /// The same under callgrind, which counts instructions and writes the count to this file of the stage.
    pub(crate) fn start_counted(
        &self,
        cast: &Cast<'_>,
        count: &str,
    ) -> Result<Option<Peer>, PeerError> {
        let (valgrind, program) = (installed("valgrind"), self.program(cast.program));
        let (Some(valgrind), Some(program)) = (valgrind, program) else {
            return Ok(None);
        };
        let address = free_address()?;
        let mut command = Command::new(valgrind);
        let log = format!("--log-file={}", self.folder.join(count).display());
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", &log]);
        command.arg(program);
        self.arguments(cast, address, &mut command)?;
        self.run(cast.name, address, &mut command).map(Some)
    }

    /// Where a program is; one that is not there is noted.
    fn program(&self, program: Program) -> Option<PathBuf> {
        let found = match program {
            Program::Wald => Some(self.wald.clone()),
            program => program.find(),
        };
        if let (None, Ok(mut absent)) = (&found, self.absent.lock()) {
            absent.insert(program.name());
        }
        found
    }

    /// Starts those of a list that are installed, with one worker each.
    pub(crate) fn cast(
        &self,
        list: &[Part],
        values: &[(&str, String)],
    ) -> Result<Vec<Peer>, PeerError> {
        let peers = list.iter().map(|(name, program, template)| {
            self.start(&Cast {
                name,
                program: *program,
                template,
                workers: 1,
                values,
            })
        });
        peers.filter_map(Result::transpose).collect()
    }

    /// A sentence for each program that was not there.
    pub(crate) fn notes(&self) -> Vec<String> {
        let Ok(absent) = self.absent.lock() else {
            return Vec::new();
        };
        let notes = absent.iter();
        notes
            .map(|program| format!("{program} is not installed and was left out."))
            .collect()
    }

    fn arguments(
        &self,
        cast: &Cast<'_>,
        address: SocketAddr,
        command: &mut Command,
    ) -> Result<(), PeerError> {
        let listen = address.port().to_string();
        if cast.program == Program::Floor {
            let backend = cast.values.iter().find(|(name, _)| *name == "BACKEND");
            command.arg(listen);
            command.args(backend.map(|(_, port)| port));
            return Ok(());
        }
        let file = self.fill(cast, listen)?;
        match cast.program {
            Program::Wald => command.args(["run", "-c"]).arg(file),
            Program::Nginx => command.arg("-p").arg(&self.folder).arg("-c").arg(file),
            Program::Haproxy => command.arg("-db").arg("-f").arg(file),
            Program::Envoy | Program::Floor => command
                .args(["--log-level", "error", "--disable-hot-restart"])
                .args(["--concurrency", &cast.workers.to_string()])
                .arg("-c")
                .arg(file),
        };
        Ok(())
    }

    /// Writes the template with its values, and says where.
    fn fill(&self, cast: &Cast<'_>, listen: String) -> io::Result<PathBuf> {
        let of = match cast.program {
            Program::Wald => "scenarios",
            _ => "peers",
        };
        // A template with a folder of its own, which was made for this run, is taken from there.
        let template = Path::new(FOLDER).join(of).join(cast.template);
        let common = [
            ("LISTEN", listen),
            ("WORKERS", cast.workers.to_string()),
            ("FOLDER", self.folder.to_string_lossy().into_owned()),
            ("NAME", file_name(cast.name)),
        ];
        let mut text = fs::read_to_string(&template)?;
        for (name, value) in common.iter().chain(cast.values) {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        let kind = template.extension().unwrap_or_default();
        let file = self.folder.join(file_name(cast.name)).with_extension(kind);
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Starts a command and waits until it accepts connections.
    pub(crate) fn run(
        &self,
        name: &'static str,
        address: SocketAddr,
        command: &mut Command,
    ) -> Result<Peer, PeerError> {
        let log = self.folder.join(file_name(name) + ".log");
        let file = fs::File::create(&log)?;
        command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let mut process = Process::start(command)?;
        let until = Instant::now() + STARTING;
        while TcpStream::connect(address).is_err() {
            if process.has_ended() || Instant::now() > until {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(PeerError::NotServing { name, log, said });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Peer {
            name,
            address,
            process,
        })
    }
}

impl Program {
    /// Where it is; `None` if it is not installed.
    pub(crate) fn find(self) -> Option<PathBuf> {
        let private = match self {
            Self::Wald | Self::Floor => std::env::current_exe().ok()?.with_file_name(self.name()),
            Self::Envoy => Path::new(FOLDER).join("../.venv-envoy/bin/envoy"),
            Self::Nginx | Self::Haproxy => return installed(self.name()),
        };
        private
            .is_file()
            .then_some(private)
            .or_else(|| installed(self.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Wald => "wald",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "envoy",
            Self::Floor => "floor",
        }
    }
}

/// What a peer's files are called: configurations do not want blanks in names.
fn file_name(peer: &str) -> String {
    peer.replace(' ', "-")
}

/// Where the shell would find a program. Debian keeps servers where only root looks.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A loopback address that was free a moment ago: peers must know each other's ports before they start.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
