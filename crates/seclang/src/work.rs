//! For tests: how many bytes operators and transformations were given on this thread.

use std::cell::Cell;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn add(bytes: usize) {
    BYTES.set(BYTES.get() + bytes);
}

/// The bytes that were given while this ran.
pub(crate) fn measured(work: impl FnOnce()) -> usize {
    let before = BYTES.get();
    work();
    BYTES.get() - before
}
