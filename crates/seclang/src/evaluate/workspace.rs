//! What exchanges work in, handed on from one to the next: none need furnish its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Cache;
use crate::{RuleSet, buffers::Buffers};

/// What it takes most to set up for an exchange.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) buffers: Buffers,
    pub(super) cache: Cache,
}

/// Those of one rule set that nobody works in.
#[derive(Debug, Default)]
pub(crate) struct Workspaces(Mutex<Vec<Workspace>>);

impl Workspaces {
    /// More exchanges at once are seldom.
    const MOST: usize = 16;
    /// One that had to be larger than this, in bytes, is not kept for smaller exchanges.
    const LARGEST: usize = 128 << 10;

    /// One that is empty.
    pub(super) fn take(&self, rules: &RuleSet) -> Workspace {
        let left = self.unused().pop();
        left.unwrap_or_else(|| Workspace { buffers: Buffers::default(), cache: Cache::new(rules) })
    }

    /// Empties one for the next exchange, in which the values had this version at last.
    pub(super) fn give_back(&self, mut workspace: Workspace, version: u32) {
        if workspace.buffers.held_bytes() > Self::LARGEST || !workspace.cache.outdate(version) {
            return;
        }
        workspace.buffers.clear();
        let mut unused = self.unused();
        if unused.len() < Self::MOST {
            unused.push(workspace);
        }
    }

    /// Whoever panicked left them as they were.
    fn unused(&self) -> MutexGuard<'_, Vec<Workspace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
