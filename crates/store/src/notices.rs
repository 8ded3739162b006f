//! What others in this process are told once something has happened: after the commit, never of what was undone.

use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
};

/// Hears every notice.
type Listener = Box<dyn Fn(&(dyn Any + Send)) + Send + Sync>;

/// Who listens, if anybody does. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Notices(Arc<OnceLock<Listener>>);

impl Notices {
    pub(crate) fn listen(&self, listener: impl Fn(&(dyn Any + Send)) + Send + Sync + 'static) -> bool {
        self.0.set(Box::new(listener)).is_ok()
    }

    pub(crate) fn tell(&self, notice: &(dyn Any + Send)) {
        if let Some(listener) = self.0.get() {
            listener(notice);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notices").field(&self.0.get().is_some()).finish()
    }
}
