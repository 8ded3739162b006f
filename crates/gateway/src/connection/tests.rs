//! Whole connections over loopback, from the outside.

mod http1;
mod http2;
mod proxied;
mod slow;
