//! `normalizePath` and `normalizePathWin`: `.`, `..` and repeated slashes resolved, as bytes.
//!
//! The reference rewrites the path in place and looks only at the byte before a slash and the one written
//! before it, so that `name../` is a reference to the parent as well. The same walk is made here, with
//! positions in place of pointers.

pub(super) fn normalize(value: &[u8]) -> Option<Vec<u8>> {
    if is_normal(value) {
        return None;
    }
    Walk::new(value, false).finish()
}

pub(super) fn normalize_windows(value: &[u8]) -> Option<Vec<u8>> {
    if is_normal(value) && memchr::memchr(b'\\', value).is_none() {
        return None;
    }
    Walk::new(value, true).finish()
}

/// Without a dot at the end of a segment, and without two slashes together, there is nothing to resolve.
fn is_normal(value: &[u8]) -> bool {
    !value.ends_with(b".") && !value.windows(2).any(|pair| matches!(pair, [b'.' | b'/', b'/']))
}

/// A path that is being shortened in place: what stands before `written` is done, what stands from `read`
/// on is to come.
struct Walk {
    path: Vec<u8>,
    read: usize,
    written: usize,
    /// Whether a relative path has climbed above where it began, so that `..` stays.
    climbed: bool,
    windows: bool,
}

/// What to do with the byte under `read`.
enum Step {
    Copy,
    /// Written already, or resolved away.
    Skip,
}

impl Walk {
    fn new(value: &[u8], windows: bool) -> Self {
        Self { path: value.to_vec(), read: 0, written: 0, climbed: false, windows }
    }

    fn finish(mut self) -> Option<Vec<u8>> {
        let last = self.path.len().checked_sub(1)?;
        let relative = !self.slash_at(0);
        let trailing = self.slash_at(last);
        let mut done = false;
        while !done && self.read <= last && self.written <= last {
            if self.written == 0 || self.at(self.written - 1) == b'/' {
                self.copy_name();
            }
            self.turn_slash(self.read);
            self.turn_slash(self.read + 1);
            done = self.read == last;
            let segment_ends = done || self.at(self.read + 1) == b'/';
            let step = if segment_ends { self.end_of_segment(relative, done) } else { Step::Copy };
            if matches!(step, Step::Copy) {
                self.copy(relative, last);
            }
        }
        if !trailing && self.written > 0 && self.at(self.written - 1) == b'/' {
            self.written -= 1;
        }
        self.path.truncate(self.written);
        Some(self.path)
    }

    /// Copies what stands before the last byte of a segment, if that is worth while.
    fn copy_name(&mut self) {
        const SHORT: usize = 8;
        let is_slash = |byte: &u8| matches!(byte, b'/' | b'\\');
        let rest = self.path.get(self.read..).unwrap_or_default();
        if rest.iter().take(SHORT).any(is_slash) {
            return;
        }
        let end = memchr::memchr2(b'/', b'\\', rest).unwrap_or(rest.len());
        let name = end.saturating_sub(1);
        self.path.copy_within(self.read..self.read + name, self.written);
        self.read += name;
        self.written += name;
    }

    fn at(&self, position: usize) -> u8 {
        self.path.get(position).copied().unwrap_or_default()
    }

    fn slash_at(&self, position: usize) -> bool {
        self.at(position) == b'/' || (self.windows && self.at(position) == b'\\')
    }

    fn turn_slash(&mut self, position: usize) {
        if let Some(byte) = self.path.get_mut(position).filter(|byte| self.windows && **byte == b'\\') {
            *byte = b'/';
        }
    }

    /// The last byte of a segment is under `read`.
    fn end_of_segment(&mut self, relative: bool, done: bool) -> Step {
        let byte = self.at(self.read);
        if byte == b'/' && !done {
            return Step::Copy;
        }
        if byte != b'.' {
            if self.written > 0 {
                self.climbed = false;
            }
            return Step::Copy;
        }
        let before = self.written.checked_sub(1).map(|position| self.at(position));
        match before {
            Some(b'.') => {
                if relative && (self.climbed || self.written <= 2) {
                    self.climbed = true;
                    return Step::Copy;
                }
                self.climb(relative, done);
            }
            None => {}
            Some(b'/') if done => return Step::Skip,
            Some(b'/') => self.written -= 1,
            Some(_) => return Step::Copy,
        }
        if done {
            return Step::Skip;
        }
        self.read += 1;
        Step::Copy
    }

    /// Takes back the parent segment, but never goes above the root.
    fn climb(&mut self, relative: bool, done: bool) {
        self.written = self.written.saturating_sub(3);
        while self.written > 0 && self.at(self.written) != b'/' {
            self.written -= 1;
        }
        if self.written == 0 {
            self.climbed = true;
            if !relative && done {
                self.written = 1;
            }
        }
    }

    /// Copies one byte; of several slashes the last, and none to the beginning of a relative path. (The last
    /// of several may be a backslash that has not been turned yet, and then stays one.)
    fn copy(&mut self, relative: bool, last: usize) {
        if self.at(self.read) == b'/' {
            while self.read < last && self.slash_at(self.read + 1) {
                self.read += 1;
            }
            if relative && self.written == 0 {
                self.read += 1;
                return;
            }
        }
        let byte = self.at(self.read);
        if let Some(place) = self.path.get_mut(self.written) {
            *place = byte;
        }
        self.written += 1;
        self.read += 1;
    }
}
