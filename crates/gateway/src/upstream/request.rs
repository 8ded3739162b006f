//! A request in the shape that the target's HTTP version wants, and its body under watch.
//!
//! hyper does not say whether an exchange failed because of the target or because the client's own body
//! broke off, and for HTTP/2 it does not tell at all; so the body notes its own failure.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Uri,
    header::{HOST, TRANSFER_ENCODING},
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::{Body, Frame, SizeHint};

use super::connect::Version;
use crate::body::{BodyError, RequestBody};

/// The name a request is addressed to.
#[derive(Debug, Clone)]
pub(super) struct Addressee {
    pub(super) scheme: Scheme,
    pub(super) host: HeaderValue,
    pub(super) authority: Authority,
}

/// Shapes a request for a version: origin-form and `Host` (RFC 9112, section 3.2) or the pseudo-header
/// fields of RFC 9113, section 8.3.1.
///
/// `host` is the client's, if that is to be preserved.
pub(super) fn shape(
    request: &mut Request<Outgoing>,
    version: Version,
    host: Option<&HeaderValue>,
    addressee: &Addressee,
) {
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    match version {
        Version::Http1 => {
            if request.uri().authority().is_some() || request.uri().path_and_query().is_none() {
                *request.uri_mut() = Uri::from(path);
            }
            *request.version_mut() = http::Version::HTTP_11;
            request.headers_mut().insert(HOST, host.unwrap_or(&addressee.host).clone());
            if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
                // hyper would leave away a body of unknown length from a GET.
                request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
        Version::Http2 => {
            let given = host
                .and_then(|host| Authority::from_maybe_shared(Bytes::copy_from_slice(host.as_bytes())).ok());
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(addressee.scheme.clone());
            parts.authority = Some(given.unwrap_or_else(|| addressee.authority.clone()));
            parts.path_and_query = Some(path);
            // INVARIANT: scheme, authority and path are all there, which is all that can be wrong.
            *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
            *request.version_mut() = http::Version::HTTP_2;
            request.headers_mut().remove(HOST);
            request.headers_mut().remove(TRANSFER_ENCODING);
        }
    }
}

/// The body as it is handed to hyper.
#[derive(Debug)]
pub(super) struct Outgoing {
    body: RequestBody,
    watch: Option<Arc<Watch>>,
}

impl Outgoing {
    /// A body in memory cannot fail and needs no watch.
    pub(super) fn new(body: RequestBody) -> Self {
        let watch = match &body {
            RequestBody::Held(_) => None,
            RequestBody::Streaming { .. } => Some(Arc::default()),
        };
        Self { body, watch }
    }

    /// The content, if all of it is in memory.
    pub(super) fn content(&self) -> Option<&[u8]> {
        match &self.body {
            RequestBody::Held(bytes) => Some(bytes.as_deref().unwrap_or_default()),
            RequestBody::Streaming { .. } => None,
        }
    }

    pub(super) fn replay(&self) -> Option<Self> {
        self.body.replay().map(Self::new)
    }

    /// Says whether it is one half of a conversation: a stream both ways, which may be slow and quiet.
    pub(super) fn converse(&mut self, is_conversation: bool) {
        if let RequestBody::Streaming { rest, .. } = &mut self.body {
            rest.converse(is_conversation);
        }
    }

    pub(super) fn watch(&self) -> Option<Arc<Watch>> {
        self.watch.clone()
    }
}

/// What is known of a body on its way.
#[derive(Debug, Default)]
pub(super) struct Watch {
    frames: AtomicU64,
    failure: Mutex<Option<BodyError>>,
}

impl Watch {
    /// How many frames have been handed over so far.
    pub(super) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Why the body failed, if it did.
    pub(super) fn failure(&self) -> Option<BodyError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Stands for the [`BodyError`] that the [`Watch`] keeps.
#[derive(Debug, thiserror::Error)]
#[error("the request body failed")]
pub(super) struct BodyFailed;

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BodyFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFailed>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        let Some(watch) = &this.watch else { return polled.map_err(|_| BodyFailed) };
        polled.map(|frame| match frame? {
            Ok(frame) => {
                watch.frames.fetch_add(1, Ordering::Relaxed);
                Some(Ok(frame))
            }
            Err(error) => {
                *watch.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(BodyFailed))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
