//! What is held of a body, in one piece.

use bartizan_pipeline::{NoRoom, Reservation};
use bytes::Bytes;

/// Bytes in one piece, and the room that they take; the usual single chunk is kept without a copy.
#[derive(Debug)]
pub(super) struct Gathered {
    pieces: Pieces,
    /// The memory that is taken, not the bytes that are there.
    reservation: Reservation,
    /// About how many bytes there will be, at most: no memory is taken in advance for more.
    most: usize,
}

#[derive(Debug)]
enum Pieces {
    None,
    One(Bytes),
    Many(Vec<u8>),
}

impl Gathered {
    /// Nothing yet.
    pub(super) fn new(most: usize, reservation: Reservation) -> Self {
        Self { pieces: Pieces::None, reservation, most }
    }

    /// Adds `data`, if there is room for the memory that this takes.
    pub(super) fn push(&mut self, data: Bytes) -> Result<(), NoRoom> {
        if data.is_empty() {
            return Ok(());
        }
        let needed = self.length().saturating_add(data.len());
        match &mut self.pieces {
            Pieces::None => {
                self.reservation.resize(needed)?;
                self.pieces = Pieces::One(data);
            }
            Pieces::One(first) => {
                let first = std::mem::take(first);
                let capacity = capacity(needed, self.most);
                self.reservation.resize(capacity)?;
                let mut all = Vec::with_capacity(capacity);
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
                self.pieces = Pieces::Many(all);
            }
            Pieces::Many(all) => {
                if needed > all.capacity() {
                    let capacity = capacity(needed, self.most);
                    self.reservation.resize(capacity)?;
                    all.reserve_exact(capacity - all.len());
                }
                all.extend_from_slice(&data);
            }
        }
        Ok(())
    }

    pub(super) fn length(&self) -> usize {
        match &self.pieces {
            Pieces::None => 0,
            Pieces::One(data) => data.len(),
            Pieces::Many(all) => all.len(),
        }
    }

    /// All of them, which hold on to their room.
    pub(super) fn into_bytes(self) -> Option<Bytes> {
        let bytes = match self.pieces {
            Pieces::None => return None,
            Pieces::One(data) => data,
            Pieces::Many(all) => all.into(),
        };
        Some(self.reservation.keep(bytes))
    }
}

/// Twice what is there, so that pieces are seldom copied, and no more than will come.
fn capacity(needed: usize, most: usize) -> usize {
    needed.saturating_mul(2).min(most).max(needed)
}

#[cfg(test)]
mod tests {
    use bartizan_pipeline::HeldBytes;

    use super::*;

    fn piece() -> Bytes {
        Bytes::from_static(&[b'x'; 100])
    }

    /// The room that `pieces` take, of which there will be at most `most` bytes.
    fn taken(pieces: usize, most: usize) -> u64 {
        let held = HeldBytes::new();
        let mut gathered = Gathered::new(most, held.reserve(u64::MAX));
        (0..pieces).for_each(|_| gathered.push(piece()).unwrap());
        let memory = match &gathered.pieces {
            Pieces::None => 0,
            Pieces::One(data) => data.len(),
            Pieces::Many(all) => all.capacity(),
        };
        let bytes = gathered.into_bytes().unwrap();
        assert_eq!(bytes.len(), pieces * 100);
        // What is there leaves room for one byte less than the limit.
        let taken = (0..=u64::from(u16::MAX)).find(|taken| held.reserve(taken + 1).grow(1).is_ok()).unwrap();
        assert_eq!(taken, memory as u64, "{pieces} pieces of {most}");
        taken
    }

    #[test]
    fn the_memory_that_is_taken_is_what_counts() {
        assert_eq!(taken(1, 10_000), 100);
        assert_eq!(taken(2, 10_000), 400);
        assert_eq!(taken(5, 10_000), 1000);
        assert_eq!(taken(5, 501), 501, "no more than will come");
        assert_eq!(taken(6, 501), 600, "unless it does");
    }

    #[test]
    fn what_there_is_no_room_for_is_not_taken() {
        let held = HeldBytes::new();
        let mut gathered = Gathered::new(10_000, held.reserve(399));
        gathered.push(piece()).unwrap();
        assert_eq!(gathered.push(piece()), Err(NoRoom), "both, and as much again");
    }
}
