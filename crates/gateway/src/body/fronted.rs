//! Responses whose front is held, so that it can be looked at before a byte of it leaves.

use std::time::Duration;

use bartizan_pipeline::NoRoom;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use super::{BodyError, ResponseBody, Room, gathered::Gathered};

/// What is held of a response, and what is still to come.
#[derive(Debug)]
pub(crate) struct Fronted {
    front: Option<Bytes>,
    trailers: Option<HeaderMap>,
    /// `None`: all of it is here.
    rest: Option<Box<ResponseBody>>,
}

/// Why a response could not be held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HoldError {
    /// It broke off.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It did not come in time.
    #[error("the front of the response took too long")]
    TooSlow,
    /// More than the gateway has memory for at the moment.
    #[error("no room left under `hardening.max_held_bytes`")]
    NoRoom,
}

impl Fronted {
    /// Reads until the end, or until at least `limit` bytes are there.
    pub(crate) async fn hold(
        body: ResponseBody,
        limit: usize,
        patience: Duration,
        room: Room<'_>,
    ) -> Result<Self, HoldError> {
        tokio::time::timeout(patience, Self::read(body, limit, room)).await.unwrap_or(Err(HoldError::TooSlow))
    }

    async fn read(mut body: ResponseBody, limit: usize, room: Room<'_>) -> Result<Self, HoldError> {
        let mut held = Gathered::new(limit, room.reserve());
        let (mut trailers, mut is_whole) = (None, false);
        while held.length() < limit && !is_whole {
            match body.frame().await.transpose()? {
                None => is_whole = true,
                Some(frame) => match frame.into_data() {
                    Ok(data) => {
                        held.push(data).map_err(|NoRoom| HoldError::NoRoom)?;
                    }
                    // Nothing follows them.
                    Err(frame) => (trailers, is_whole) = (frame.into_trailers().ok(), true),
                },
            }
        }
        Ok(Self { front: held.into_bytes(), trailers, rest: (!is_whole).then(|| Box::new(body)) })
    }

    /// What is held.
    pub(crate) fn front(&self) -> Bytes {
        self.front.clone().unwrap_or_default()
    }

    pub(super) fn poll_frame(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        use std::{pin::Pin, task::Poll};

        if let Some(front) = self.front.take() {
            return Poll::Ready(Some(Ok(Frame::data(front))));
        }
        match &mut self.rest {
            Some(rest) => Pin::new(&mut **rest).poll_frame(context),
            None => Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers)))),
        }
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.front.is_none() && self.trailers.is_none() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let front = self.front.as_ref().map_or(0, |front| front.len() as u64);
        let mut hint = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(front));
        }
        hint.set_lower(hint.lower().saturating_add(front));
        hint
    }
}
