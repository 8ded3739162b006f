//! What a correlation remembers of one group.
//!
//! Each kind remembers only what its condition needs, so a group that is flooded holds no more than one that is not: the
//! last events, the last event of each value, sixtieths of a sum, the last event of each rule, or how far a sequence got.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::finding::{MAX_EVENTS, Moment};

/// How many parts a sum is kept in: it may be short by what happened in the oldest of them.
const SLICES: i64 = 60;

/// An event that counts.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) time: Moment,
    /// `metadata.uid`.
    pub(crate) id: Option<Arc<str>>,
}

/// What a window makes of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    pub(crate) first: Moment,
    pub(crate) last: Moment,
    pub(crate) events: Vec<Arc<str>>,
}

/// What is counted, and what is remembered for it.
#[derive(Debug)]
pub(crate) enum Window {
    /// The last events, in the order of their times; never more than `keep`.
    Events { seen: VecDeque<Seen>, keep: usize },
    /// The last event of each value, the oldest first; never more than `keep`.
    Values {
        last: HashMap<Arc<str>, (Moment, u64)>,
        order: BTreeMap<(Moment, u64), (Arc<str>, Seen)>,
        keep: usize,
    },
    /// Sums of parts of the window.
    Sums(VecDeque<Slice>),
    /// The last event of each rule.
    Together(Vec<Option<Seen>>),
    /// Of each rule the events of a sequence that ends with it, the one that began last.
    Ordered(Vec<Vec<Seen>>),
}

/// A part of a sum.
#[derive(Debug)]
pub(crate) struct Slice {
    begins: i64,
    sum: u64,
    count: u64,
    first: Seen,
    last: Seen,
}

/// What an event adds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Addition<'a> {
    /// Itself.
    Event,
    /// A value.
    Value(&'a str),
    /// A number.
    Number(u64),
    /// The rule that it met, by its place in the correlation.
    Rule(usize),
}

impl Window {
    /// How many things it holds.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Events { seen, .. } => seen.len(),
            Self::Values { order, .. } => order.len(),
            Self::Sums(slices) => slices.len(),
            Self::Together(rules) => rules.len(),
            Self::Ordered(sequences) => sequences.iter().map(Vec::len).sum::<usize>().max(1),
        }
    }

    /// Takes an event in and forgets what happened `span` milliseconds before the latest. `None` says nothing about the
    /// condition: the event does not end a sequence, or is older than the window.
    pub(crate) fn add(&mut self, seen: Seen, addition: Addition<'_>, span: i64) -> Option<Counted> {
        match (self, addition) {
            (Self::Events { seen: events, keep }, _) => {
                let at = events.partition_point(|other| other.time <= seen.time);
                events.insert(at, seen);
                let begin = events.back()?.time.0.saturating_sub(span);
                while events.len() > *keep || events.front().is_some_and(|event| event.time.0 < begin) {
                    events.pop_front();
                }
                counted(events.len(), events.iter())
            }
            (Self::Values { last, order, keep }, Addition::Value(value)) => {
                add_value(last, order, value, seen);
                let begin = order.last_key_value()?.0.0.0.saturating_sub(span);
                while let Some(oldest) = order.first_entry() {
                    if oldest.key().0.0 >= begin && last.len() <= *keep {
                        break;
                    }
                    last.remove(&oldest.remove().0);
                }
                counted(order.len(), order.values().map(|(_, seen)| seen))
            }
            (Self::Sums(slices), Addition::Number(number)) => {
                add_number(slices, number, seen, span);
                let mut total = counted(0, slices.iter().flat_map(|slice| [&slice.first, &slice.last]))?;
                total.count = slices.iter().fold(0, |sum, slice| sum.saturating_add(slice.sum));
                total.events.dedup();
                Some(total)
            }
            (Self::Together(rules), Addition::Rule(rule)) => {
                let place = rules.get_mut(rule)?;
                if place.as_ref().is_none_or(|known| known.time <= seen.time) {
                    *place = Some(seen);
                }
                let latest = rules.iter().flatten().map(|seen| seen.time).max()?;
                let begin = latest.0.saturating_sub(span);
                let mut met: Vec<_> = rules.iter().flatten().filter(|seen| seen.time.0 >= begin).collect();
                met.sort_by_key(|seen| seen.time);
                counted(met.len(), met.iter().copied())
            }
            (Self::Ordered(sequences), Addition::Rule(rule)) => add_step(sequences, rule, seen, span),
            // INVARIANT: a correlation adds what its kind of window counts.
            (Self::Values { .. } | Self::Sums(_) | Self::Together(_) | Self::Ordered(_), _) => None,
        }
    }

    /// The average of what was added to a sum.
    pub(crate) fn average(&self) -> Option<u64> {
        let Self::Sums(slices) = self else { return None };
        let (sum, count) = slices.iter().fold((0_u64, 0_u64), |(sum, count), slice| {
            (sum.saturating_add(slice.sum), count.saturating_add(slice.count))
        });
        sum.checked_div(count)
    }
}

