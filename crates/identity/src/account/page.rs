//! Lists that may be long, a part at a time.

/// Which part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// What [`Part::next`] of the part before was; `None`: the first.
    pub after: Option<String>,
    /// At most so many; `None`: 1000, which is the most.
    pub limit: Option<u32>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// What is in it.
    pub items: Vec<T>,
    /// Where the next part begins; `None`: this is the last.
    pub next: Option<String>,
}

const MOST: u32 = 1000;

impl Page {
    fn size(&self) -> u32 {
        self.limit.unwrap_or(MOST).clamp(1, MOST)
    }

    pub(crate) fn begins_after(&self) -> &str {
        self.after.as_deref().unwrap_or_default()
    }

    /// How many to read: one more than are shown, so that it is known whether there are more.
    pub(crate) fn to_read(&self) -> i64 {
        i64::from(self.size()) + 1
    }

    /// The part, from what was read. `key` is what the list is sorted by.
    pub(crate) fn part<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> String) -> Part<T> {
        let size = usize::try_from(self.size()).unwrap_or(usize::MAX);
        let has_more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| has_more).map(key);
        Part { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_without_a_gap() {
        let whole: Vec<u32> = (1..=7).collect();
        for limit in [1, 2, 3, 7, 8] {
            let (mut page, mut seen) = (Page { after: None, limit: Some(limit) }, Vec::new());
            loop {
                let after: u32 = page.begins_after().parse().unwrap_or_default();
                let to_read = usize::try_from(page.to_read()).unwrap();
                let read = whole.iter().copied().filter(|number| *number > after).take(to_read);
                let part = page.part(read.collect(), ToString::to_string);
                assert!(part.items.len() < to_read);
                seen.extend(part.items);
                let Some(next) = part.next else { break };
                page.after = Some(next);
            }
            assert_eq!(seen, whole, "{limit}");
        }
        assert_eq!(Page { limit: Some(0), ..Page::default() }.to_read(), 2);
        assert_eq!(Page { limit: Some(u32::MAX), ..Page::default() }.to_read(), 1001);
    }
}
