//! The proxies that are compared, and the backend behind them.

use std::{
    fmt, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    FOLDER,
    drive::{self, DriveError, Load},
    own::{self, Credentials},
    process::{Process, StartError},
};

/// How long a peer may take until it accepts connections.
const STARTING: Duration = Duration::from_secs(10);

/// How long each connection of a paced driver waits between requests, in the mean.
const PACE: Duration = Duration::from_millis(40);

/// A proxy, or the backend, serving on a loopback port of its own.
pub(crate) struct Peer {
    name: &'static str,
    address: SocketAddr,
    process: Process,
    driver: Driver,
}

/// What drives a peer. Figures of different drivers are never compared.
enum Driver {
    /// wrk, which costs the machine least.
    Wrk,
    /// This program, which can show a certificate.
    Own(Option<Credentials>),
    /// This program, at random times on each connection.
    Paced,
}

impl Peer {
    /// The model server that every proxy forwards to.
    pub(crate) fn backend(folder: &Path) -> Result<Self, PeerError> {
        Self::from_nginx("backend", "backend.conf", None, folder)
    }

    /// nginx as a proxy, with one worker.
    pub(crate) fn nginx(backend: &Self, folder: &Path) -> Result<Self, PeerError> {
        Self::from_nginx("nginx", "nginx.conf", Some(backend), folder)
    }

    /// Wald, with one worker.
    pub(crate) fn wald(program: &Path, backend: &Self, folder: &Path) -> Result<Self, PeerError> {
        Self::of_document("wald", "plain.yaml", program, backend, folder)
    }

    /// Wald, with one worker, over plain text and driven by this program.
    pub(crate) fn wald_plain(
        program: &Path,
        backend: &Self,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let peer = Self::of_document("plain", "plain.yaml", program, backend, folder)?;
        Ok(Self {
            driver: Driver::Own(None),
            ..peer
        })
    }

    /// Wald, with one worker, which wants to know who is calling.
    pub(crate) fn wald_secure(
        program: &Path,
        backend: &Self,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let credentials = Credentials::make(folder)?;
        let peer = Self::of_document("secure", "secure.yaml", program, backend, folder)?;
        Ok(Self {
            driver: Driver::Own(Some(credentials)),
            ..peer
        })
    }

    /// Wald, with one worker, which copies every request to a shadow, if there is one; driven at a fixed rate.
    pub(crate) fn wald_shadowed(
        name: &'static str,
        program: &Path,
        backend: &Self,
        shadow: Option<SocketAddr>,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let (document, port) = match shadow {
            None => ("plain.yaml", 0),
            Some(shadow) => ("shadowed.yaml", shadow.port()),
        };
        let mut command = Command::new(program);
        command.env("SHADOW", port.to_string());
        let peer = Self::run(name, document, command, backend, folder)?;
        Ok(Self {
            driver: Driver::Paced,
            ..peer
        })
    }

    fn of_document(
        name: &'static str,
        document: &str,
        program: &Path,
        backend: &Self,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        Self::run(name, document, Command::new(program), backend, folder)
    }

    fn run(
        name: &'static str,
        document: &str,
        mut command: Command,
        backend: &Self,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let address = free_address()?;
        command
            .args(["run", "-c"])
            .arg(Path::new(FOLDER).join("scenarios").join(document))
            .env("LISTEN", address.port().to_string())
            .env("BACKEND", backend.address.port().to_string())
            .env("FOLDER", folder)
            .current_dir(folder);
        Self::start(name, address, &mut command, folder)
    }

    fn from_nginx(
        name: &'static str,
        template: &str,
        backend: Option<&Self>,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let address = free_address()?;
        let backend = backend.map_or(0, |peer| peer.address.port());
        let text = fs::read_to_string(Path::new(FOLDER).join("peers").join(template))?
            .replace("${FOLDER}", &folder.to_string_lossy())
            .replace("${LISTEN}", &address.port().to_string())
            .replace("${BACKEND}", &backend.to_string());
        let file = folder.join(template);
        fs::write(&file, text)?;
        Self::start(
            name,
            address,
            Command::new("nginx")
                .arg("-p")
                .arg(folder)
                .arg("-c")
                .arg(file),
            folder,
        )
    }

    fn start(
        name: &'static str,
        address: SocketAddr,
        command: &mut Command,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let log = folder.join(format!("{name}.log"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?);
        let mut peer = Self {
            name,
            address,
            process: Process::start(command)?,
            driver: Driver::Wrk,
        };
        let until = Instant::now() + STARTING;
        while TcpStream::connect(address).is_err() {
            if peer.process.has_ended() || Instant::now() > until {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(PeerError::NotServing { name, log, said });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(peer)
    }

    /// What it is called in results.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Drives it with `load` and says what that cost.
    pub(crate) fn measure(&self, load: Load) -> Result<Measured, PeerError> {
        let before = self.process.cpu()?;
        let seen = match &self.driver {
            Driver::Wrk => drive::drive(self.address, load)?,
            Driver::Own(credentials) => own::drive(self.address, load, credentials.as_ref(), None)?,
            Driver::Paced => own::drive(self.address, load, None, Some(PACE))?,
        };
        let spent = self.process.cpu()? - before;
        let micros = 1e6 / seen.requests;
        Ok(Measured {
            user_us: spent.user * micros,
            system_us: spent.system * micros,
            requests_per_second: seen.requests * 1e6 / seen.micros,
            p50_us: seen.p50,
            p99_us: seen.p99,
        })
    }
}

/// What one round showed.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) user_us: f64,
    pub(crate) system_us: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.1} µs CPU a request (user {:.1}, system {:.1}), {:7.0} requests a second",
            self.user_us + self.system_us,
            self.user_us,
            self.system_us,
            self.requests_per_second
        )
    }
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
    #[error(transparent)]
    Drive(#[from] DriveError),
    #[error("a file of a peer, or /proc, cannot be used")]
    Io(#[from] io::Error),
}

/// A loopback address that was free a moment ago: peers must know each other's ports before they start.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
