//! Listening sockets, and those they accept.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;

use crate::GatewayError;

/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;
/// The kernel gives up on a client that acknowledges nothing for this many windows of the minimum rate. It goes on
/// after the connection was closed over an answer that nobody reads, where no timer of ours reaches.
const WINDOWS_WITHOUT_PROGRESS: u32 = 3;

/// Listens on `address`. `reuse_port` lets another process do so too, which is how a new one takes over before
/// the old one has stopped.
pub fn listen(address: SocketAddr, reuse_port: bool) -> Result<TcpListener, GatewayError> {
    open(address, reuse_port).map_err(|source| GatewayError::Listen { address, source })
}

/// Makes an accepted socket ready to serve.
pub(super) fn prepare(stream: &TcpStream, rate_window: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_user_timeout(Some(rate_window.saturating_mul(WINDOWS_WITHOUT_PROGRESS)))
}

fn open(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
