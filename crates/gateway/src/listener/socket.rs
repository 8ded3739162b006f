//! Listening sockets.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::GatewayError;

/// Connections the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// Listens on `address`. `reuse_port` lets another process do so too, which is how a new one takes over before
/// the old one has stopped.
pub fn listen(address: SocketAddr, reuse_port: bool) -> Result<TcpListener, GatewayError> {
    open(address, reuse_port).map_err(|source| GatewayError::Listen { address, source })
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
