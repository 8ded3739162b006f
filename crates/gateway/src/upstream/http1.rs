//! HTTP/1.1 connections to a target and the stack of idle ones.
//!
//! A connection has no task of its own: whoever uses it drives it, first the request that waits for its
//! answer, then the response body. That keeps both sockets of a proxied request in one task and saves two
//! wake-ups across tasks per message. Idle connections are looked at when they are taken and when they are
//! swept, so a close by the target is noticed then.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;

use super::{
    exchange::{Exchange, Unanswered},
    request::Outgoing,
    stream::Stream,
    timer::Timer,
};

/// A connection that does one exchange at a time.
pub(super) struct Http1 {
    sender: SendRequest<Outgoing>,
    /// `None` once it is closed.
    connection: Option<Connection<TokioIo<Stream>, Outgoing>>,
    pub(super) timer: Timer,
    /// Whether it has carried an exchange before.
    pub(super) reused: bool,
    swept_before: u32,
}

impl Http1 {
    pub(super) async fn open(stream: Stream) -> hyper::Result<Box<Self>> {
        let (sender, connection) = Builder::new().handshake(TokioIo::new(stream)).await?;
        // Set anew by each exchange.
        let timer = Timer::new(Duration::from_secs(60));
        Ok(Box::new(Self { sender, connection: Some(connection), timer, reused: false, swept_before: 0 }))
    }

    /// Sends a request and drives the connection until the head of its response is there.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
        timeout: Duration,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut exchange = Exchange::new(&request, timeout);
        let mut answer = pin!(self.sender.try_send_request(request));
        self.timer.set(timeout);
        std::future::poll_fn(|context| {
            loop {
                drive(&mut self.connection, context);
                if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                    return Poll::Ready(answer.map_err(|error| exchange.failed(error)));
                }
                if exchange.is_late(&mut self.timer, context) {
                    return Poll::Ready(Err(exchange.timed_out()));
                }
                if !exchange.extended() {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Lets the connection read and write what it can.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.connection, context);
    }

    /// Whether it is open and has nothing left to read or write of its last exchange.
    pub(super) fn is_ready(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }
}

fn drive(connection: &mut Option<Connection<TokioIo<Stream>, Outgoing>>, context: &mut Context<'_>) {
    if let Some(open) = connection
        && Pin::new(open).poll(context).is_ready()
    {
        // Dropping it is what hands a request that was never written back to its sender.
        *connection = None;
    }
}
