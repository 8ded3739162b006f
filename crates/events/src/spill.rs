//! Where events go that matter and cannot be stored now: files that are only appended to, synced for each batch.
//!
//! A file is a row of frames (`frame`). Each file has one writer, which holds a lock on it for as long as it may still append;
//! a file whose lock can be had is complete, whoever wrote it, and is replayed. A frame that a dying process has not finished ends its file: it
//! was never acknowledged. Anything else that cannot be read is kept aside (`.damaged`), for a person to look at.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::{Event, EventError, Frame, read_frame, store::create_private_directory, write_frame};

const EXTENSION: &str = "frames";
const DAMAGED: &str = "damaged";
/// A file is left for a new one beyond this, so that it can be replayed in one reading.
const SEGMENT: u64 = 16 * 1024 * 1024;

/// The spill of one directory.
#[derive(Debug)]
pub(crate) struct Spill {
    directory: PathBuf,
    limit: u64,
    /// The file that is appended to.
    current: Option<Segment>,
    /// What the other files hold, in bytes, as far as is known.
    elsewhere: u64,
}

#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// Locked for as long as it is open.
    file: File,
    length: u64,
}

/// A file that is complete: its events, and the file, which goes when they are stored.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) events: Vec<Event>,
    path: PathBuf,
    /// Locked, so that no other gateway replays it at the same time.
    _file: File,
    length: u64,
    end: End,
}

impl Spill {
    /// The spill in this directory, which is made, and holds at most `limit` bytes.
    pub(crate) fn open(directory: PathBuf, limit: u64) -> Result<Self, EventError> {
        create_private_directory(&directory)?;
        let mut spill = Self { directory, limit, current: None, elsewhere: 0 };
        for path in spill.segments()? {
            spill.elsewhere += fs::metadata(&path).map(|metadata| metadata.len()).unwrap_or_default();
        }
        Ok(spill)
    }

    /// Whether there is something to be replayed, as far as this process knows.
    pub(crate) fn has_some(&self) -> bool {
        self.elsewhere > 0 || self.current.is_some()
    }

    /// Appends events. They are there for good when this returns; none of them is when it fails.
    pub(crate) fn append(&mut self, events: &[Event]) -> Result<(), EventError> {
        let mut frames = Vec::with_capacity(events.len() * 512);
        for event in events {
            write_frame(event, &mut frames).map_err(|source| failed(&self.directory, source))?;
        }
        let length = u64::try_from(frames.len()).unwrap_or(u64::MAX);
        let held = self.elsewhere + self.current.as_ref().map_or(0, |current| current.length);
        if held.saturating_add(length) > self.limit {
            return Err(EventError::SpillFull { limit: self.limit });
        }
        if self.current.as_ref().is_some_and(|current| current.length + length > SEGMENT) {
            self.leave();
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin()?,
        };
        let written = current.file.write_all(&frames).and_then(|()| current.file.sync_data());
        if let Err(source) = written {
            // Half a frame would end the file for whatever came behind it.
            let undone = current.file.set_len(current.length);
            let error = failed(&current.path, source);
            if undone.is_ok() {
                self.current = Some(current);
            } else {
                self.elsewhere += current.length;
            }
            return Err(error);
        }
        current.length += length;
        self.current = Some(current);
        Ok(())
    }

    /// The oldest file that nobody appends to any more. `None`: there is none.
    pub(crate) fn replay(&mut self) -> Result<Option<Replay>, EventError> {
        self.leave();
        for path in self.segments()? {
            let Some(file) = Self::lock(&path)? else { continue };
            return self.read(path, file).map(Some);
        }
        self.elsewhere = 0;
        Ok(None)
    }

    /// What was replayed is stored: its file goes.
    pub(crate) fn forget(&mut self, replay: &Replay) -> Result<(), EventError> {
        let Replay { path, length, end, .. } = replay;
        if *end == End::Torn {
            tracing::warn!(path = %path.display(), "a file of spilled events ends within an event, which was never acknowledged");
        }
        let gone = if *end == End::Damaged {
            tracing::error!(path = %path.display(), "a file of spilled events is damaged: what could not be read is kept aside");
            fs::rename(path, path.with_extension(DAMAGED))
        } else {
            fs::remove_file(path)
        };
        gone.and_then(|()| self.sync()).map_err(|source| failed(path, source))?;
        self.elsewhere = self.elsewhere.saturating_sub(*length);
        Ok(())
    }

    /// Appends to the current file no more.
    fn leave(&mut self) {
        if let Some(current) = self.current.take() {
            self.elsewhere += current.length;
        }
    }

