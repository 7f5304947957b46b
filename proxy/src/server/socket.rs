//! Listening sockets: one for each worker on the same address, so that the kernel spreads connections and
//! no worker waits for another.

use std::fs::{self, Permissions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use policy::Address;

use crate::accept;
use crate::handover::Inherited;
use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted. The kernel lowers it to its own `somaxconn`.
const BACKLOG: i32 = 4096;

/// Whoever is of the socket's owner or group may connect.
const UNIX_MODE: u32 = 0o660;

/// At least `count` sockets on one address, those that are handed over first. Were one of these closed, the
/// connections that wait for it would be reset, so there may be more.
pub(crate) fn of(
    address: &Address,
    count: usize,
    inherited: &mut Inherited,
) -> io::Result<Vec<accept::Socket>> {
    match address {
        Address::Tcp(at) => {
            let mut sockets = inherited.tcp(address)?;
            match sockets.first().map(TcpListener::local_addr).transpose()? {
                None => sockets = shared(*at, count)?,
                Some(found) => {
                    for _ in sockets.len()..count {
                        sockets.push(listen(found)?);
                    }
                }
            }
            Ok(sockets.into_iter().map(accept::Socket::Tcp).collect())
        }
        Address::Unix(path) => {
            let socket = match inherited.unix(address)? {
                Some(socket) => socket,
                None => at(path, UNIX_MODE)?,
            };
            let sockets = (0..count).map(|_| socket.try_clone().map(accept::Socket::Unix));
            sockets.collect()
        }
    }
}

/// The socket at a path. What a process that is gone has left there is removed; a living one is not.
pub(crate) fn at(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket
        && UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    {
        fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// `count` sockets on one address. Port 0 takes a free port, the same for all.
pub(super) fn shared(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let address = prove_free(address)?;
    (0..count).map(|_| listen(address)).collect()
}

/// The one socket on an address.
pub(crate) fn alone(address: SocketAddr, inherited: &mut Inherited) -> io::Result<TcpListener> {
    let found = inherited.tcp(&Address::Tcp(address))?.into_iter().next();
    let socket = found.map_or_else(|| TcpListener::bind(address), Ok)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Fails if anyone listens there. With `SO_REUSEPORT` alone a second process of the same user would silently
/// take half of the connections.
fn prove_free(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)?;
    TcpListener::from(socket).local_addr()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_workers_share_one_free_port() {
        let sockets = shared("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let ports: Vec<u16> = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap().port())
            .collect();
        assert_eq!(ports.len(), 3);
        assert!(
            ports[0] != 0 && ports.iter().all(|port| *port == ports[0]),
            "{ports:?}"
        );
    }

    #[test]
    fn a_socket_that_is_left_behind_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wald.sock");
        let living = at(&path, UNIX_MODE).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, UNIX_MODE);
        let error = at(&path, UNIX_MODE).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(living);
        assert!(path.exists(), "nobody listens there any more");
        at(&path, UNIX_MODE).unwrap();
        let file = folder.path().join("notes.txt");
        fs::write(&file, "mine").unwrap();
        assert!(at(&file, UNIX_MODE).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"mine");
    }

    #[test]
    fn an_address_in_use_is_refused_even_if_its_owner_shares_it() {
        let first = shared("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let error = shared(first[0].local_addr().unwrap(), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
