//! The side that appends: the thread that writes events, before they count as acknowledged.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bartizan_events::{Frame, read_frame};
use uuid::Uuid;

use super::{EXTENSION, create, length, lock, name, open, reader, segments};

/// No file is longer than this, and none longer than an eighth of the spool: what goes when it is full goes by files.
const LONGEST_SEGMENT: u64 = 16 * 1024 * 1024;
const SEGMENTS: u64 = 8;

/// Appends to the spool of one receiver.
#[derive(Debug)]
pub(crate) struct Writer {
    directory: PathBuf,
    limit: u64,
    current: Option<Segment>,
    /// What all files hold, in bytes; the reader may have removed some since.
    held: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// Locked for as long as it is open.
    file: File,
    length: u64,
}

/// A frame, and whether it is left out first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Framed<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) is_expendable: bool,
}

/// How many events had no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LeftOut {
    /// New ones of severity informational and low.
    pub(crate) expendable: u64,
    /// The oldest ones.
    pub(crate) oldest: u64,
}

impl Writer {
    /// For the spool in this directory, which is made, and holds at most `limit` bytes.
    pub(crate) fn open(directory: PathBuf, limit: u64) -> io::Result<Self> {
        create(&directory)?;
        let mut writer = Self { directory, limit, current: None, held: 0 };
        writer.held = writer.measure()?;
        Ok(writer)
    }

    /// Appends events; they are there for good when this returns. Says what was left out for them, or instead of them.
    pub(crate) fn append(&mut self, frames: &[Framed<'_>]) -> io::Result<LeftOut> {
        let mut left_out = LeftOut::default();
        self.make_room(frames, &mut left_out)?;
        let kept = self.fitting(frames, &mut left_out);
        if kept.is_empty() {
            return Ok(left_out);
        }
        let added = size(&kept);
        let longest = LONGEST_SEGMENT.min(self.limit / SEGMENTS);
        if self.current.as_ref().is_some_and(|current| current.length.saturating_add(added) > longest) {
            self.current = None;
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        if let Err(error) = current.file.write_all(&kept).and_then(|()| current.file.sync_data()) {
            // Half a frame would end the file for whatever came behind it.
            if current.file.set_len(current.length).is_ok() {
                self.current = Some(current);
            }
            return Err(error);
        }
        current.length += added;
        self.held += added;
        self.current = Some(current);
        Ok(left_out)
    }

    /// What expendable events may fill: the rest is for those that are not.
    const fn expendable_limit(&self) -> u64 {
        self.limit / 4 * 3
    }

    /// For what is not expendable the oldest files go.
    fn make_room(&mut self, frames: &[Framed<'_>], left_out: &mut LeftOut) -> io::Result<()> {
        let all: u64 = frames.iter().map(|frame| size(frame.bytes)).sum();
        if self.held.saturating_add(all) > self.expendable_limit() {
            // Files may have been delivered since.
            self.held = self.measure()?;
        }
        let needed: u64 =
            frames.iter().filter(|frame| !frame.is_expendable).map(|frame| size(frame.bytes)).sum();
        while self.held.saturating_add(needed) > self.limit {
            match self.remove_oldest()? {
                Some(lost) => left_out.oldest += lost,
                None => break,
            }
        }
        Ok(())
    }

    /// The frames that there is room for, one behind the other.
    fn fitting(&self, frames: &[Framed<'_>], left_out: &mut LeftOut) -> Vec<u8> {
        let mut kept = Vec::with_capacity(frames.iter().map(|frame| frame.bytes.len()).sum());
        for frame in frames {
            let limit = if frame.is_expendable { self.expendable_limit() } else { self.limit };
            if self.held + size(&kept) + size(frame.bytes) <= limit {
                kept.extend_from_slice(frame.bytes);
            } else if frame.is_expendable {
                left_out.expendable += 1;
            } else {
                // What is there waits in files that others write at the moment.
                left_out.oldest += 1;
            }
        }
        kept
    }

    /// Removes the oldest file that nobody else uses, and says how many events it held that were not delivered. `None`:
    /// there is none.
    fn remove_oldest(&mut self) -> io::Result<Option<u64>> {
        let delivered = reader::positions(&self.directory);
        for path in segments(&self.directory)? {
            if self.current.as_ref().is_some_and(|current| current.path == path) {
                // What comes goes into another.
                self.current = None;
            }
            let Some(file) = open(&path)? else { continue };
            if !lock(&file)? {
                continue;
            }
            let lost = events_behind(&path, delivered.get(&name(&path)).copied().unwrap_or_default());
            self.held = self.held.saturating_sub(length(&path));
            fs::remove_file(&path)?;
            return Ok(Some(lost));
        }
        Ok(None)
    }

    pub(super) fn measure(&self) -> io::Result<u64> {
        Ok(segments(&self.directory)?.iter().map(|path| length(path)).sum())
    }

    fn begin(&self) -> io::Result<Segment> {
        let path = self.directory.join(format!("{}.{EXTENSION}", Uuid::now_v7()));
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path)?;
        file.try_lock().map_err(io::Error::from)?;
        // A new name is there for good only when its folder is synced.
        File::open(&self.directory)?.sync_all()?;
        Ok(Segment { path, file, length: 0 })
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// How many events a file holds behind this place.
fn events_behind(path: &Path, place: u64) -> u64 {
    let bytes = fs::read(path).unwrap_or_default();
    let start = usize::try_from(place).unwrap_or(usize::MAX);
    let (mut bytes, mut events) = (bytes.get(start..).unwrap_or_default(), 0);
    while let Frame::Event(_, rest) = read_frame(bytes) {
        (bytes, events) = (rest, events + 1);
    }
    events
}