fn add_value(
    last: &mut HashMap<Arc<str>, (Moment, u64)>,
    order: &mut BTreeMap<(Moment, u64), (Arc<str>, Seen)>,
    value: &str,
    seen: Seen,
) {
    let known = last.get_key_value(value).map(|(name, place)| (Arc::clone(name), *place));
    if known.as_ref().is_some_and(|(_, (time, _))| *time > seen.time) {
        return;
    }
    let name = match known {
        Some((name, place)) => {
            order.remove(&place);
            name
        }
        None => value.into(),
    };
    // Two values of one moment stand in the order in which they came.
    let number = order.range(..=(seen.time, u64::MAX)).next_back();
    let number = number.filter(|((time, _), _)| *time == seen.time).map_or(0, |((_, number), _)| number + 1);
    last.insert(Arc::clone(&name), (seen.time, number));
    order.insert((seen.time, number), (name, seen));
}

fn add_number(slices: &mut VecDeque<Slice>, number: u64, seen: Seen, span: i64) {
    let width = (span / SLICES).max(1);
    let begins = seen.time.0.div_euclid(width);
    let at = slices.partition_point(|slice| slice.begins < begins);
    match slices.get_mut(at) {
        Some(slice) if slice.begins == begins => {
            slice.sum = slice.sum.saturating_add(number);
            slice.count = slice.count.saturating_add(1);
            if seen.time >= slice.last.time {
                slice.last = seen;
            }
        }
        _ => slices.insert(at, Slice { begins, sum: number, count: 1, first: seen.clone(), last: seen }),
    }
    let newest = slices.back().map_or(begins, |slice| slice.begins);
    while slices.front().is_some_and(|slice| slice.begins <= newest.saturating_sub(SLICES)) {
        slices.pop_front();
    }
}

/// The sequence that began last is the best one: whatever completes an older one completes it, too.
fn add_step(sequences: &mut [Vec<Seen>], rule: usize, seen: Seen, span: i64) -> Option<Counted> {
    let mut sequence = match rule.checked_sub(1) {
        None => Vec::new(),
        Some(before) => {
            let earlier = sequences.get(before)?;
            let begin = seen.time.0.saturating_sub(span);
            let is_open = earlier.first()?.time.0 >= begin && earlier.last()?.time <= seen.time;
            is_open.then(|| earlier.clone())?
        }
    };
    sequence.push(seen);
    if rule + 1 == sequences.len() {
        return counted(sequence.len(), sequence.iter());
    }
    *sequences.get_mut(rule)? = sequence;
    None
}

