//! The proxies that are compared, and the backend behind them.

use std::{
    fmt, fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use crate::{
    FOLDER,
    drive::{self, DriveError, Load, Script},
    own::{self, Credentials},
    process::{Process, StartError},
};

/// How long a peer may take until it accepts connections. Servers in Python import for some seconds.
const STARTING: Duration = Duration::from_secs(60);

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
    Wrk(Script),
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

    /// Wald as it comes, which runs the model of a folder itself.
    pub(crate) fn wald_inline(
        program: &Path,
        model: &Path,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let address = free_address()?;
        let digest = Sha256::digest(fs::read(model.join("model.onnx"))?);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut command = Command::new(program);
        command
            .args(["run", "-c"])
            .arg(Path::new(FOLDER).join("scenarios/inline.yaml"))
            .env("LISTEN", address.port().to_string())
            .env("MODEL", model)
            .env("SHA256", digest)
            .current_dir(folder);
        Self::start("wald", address, &mut command, folder)?.asked_for(model)
    }

    /// A model server in Python, as `peers/inline.py` starts it.
    pub(crate) fn in_python(
        name: &'static str,
        python: &Path,
        model: &Path,
        folder: &Path,
    ) -> Result<Self, PeerError> {
        let address = free_address()?;
        let mut command = Command::new(python);
        command
            .arg(Path::new(FOLDER).join("peers/inline.py"))
            .arg(name)
            .arg(model)
            .arg(address.port().to_string());
        Self::start(name, address, &mut command, folder)?.asked_for(model)
    }

    /// Driven with the model's own request, once it is answered.
    fn asked_for(self, model: &Path) -> Result<Self, PeerError> {
        let body = model.join("body.json");
        let json = fs::read(&body)?;
        let until = Instant::now() + STARTING;
        while !is_answered(self.address, &json)? {
            if Instant::now() > until {
                let (name, log) = (self.name, model.to_owned());
                let said = "it does not answer an inference request".to_owned();
                return Err(PeerError::NotServing { name, log, said });
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(Self {
            driver: Driver::Wrk(Script::Infer(body)),
            ..self
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
            driver: Driver::Wrk(Script::Post),
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
            Driver::Wrk(script) => drive::drive(self.address, load, script)?,
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
    #[error("the models of a scenario could not be trained")]
    Untrained,
    #[error(transparent)]
    Drive(#[from] DriveError),
    #[error("a file of a peer, or /proc, cannot be used")]
    Io(#[from] io::Error),
}

/// Whether the model is served by now.
fn is_answered(address: SocketAddr, json: &[u8]) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    let length = json.len();
    let head = format!(
        "POST /v2/models/served/infer HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), json].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// A loopback address that was free a moment ago: peers must know each other's ports before they start.
pub(crate) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
