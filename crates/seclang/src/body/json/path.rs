//! The name of the value that is being read, kept as text while arrays and objects open and close.

use std::io::Write as _;

/// An array or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Array,
    Object,
}

impl Container {
    /// What stands between its name and that of an element.
    const fn suffix(self) -> &'static [u8] {
        match self {
            Self::Array => b".array_",
            Self::Object => b".",
        }
    }
}

/// The path from the root to the current value.
#[derive(Debug, Default)]
pub(super) struct Path {
    text: Vec<u8>,
    open: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    container: Container,
    /// How long the text is up to and with `.` or `.array_`.
    prefix: usize,
    /// Elements so far.
    elements: usize,
}

impl Path {
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(super) fn innermost(&self) -> Option<Container> {
        self.open.last().map(|frame| frame.container)
    }

    /// The name of the current value.
    pub(super) fn name(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn begin_name(&mut self) {
        if let Some(frame) = self.open.last() {
            self.text.truncate(frame.prefix);
        }
    }

    pub(super) fn extend_name(&mut self, piece: &[u8]) {
        self.text.extend_from_slice(piece);
    }

    pub(super) fn end_name(&mut self) {
        if self.open.last().is_some_and(|frame| frame.prefix == self.text.len()) {
            self.text.extend_from_slice(b"empty-key");
        }
    }

    /// A value begins: the root has its name, a member its own, an element the next number.
    pub(super) fn begin_value(&mut self) {
        match self.open.last_mut() {
            None => self.text.extend_from_slice(b"json"),
            Some(Frame { container: Container::Object, .. }) => {}
            Some(frame) => {
                self.text.truncate(frame.prefix);
                // INVARIANT: writing to a vector does not fail.
                let _ = write!(self.text, "{}", frame.elements);
                frame.elements += 1;
            }
        }
    }

    pub(super) fn open(&mut self, container: Container) {
        self.text.extend_from_slice(container.suffix());
        self.open.push(Frame { container, prefix: self.text.len(), elements: 0 });
    }

    /// The array or object is the current value again.
    pub(super) fn close(&mut self) {
        if let Some(Frame { container, prefix, .. }) = self.open.pop() {
            self.text.truncate(prefix.saturating_sub(container.suffix().len()));
        }
    }
}
