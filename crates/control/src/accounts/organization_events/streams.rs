//! How many follow at once: each stream holds a connection and what it has not shown yet.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

/// Of one organisation.
const MOST: usize = 8;
/// Of all.
const MOST_OF_ALL: usize = 512;

/// Who follows.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<String, usize>>);

/// One who follows, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    streams: Arc<Streams>,
    organization: String,
}

impl Streams {
    /// Room for one more of this organisation, if there is.
    pub(super) fn place(self: &Arc<Self>, organization: &str) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = open.values().sum();
        let own = open.get(organization).copied().unwrap_or_default();
        if own >= MOST || all >= MOST_OF_ALL {
            return None;
        }
        open.insert(organization.to_owned(), own + 1);
        Some(Place { streams: Arc::clone(self), organization: organization.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut own) = open.entry(std::mem::take(&mut self.organization)) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organization_takes_no_more_than_its_places_and_gives_them_back() {
        let streams = Arc::<Streams>::default();
        let mut places: Vec<_> = (0..MOST).map(|_| streams.place("shop").unwrap()).collect();
        assert!(streams.place("shop").is_none());
        let other = streams.place("other").unwrap();
        drop(places.pop());
        places.push(streams.place("shop").unwrap());
        drop((places, other));
        assert!(streams.0.lock().unwrap().is_empty());
        let all: Vec<_> =
            (0..MOST_OF_ALL).map_while(|index| streams.place(&(index / MOST).to_string())).collect();
        assert_eq!(all.len(), MOST_OF_ALL);
        assert!(streams.place("one more").is_none());
    }
}
