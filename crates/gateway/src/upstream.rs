//! upstream

use std::{pin::Pin, task::{Context, Poll}};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use crate::body::BodyError;

/// The body of an upstream's response.
#[derive(Debug)]
pub(crate) struct UpstreamBody(hyper::body::Incoming);

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;
    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.0).poll_frame(context).map_err(BodyError::Peer)
    }
    fn is_end_stream(&self) -> bool { self.0.is_end_stream() }
    fn size_hint(&self) -> SizeHint { self.0.size_hint() }
}
