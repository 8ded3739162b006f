//! Names and values in the order they came, in one buffer: an argument costs no allocation of its own.

/// What a body processor keeps at most, and how deep it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Names and values: `SecArgumentsLimit`. Also the number of parts and of attributes.
    pub arguments: usize,
    /// Bytes of all names and values together. A JSON name repeats its whole path, so this is more than the body:
    /// [`Self::of_json`] is how much more.
    pub bytes: usize,
    /// Arrays, objects and elements inside each other: `SecRequestBodyJsonDepthLimit`.
    pub depth: usize,
    /// Files in one multipart body: `SecUploadFileLimit`.
    pub files: usize,
}

impl Default for Limits {
    /// The figures of the recommended configuration, and room for a body of 128 KiB.
    fn default() -> Self {
        Self { arguments: 1000, bytes: 1 << 20, depth: 512, files: 100 }
    }
}

impl Limits {
    /// The same, for a JSON text of this many bytes: names and values may be so many times longer than it.
    ///
    /// A long name above many small values would make the square of the body of it. What people write has names of a
    /// hundred bytes above values of three.
    #[must_use]
    pub fn of_json(self, length: usize) -> Self {
        const TIMES: usize = 32;
        const SHORT: usize = 64 << 10;
        Self { bytes: self.bytes.min(length.saturating_mul(TIMES).saturating_add(SHORT)), ..self }
    }
}

/// Names and values in the order they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    limits: Limits,
    exceeded: bool,
    name_end: usize,
}

/// Where an argument stands: its value behind its name, or behind the argument before whose name it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    name_start: usize,
    name_end: usize,
    end: usize,
}

impl Arguments {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { bytes: Vec::new(), spans: Vec::new(), limits, exceeded: false, name_end: 0 }
    }

    /// Adds a whole argument.
    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        self.append(name);
        self.end_name();
        self.append(value);
        self.commit();
    }

    /// Adds a value under the name of the last argument, which is kept once.
    pub(crate) fn push_under_last_name(&mut self, value: &[u8]) {
        let Some(Span { name_start, name_end, .. }) = self.spans.last().copied() else {
            return self.push(b"", value);
        };
        self.append(value);
        let before = self.spans.len();
        self.commit();
        if let Some(span) = self.spans.get_mut(before) {
            (span.name_start, span.name_end) = (name_start, name_end);
        }
    }

    /// Continues the name, or after [`Self::end_name`] the value, of the argument that is being read.
    pub(crate) fn append(&mut self, piece: &[u8]) {
        if self.is_full() {
            return;
        }
        let room = self.limits.bytes.saturating_sub(self.bytes.len());
        self.exceeded |= piece.len() > room;
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    pub(crate) fn end_name(&mut self) {
        self.name_end = self.bytes.len();
    }

    /// Ends the argument that is being read. One that no longer has a place is forgotten, and [`Self::exceeded`].
    pub(crate) fn commit(&mut self) {
        if self.is_full() {
            self.exceeded = true;
        } else {
            let name_start = self.committed();
            self.spans.push(Span { name_start, name_end: self.name_end, end: self.bytes.len() });
        }
        self.name_end = self.bytes.len();
    }

    /// Forgets the argument that is being read.
    pub(crate) fn abandon(&mut self) {
        self.bytes.truncate(self.committed());
        self.name_end = self.bytes.len();
    }

    fn is_full(&self) -> bool {
        self.spans.len() >= self.limits.arguments
    }

    fn committed(&self) -> usize {
        self.spans.last().map_or(0, |last| last.end)
    }

    /// Whether something was left out or shortened because a limit was reached.
    pub fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Name and value of each, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = std::iter::once(0).chain(self.spans.iter().map(|span| span.end));
        starts.zip(&self.spans).map(|(start, span)| {
            let part = |from, to| self.bytes.get(from..to).unwrap_or_default();
            (part(span.name_start, span.name_end), part(span.name_end.max(start), span.end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Limits};

    fn limited(arguments: usize, bytes: usize) -> Arguments {
        Arguments::new(Limits { arguments, bytes, ..Limits::default() })
    }

    #[test]
    fn arguments_come_back_in_order_with_empty_names_and_values() {
        let mut arguments = limited(9, 99);
        let given: [(&[u8], &[u8]); 4] = [(b"a", b"1"), (b"", b"2"), (b"b", b""), (b"", b"")];
        for (name, value) in given {
            arguments.push(name, value);
        }
        assert_eq!(arguments.iter().collect::<Vec<_>>(), given);
        assert!(!arguments.exceeded());
    }

    #[test]
    fn a_name_that_several_values_have_counts_once() {
        let mut arguments = limited(9, 10);
        arguments.push_under_last_name(b"0");
        arguments.push(b"name", b"1");
        arguments.push_under_last_name(b"2");
        arguments.push_under_last_name(b"");
        arguments.push(b"b", b"3");
        let expected: [(&[u8], &[u8]); 5] =
            [(b"", b"0"), (b"name", b"1"), (b"name", b"2"), (b"name", b""), (b"b", b"3")];
        assert_eq!(arguments.iter().collect::<Vec<_>>(), expected);
        assert!(!arguments.exceeded());
    }

    #[test]
    fn one_more_than_the_limit_is_forgotten_and_told() {
        let mut arguments = limited(2, 99);
        arguments.push(b"a", b"1");
        arguments.push(b"b", b"2");
        assert!(!arguments.exceeded());
        arguments.push(b"c", b"3");
        assert!(arguments.exceeded());
        assert_eq!(arguments.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"1"[..]), (b"b", b"2")]);
    }

    #[test]
    fn bytes_beyond_the_limit_are_cut_and_told() {
        let mut arguments = limited(9, 4);
        arguments.push(b"ab", b"12");
        assert!(!arguments.exceeded());
        arguments.push(b"c", b"3");
        assert!(arguments.exceeded());
        assert_eq!(arguments.iter().collect::<Vec<_>>(), [(&b"ab"[..], &b"12"[..]), (b"", b"")]);
    }

    #[test]
    fn what_is_abandoned_leaves_nothing_behind() {
        let mut arguments = limited(9, 99);
        arguments.push(b"a", b"1");
        arguments.append(b"half a na");
        arguments.abandon();
        arguments.push(b"b", b"2");
        assert_eq!(arguments.iter().collect::<Vec<_>>(), [(&b"a"[..], &b"1"[..]), (b"b", b"2")]);
    }
}
