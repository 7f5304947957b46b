//! Servers and clients of others, in Python, from the environment that `make test` keeps for them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::{Client, until};

/// A running server of others; it is ended when it is dropped.
pub struct Peer(Child);

impl Peer {
    /// Starts a program of the environment with these arguments, and waits until a GET of `ready` succeeds.
    pub async fn start(
        program: &str,
        arguments: &[&str],
        address: SocketAddr,
        ready: &str,
    ) -> Self {
        Self::run(Command::new(installed(program)), arguments, address, ready).await
    }

    /// Starts a script of ours in the environment of `make test-peers`, as [`Peer::start`] does.
    pub async fn triton(
        script: &str,
        arguments: &[&str],
        address: SocketAddr,
        ready: &str,
    ) -> Self {
        let mut command = Command::new(environment(".venv-triton", "python"));
        command.arg(self::script(script));
        Self::run(command, arguments, address, ready).await
    }

    async fn run(
        mut command: Command,
        arguments: &[&str],
        address: SocketAddr,
        ready: &str,
    ) -> Self {
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let peer = Self(command.spawn().expect("a peer starts"));
        until(&format!("{ready} is there"), async || {
            let mut client = Client::knock(address).await.ok()?;
            let answer = client.attempt(http::Method::GET, ready, &[], bytes::Bytes::new());
            answer.await.ok()?.status.is_success().then_some(())
        })
        .await;
        peer
    }

    /// Starts a script of ours that prints the port it got.
    pub fn announced(script: &str, arguments: &[&str]) -> (Self, SocketAddr) {
        let mut command = Command::new(installed("python"));
        command
            .arg(self::script(script))
            .args(arguments)
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("a peer starts");
        let mut line = String::new();
        let said = child.stdout.take().expect("standard output is a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut line).expect("a line");
        let port: u16 = line.trim().parse().expect("a port");
        (Self(child), (Ipv4Addr::LOCALHOST, port).into())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What a script of ours says, which must succeed.
pub fn said(script: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(installed("python"));
    let output = command.arg(self::script(script)).args(arguments).output();
    let output = output.expect("python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An address that nobody listens at.
pub fn free_address() -> SocketAddr {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
    free.expect("a port is free")
}

fn installed(program: &str) -> PathBuf {
    environment(".venv-peers", program)
}

fn environment(name: &str, program: &str) -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let path = root.join(name).join("bin").join(program);
    assert!(path.exists(), "{}: `make` installs it", path.display());
    path
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/peers")).join(name)
}