fn counted<'a>(count: usize, seen: impl DoubleEndedIterator<Item = &'a Seen> + Clone) -> Option<Counted> {
    let (first, last) = (seen.clone().next()?.time, seen.clone().next_back()?.time);
    let mut events: Vec<_> = seen.rev().filter_map(|seen| seen.id.clone()).take(MAX_EVENTS).collect();
    events.reverse();
    Some(Counted { count: u64::try_from(count).unwrap_or(u64::MAX), first, last, events })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(time: i64) -> Seen {
        Seen { time: Moment(time), id: Some(time.to_string().into()) }
    }

    fn events(keep: usize) -> Window {
        Window::Events { seen: VecDeque::new(), keep }
    }

    fn values(keep: usize) -> Window {
        Window::Values { last: HashMap::new(), order: BTreeMap::new(), keep }
    }

    fn count(counted: Option<Counted>) -> Option<u64> {
        counted.map(|counted| counted.count)
    }

    #[test]
    fn events_leave_the_window_and_late_ones_find_their_place() {
        let mut window = events(10);
        let counts = [0, 50, 100, 101, 60].map(|time| count(window.add(seen(time), Addition::Event, 100)));
        assert_eq!(counts, [1, 2, 3, 3, 4].map(Some));
        let counted = window.add(seen(150), Addition::Event, 100).unwrap();
        assert_eq!((counted.count, counted.first, counted.last), (5, Moment(50), Moment(150)));
        assert_eq!(
            counted.events.iter().map(|id| &**id).collect::<Vec<_>>(),
            ["50", "60", "100", "101", "150"]
        );
    }

    #[test]
    fn a_flood_fills_no_memory() {
        let (mut events, mut values) = (events(5), values(5));
        let mut sums = Window::Sums(VecDeque::new());
        for time in 0..1000 {
            events.add(seen(time), Addition::Event, i64::MAX);
            values.add(seen(time), Addition::Value(&time.to_string()), i64::MAX);
            sums.add(seen(time), Addition::Number(1), 600);
        }
        assert_eq!((events.len(), values.len()), (5, 5));
        assert!(sums.len() <= 60, "{}", sums.len());
    }

    #[test]
    fn one_value_over_and_over_does_not_push_others_out() {
        let mut window = values(3);
        window.add(seen(0), Addition::Value("a"), 1000);
        for time in 1..100 {
            window.add(seen(time), Addition::Value("b"), 1000);
        }
        assert_eq!(count(window.add(seen(100), Addition::Value("c"), 1000)), Some(3));
        // `a` was seen at 0 only, `b` at 99.
        assert_eq!(count(window.add(seen(1001), Addition::Value("c"), 1000)), Some(2));
        // Two values of the same moment are two.
        assert_eq!(count(window.add(seen(1001), Addition::Value("d"), 1000)), Some(3));
    }

    #[test]
    fn sums_forget_and_average() {
        let mut window = Window::Sums(VecDeque::new());
        assert_eq!(count(window.add(seen(0), Addition::Number(100), 600)), Some(100));
        assert_eq!(count(window.add(seen(300), Addition::Number(20), 600)), Some(120));
        assert_eq!(window.average(), Some(60));
        assert_eq!(count(window.add(seen(605), Addition::Number(1), 600)), Some(21));
        assert_eq!(count(window.add(seen(606), Addition::Number(u64::MAX), 600)), Some(u64::MAX));
    }

    #[test]
    fn rules_together_have_any_order() {
        let mut window = Window::Together(vec![None, None]);
        let counts = [(0, 1), (50, 0), (160, 0), (170, 1)]
            .map(|(time, rule)| count(window.add(seen(time), Addition::Rule(rule), 100)));
        assert_eq!(counts, [1, 2, 1, 2].map(Some));
    }

    #[test]
    fn a_sequence_has_its_order_and_its_end() {
        let holds = |hits: &[(i64, usize)]| {
            let mut window = Window::Ordered(vec![Vec::new(); 3]);
            hits.iter().filter_map(|&(time, rule)| window.add(seen(time), Addition::Rule(rule), 100)).count()
        };
        let cases: [(&[(i64, usize)], usize); 6] = [
            (&[(0, 0), (10, 1), (20, 2)], 1),
            (&[(0, 2), (10, 1), (20, 0)], 0),
            (&[(0, 0), (10, 2), (20, 1)], 0),
            (&[(0, 0), (10, 1), (101, 2)], 0),
            // Another beginning within the window takes the place of the first.
            (&[(0, 0), (50, 0), (60, 1), (120, 2)], 1),
            (&[(0, 0), (10, 1), (20, 2), (30, 2)], 2),
        ];
        for (hits, expected) in cases {
            assert_eq!(holds(hits), expected, "{hits:?}");
        }
    }
}
