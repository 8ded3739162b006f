//! The side that delivers.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bartizan_events::{Event, Frame, LARGEST_FRAME, read_frame};

use super::{DAMAGED, POSITION, READER_LOCK, create, lock, name, open, segments};

/// Reads the spool of one receiver. Its file operations block.
#[derive(Debug)]
pub(crate) struct Reader {
    directory: PathBuf,
    /// Up to where each file was delivered, by its name.
    delivered: BTreeMap<String, u64>,
    /// Held for as long as this is there.
    _lock: File,
}

/// The next events of a spool.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) events: Vec<Event>,
    segment: String,
    end: u64,
}

impl Reader {
    /// The reader of the spool in this directory. `None`: somebody else reads it, most often another process.
    pub(crate) fn open(directory: &Path) -> io::Result<Option<Self>> {
        create(directory)?;
        let path = directory.join(READER_LOCK);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        if !lock(&file)? {
            return Ok(None);
        }
        Ok(Some(Self { directory: directory.into(), delivered: positions(directory), _lock: file }))
    }

    /// The next events, at most so many, of at most so many bytes together where there is more than one. `None`: nothing
    /// waits.
    pub(crate) fn next(&mut self, events: usize, bytes: usize) -> io::Result<Option<Waiting>> {
        let paths = segments(&self.directory)?;
        self.delivered.retain(|known, _| paths.iter().any(|path| name(path) == *known));
        for path in paths {
            if let Some(waiting) = self.read(&path, events, bytes)? {
                return Ok(Some(waiting));
            }
        }
        Ok(None)
    }

    /// They were delivered: they are not shown again, unless the process ends just now.
    pub(crate) fn acknowledge(&mut self, waiting: &Waiting) -> io::Result<()> {
        self.delivered.insert(waiting.segment.clone(), waiting.end);
        let text = serde_json::to_vec(&self.delivered).map_err(io::Error::other)?;
        let (path, new) = (self.directory.join(POSITION), self.directory.join("position.new"));
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
        file.write_all(&text)?;
        fs::rename(new, path)
    }

    fn read(&self, path: &Path, most: usize, bytes: usize) -> io::Result<Option<Waiting>> {
        let Some(mut file) = open(path)? else { return Ok(None) };
        // Before it is read, so that what is read is all of it.
        let is_complete = lock(&file)?;
        let segment = name(path);
        let start = self.delivered.get(&segment).copied().unwrap_or_default();
        file.seek(SeekFrom::Start(start))?;
        let mut read = Vec::new();
        let longest = u64::try_from(bytes.max(LARGEST_FRAME)).unwrap_or(u64::MAX);
        (&mut file).take(longest).read_to_end(&mut read)?;
        let (mut rest, mut events, mut is_damaged) = (read.as_slice(), Vec::new(), false);
        while events.len() < most {
            match read_frame(rest) {
                Frame::Event(event, behind) => {
                    events.push(*event);
                    rest = behind;
                }
                Frame::Torn => break,
                Frame::Damaged => {
                    is_damaged = true;
                    break;
                }
            }
        }
        if !events.is_empty() {
            let taken = u64::try_from(read.len() - rest.len()).unwrap_or(u64::MAX);
            return Ok(Some(Waiting { events, segment, end: start.saturating_add(taken) }));
        }
        if is_damaged {
            tracing::error!(path = %path.display(), "a file of events that wait is damaged: what could not be read is kept aside");
            fs::rename(path, path.with_extension(DAMAGED))?;
        } else if is_complete {
            if !read.is_empty() {
                tracing::warn!(path = %path.display(), "a file of events that wait ends within an event, which was never acknowledged");
            }
            fs::remove_file(path)?;
        }
        Ok(None)
    }
}

/// Up to where each file was delivered, as was written down last. Where that cannot be read, all of it is delivered again.
pub(super) fn positions(directory: &Path) -> BTreeMap<String, u64> {
    let text = fs::read(directory.join(POSITION)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}
