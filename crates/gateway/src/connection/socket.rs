//! A socket whose first bytes can be looked at before anybody reads them.

use std::{
    io::IoSlice,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::wire::PacedStream;

/// The most that is read ahead: a PROXY header.
const READ_AHEAD: usize = 4096;

/// A socket, and what has been read from it ahead of time.
#[derive(Debug)]
pub(super) struct Socket {
    stream: PacedStream,
    early: Vec<u8>,
}

impl Socket {
    pub(super) fn new(stream: PacedStream) -> Self {
        Self { stream, early: Vec::new() }
    }

    /// What has come and has not been read.
    pub(super) fn early(&self) -> &[u8] {
        &self.early
    }

    /// Waits for more; an error if the peer has closed its side.
    pub(super) async fn read_ahead(&mut self) -> io::Result<()> {
        let room = READ_AHEAD.saturating_sub(self.early.len()).max(1);
        let read = (&mut self.stream).take(room as u64).read_buf(&mut self.early).await?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Reads the first `length` of the early bytes.
    pub(super) fn consume(&mut self, length: usize) {
        self.early.drain(..length.min(self.early.len()));
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..length]);
        self.consume(length);
        if self.early.is_empty() {
            self.early = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