    fn begin(&self) -> Result<Segment, EventError> {
        // Names in the order of their time.
        let path = self.directory.join(format!("{}.{EXTENSION}", Uuid::now_v7()));
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path);
        let locked = file.and_then(|file| {
            file.try_lock().map_err(io::Error::from)?;
            self.sync()?;
            Ok(file)
        });
        let file = locked.map_err(|source| failed(&path, source))?;
        Ok(Segment { path, file, length: 0 })
    }

    /// A new name is there for good only when its folder is synced.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    /// `None`: somebody still appends to it, or replays it, or has done so just now.
    fn lock(path: &Path) -> Result<Option<File>, EventError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(path, source)),
        };
        match file.try_lock() {
            // Whoever held the lock before may have removed the file.
            Ok(()) => Ok(path.exists().then_some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(failed(path, source)),
        }
    }

    fn read(&self, path: PathBuf, mut file: File) -> Result<Replay, EventError> {
        let mut bytes = Vec::new();
        // One batch may be longer than a segment, but none is longer than the spill.
        let limit = self.limit.max(SEGMENT);
        (&mut file).take(limit).read_to_end(&mut bytes).map_err(|source| failed(&path, source))?;
        let (events, end) = frames(&bytes);
        Ok(Replay { events, path, _file: file, length: u64::try_from(bytes.len()).unwrap_or(u64::MAX), end })
    }

    fn segments(&self) -> Result<Vec<PathBuf>, EventError> {
        let list = || -> io::Result<Vec<PathBuf>> {
            let mut paths = Vec::new();
            for entry in fs::read_dir(&self.directory)? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == EXTENSION) {
                    paths.push(path);
                }
            }
            paths.sort();
            Ok(paths)
        };
        list().map_err(|source| failed(&self.directory, source))
    }
}

fn failed(path: &Path, source: io::Error) -> EventError {
    EventError::Spill { path: path.into(), source }
}

/// How a file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With its last frame.
    Whole,
    /// Within a frame that was not finished.
    Torn,
    /// With something that is no frame.
    Damaged,
}

fn frames(mut bytes: &[u8]) -> (Vec<Event>, End) {
    let mut events = Vec::new();
    while !bytes.is_empty() {
        match read_frame(bytes) {
            Frame::Event(event, rest) => {
                events.push(*event);
                bytes = rest;
            }
            Frame::Torn => return (events, End::Torn),
            Frame::Damaged => return (events, End::Damaged),
        }
    }
    (events, End::Whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{FRAME_HEAD, samples::samples};

    fn spill(directory: &Path) -> Spill {
        Spill::open(directory.join("spill"), 1 << 30).unwrap()
    }

    #[test]
    fn what_is_spilled_is_replayed_once() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spill, events) = (spill(folder.path()), samples());
        assert!(!spill.has_some() && spill.replay().unwrap().is_none());
        spill.append(&events[..2]).unwrap();
        spill.append(&events[2..]).unwrap();
        assert!(spill.has_some());
        let replay = spill.replay().unwrap().unwrap();
        assert_eq!(replay.events, events);
        spill.forget(&replay).unwrap();
        drop(replay);
        assert!(spill.replay().unwrap().is_none() && !spill.has_some());
    }

    #[test]
    fn a_file_that_somebody_appends_to_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, events) = (spill(folder.path()), samples());
        one.append(&events).unwrap();
        let mut other = spill(folder.path());
        assert!(other.has_some() && other.replay().unwrap().is_none());
        drop(one);
        let mut third = spill(folder.path());
        assert_eq!(third.replay().unwrap().unwrap().events, events, "whoever has died appends no more");
    }

    #[test]
    fn the_spill_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::open(folder.path().join("spill"), 4096).unwrap();
        let outcomes: Vec<_> = (0..20).map(|_| spill.append(&samples()[..1]).is_ok()).collect();
        assert!(outcomes[0] && !outcomes[19]);
        let replay = spill.replay().unwrap().unwrap();
        assert_eq!(replay.events.len(), outcomes.iter().filter(|done| **done).count());
        spill.forget(&replay).unwrap();
        spill.append(&samples()[..1]).unwrap();
    }

    #[test]
    fn what_is_damaged_is_kept_aside() {
        // In the event, and in its length: one that points behind the end of the file.
        for place in [FRAME_HEAD + 3, 2] {
            let folder = tempfile::tempdir().unwrap();
            let mut spill = spill(folder.path());
            spill.append(&samples()[..1]).unwrap();
            let path = spill.segments().unwrap().remove(0);
            let mut bytes = fs::read(&path).unwrap();
            bytes[place] ^= 1;
            fs::write(&path, bytes).unwrap();
            let replay = spill.replay().unwrap().unwrap();
            assert_eq!(replay.events, []);
            spill.forget(&replay).unwrap();
            assert!(path.with_extension(DAMAGED).exists() && !path.exists(), "{place}");
        }
    }

    proptest! {
        #[test]
        fn a_file_that_was_cut_short_gives_what_was_whole(cut in 0_usize..8192) {
            let events = samples();
            let mut bytes = Vec::new();
            let ends: Vec<_> = events.iter().map(|event| { write_frame(event, &mut bytes).unwrap(); bytes.len() }).collect();
            let cut = cut.min(bytes.len());
            let (read, end) = frames(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            prop_assert_eq!(&read[..], &events[..whole]);
            prop_assert_eq!(end == End::Whole, cut == 0 || ends.contains(&cut));
            prop_assert!(end != End::Damaged);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = frames(&bytes);
        }
    }
}
