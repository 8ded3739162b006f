//! Who else is to have events.

use std::fmt;

use crate::Event;

/// Is shown every event before it counts as acknowledged.
pub trait Tap: Send + Sync + fmt::Debug {
    /// Takes what it wants of them. The one thread that writes calls this before it stores or spills them, so nothing is
    /// acknowledged that was not shown; what happens to be neither stored nor spilled then was shown all the same. It must
    /// not wait for anybody, and deals with its own failures.
    fn take(&self, events: &[Event]);
}
