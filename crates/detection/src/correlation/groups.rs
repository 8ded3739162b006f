//! The groups of a correlation, the one that was touched longest ago first to go.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::window::Window;
use crate::{detector::Limits, finding::Moment};

/// Groups, and the order in which they were touched.
#[derive(Default)]
pub(crate) struct Groups {
    known: HashMap<Arc<str>, Group>,
    order: BTreeMap<u64, Arc<str>>,
    touches: u64,
    /// What all windows hold together.
    held: usize,
}

/// What is remembered of one group.
pub(crate) struct Group {
    pub(crate) window: Window,
    touched: u64,
    /// When it was told last that the condition holds, as long as it does.
    told: Option<Moment>,
}

impl Group {
    /// Whether this is to be told: the condition begins to hold, or goes on and was not told for a whole `span`.
    pub(crate) fn is_told(&mut self, holds: bool, time: Moment, span: i64) -> bool {
        if !holds {
            self.told = None;
            return false;
        }
        let is_told = self.told.is_none_or(|told| time.0.saturating_sub(told.0) >= span);
        if is_told {
            self.told = Some(time);
        }
        is_told
    }
}

impl Groups {
    /// Works on a group, which is begun where it is not known, and makes room if there are too many or they hold too much.
    pub(crate) fn with<T>(
        &mut self,
        key: &str,
        new: impl FnOnce() -> Window,
        limits: &Limits,
        work: impl FnOnce(&mut Group) -> T,
    ) -> T {
        self.touches += 1;
        let touched = self.touches;
        let name: Arc<str> = match self.known.get_key_value(key) {
            Some((name, group)) => {
                self.order.remove(&group.touched);
                Arc::clone(name)
            }
            None => key.into(),
        };
        self.order.insert(touched, Arc::clone(&name));
        let group = self.known.entry(name).or_insert_with(|| {
            let window = new();
            self.held += window.len();
            Group { window, touched, told: None }
        });
        group.touched = touched;
        let before = group.window.len();
        let done = work(group);
        self.held = (self.held + group.window.len()).saturating_sub(before);
        self.make_room(limits);
        done
    }

    /// The last group stays in any case: it is the one that an event is about.
    fn make_room(&mut self, limits: &Limits) {
        while self.known.len() > 1 && (self.known.len() > limits.groups || self.held > limits.entries) {
            let Some((_, name)) = self.order.pop_first() else { return };
            if let Some(group) = self.known.remove(&name) {
                self.held = self.held.saturating_sub(group.window.len());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::{
        super::window::{Addition, Seen},
        *,
    };

    fn touch(groups: &mut Groups, key: &str, limits: &Limits) -> usize {
        let new = || Window::Events { seen: VecDeque::new(), keep: 10 };
        groups.with(key, new, limits, |group| {
            group.window.add(Seen { time: Moment(0), id: None }, Addition::Event, 1000);
            group.window.len()
        })
    }

    #[test]
    fn the_group_that_rested_longest_goes() {
        let limits = Limits { groups: 2, entries: 1000 };
        let mut groups = Groups::default();
        for (key, expected) in [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("a", 3), ("b", 1)] {
            assert_eq!(touch(&mut groups, key, &limits), expected, "{key}");
        }
        assert_eq!((groups.known.len(), groups.order.len(), groups.held), (2, 2, 4));
    }

    #[test]
    fn what_all_groups_hold_has_a_bound() {
        let limits = Limits { groups: 1000, entries: 25 };
        let mut groups = Groups::default();
        for number in 0..500 {
            touch(&mut groups, &(number % 7).to_string(), &limits);
            assert!(groups.held <= 25, "{}", groups.held);
        }
        let held: usize = groups.known.values().map(|group| group.window.len()).sum();
        assert_eq!(held, groups.held);
    }

    #[test]
    fn what_goes_on_is_told_once_a_span() {
        let window = Window::Sums(VecDeque::new());
        let mut group = Group { window, touched: 0, told: None };
        let told = [(true, 0), (true, 50), (true, 100), (false, 110), (true, 120)]
            .map(|(holds, time)| group.is_told(holds, Moment(time), 100));
        assert_eq!(told, [true, false, true, false, true]);
    }
}
