//! How much of all bodies is in memory, with what rules make of them: the bound on what many clients can make the gateway
//! hold together, where the route's limit bounds each one alone.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use metrics::Gauge;

/// The bytes held at present, of all connections together.
#[derive(Debug)]
pub struct HeldBytes {
    total: AtomicU64,
    gauge: Gauge,
}

/// No room is left under the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room left under `hardening.max_held_bytes`")]
pub struct NoRoom;

impl HeldBytes {
    /// None yet.
    pub fn new() -> Arc<Self> {
        let gauge = metrics::gauge!("bartizan_held_body_bytes");
        Arc::new(Self { total: AtomicU64::new(0), gauge })
    }

    /// Of a body of which nothing is held yet. All bodies together may have `limit` bytes.
    pub fn reserve(self: &Arc<Self>, limit: u64) -> Reservation {
        Reservation { held: Arc::clone(self), limit, length: 0 }
    }
}

/// What one body has of it; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    held: Arc<HeldBytes>,
    limit: u64,
    length: u64,
}

impl Reservation {
    /// Takes `length` bytes more.
    pub fn grow(&mut self, length: usize) -> Result<(), NoRoom> {
        let length = length as u64;
        let grown = |total: u64| total.checked_add(length).filter(|total| *total <= self.limit);
        self.held.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).map_err(|_| NoRoom)?;
        self.length += length;
        self.held.gauge.increment(as_gauge(length));
        Ok(())
    }

    /// Takes what is missing to `length` bytes, or gives back what is more.
    pub fn resize(&mut self, length: usize) -> Result<(), NoRoom> {
        let wanted = length as u64;
        if wanted >= self.length {
            return self.grow(usize::try_from(wanted - self.length).unwrap_or(usize::MAX));
        }
        let given_back = self.length - wanted;
        self.held.total.fetch_sub(given_back, Ordering::Relaxed);
        self.held.gauge.decrement(as_gauge(given_back));
        self.length = wanted;
        Ok(())
    }

    /// `bytes`, which hold on to the reservation until their last copy is dropped, wherever that is.
    pub fn keep(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Kept { bytes, _reservation: self })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.held.total.fetch_sub(self.length, Ordering::Relaxed);
        self.held.gauge.decrement(as_gauge(self.length));
    }
}

struct Kept {
    bytes: Bytes,
    _reservation: Reservation,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[expect(clippy::cast_precision_loss, reason = "bodies in memory are far below 2^53 bytes")]
fn as_gauge(length: u64) -> f64 {
    length as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_share_one_limit_and_give_back_what_they_had() {
        let held = HeldBytes::new();
        let total = || held.total.load(Ordering::Relaxed);
        let (mut first, mut second) = (held.reserve(100), held.reserve(100));
        assert_eq!((first.grow(40), second.grow(40), total()), (Ok(()), Ok(()), 80));
        assert_eq!((first.grow(21), total()), (Err(NoRoom), 80));
        assert_eq!((first.grow(20), total()), (Ok(()), 100));
        // A reload may have lowered it.
        assert_eq!(held.reserve(50).grow(1), Err(NoRoom));
        assert_eq!((second.resize(10), total()), (Ok(()), 70));
        assert_eq!((second.resize(41), total()), (Err(NoRoom), 70));
        assert_eq!((second.resize(40), total()), (Ok(()), 100));
        drop(second);
        assert_eq!(total(), 60);

        let bytes = first.keep(Bytes::from(vec![b'x'; 60]));
        let again = bytes.slice(10..20);
        drop(bytes);
        assert_eq!((again.as_ref(), total()), (&b"xxxxxxxxxx"[..], 60));
        drop(again);
        assert_eq!(total(), 0);
    }
}
