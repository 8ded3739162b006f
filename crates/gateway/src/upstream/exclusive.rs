//! A request that asks for an upgrade (RFC 9110, section 7.8), on a connection of its own.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::http1::Builder};
use hyper_util::rt::TokioIo;

use super::{
    Wants,
    error::UpstreamError,
    patience::{Patience, Unanswered},
    request::Outgoing,
    stream::Stream,
    timer::Timer,
};

/// Sends the request and spawns the connection, which ends with the response or lives on in its `OnUpgrade`.
pub(super) async fn send(
    stream: Stream,
    request: Box<Request<Outgoing>>,
    wants: &Wants,
) -> Result<(Response<Incoming>, Timer), Unanswered> {
    let (mut sender, connection) = match Builder::new().handshake(TokioIo::new(stream)).await {
        Ok(opened) => opened,
        Err(error) => return Err(Unanswered { error: UpstreamError::Protocol(error.into()), unsent: None }),
    };
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to an upstream that was to be upgraded ended");
        }
    });
    let mut timer = Timer::new(wants.response_timeout);
    let mut patience = Patience::new(&request, wants.response_timeout, &mut timer);
    let mut answer = pin!(sender.try_send_request(*request));
    let response = poll_fn(|context| match answer.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer.map_err(|error| patience.broken(error))),
        Poll::Pending => patience.poll_end(&mut timer, context).map(Err),
    })
    .await?;
    Ok((response, timer))
}
