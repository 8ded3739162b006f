//! A number for every thread, so that threads that write often can write apart: memory that two processors write in turns
//! travels between them each time.

use std::sync::atomic::{AtomicUsize, Ordering};

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// The number of this thread: threads that ask one after the other have numbers that follow each other, so that as many
/// of them as there are places each have one.
pub fn own_lane() -> usize {
    OWN.with(|own| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_number_and_shares_it_with_nobody() {
        let own = own_lane();
        let other = std::thread::spawn(|| [own_lane(), own_lane()]).join().unwrap();
        assert_eq!((own, other[0]), (own_lane(), other[1]));
        assert_ne!(own, other[0]);
    }
}
