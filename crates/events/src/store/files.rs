//! The store of one gateway: a file of SQLite for each day (`2026-11-22.sqlite`, by UTC) in one directory.
//!
//! One connection writes, each batch in one transaction for each day that it has events of; readers have connections of
//! their own and never wait for it (write-ahead log). A commit is synced before it returns. The oldest files are removed
//! whole. A file and its directory are for their user alone.

mod file;
mod read;
mod statement;

#[cfg(test)]
mod tests;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use self::file::DayFile;
pub(super) use self::read::Reader;
use super::{Day, Uncounted, Unstored};
use crate::{Event, EventError};

/// What the store writes with.
#[derive(Debug)]
pub(crate) struct Files {
    directory: PathBuf,
    /// Of today, and of the day that was written to before.
    open: Vec<DayFile>,
}

/// Today, and the day before for what comes late.
const MOST_OPEN: usize = 2;

impl Files {
    /// The store in this directory, which is made. Today's file is opened, so that what is wrong with it is said now; it
    /// is tried again with what is to be stored.
    pub(super) fn open(directory: PathBuf, now: SystemTime) -> Result<Self, EventError> {
        create_private_directory(&directory)?;
        let mut store = Self { directory, open: Vec::new() };
        if let Err(error) = store.file(Day::of(now)) {
            tracing::error!(%error, "the events of today cannot be stored: those of medium severity and above are spilled");
        }
        Ok(store)
    }

    /// Stores events, and counts them and `uncounted`, day by day. An event that is there already is left as it is, and
    /// not counted again. A day that fails holds up no other.
    pub(super) fn append(&mut self, events: &[Event], uncounted: &[Uncounted]) -> Result<(), Unstored> {
        let mut unstored: Option<Unstored> = None;
        let mut days: Vec<Day> = events.iter().map(Day::of_event).collect();
        days.extend(uncounted.iter().map(Uncounted::day));
        days.sort_unstable();
        days.dedup();
        for day in days {
            let events = events.iter().filter(|event| Day::of_event(event) == day);
            let uncounted = uncounted.iter().filter(|uncounted| uncounted.day() == day);
            let stored = self.file(day).and_then(|file| file.append(events, uncounted));
            if let Err(error) = stored {
                unstored.get_or_insert_with(|| Unstored { error, days: Vec::new() }).days.push(day);
            }
        }
        unstored.map_or(Ok(()), Err)
    }

    fn file(&mut self, day: Day) -> Result<&mut DayFile, EventError> {
        let index = if let Some(index) = self.open.iter().position(|file| file.day() == day) {
            index
        } else {
            let file = DayFile::open(&self.directory, day)?;
            if self.open.len() == MOST_OPEN {
                self.open.remove(0);
            }
            self.open.push(file);
            self.open.len() - 1
        };
        Ok(&mut self.open[index])
    }

    /// Removes the days that ended before the retention began.
    pub(super) fn tidy(&mut self, retention: Duration, now: SystemTime) -> Result<Vec<Day>, EventError> {
        let Some(first) = now.checked_sub(retention).map(Day::of) else { return Ok(Vec::new()) };
        let mut removed = Vec::new();
        for day in days(&self.directory)?.into_iter().filter(|day| *day < first) {
            self.open.retain(|file| file.day() != day);
            let path = day.path(&self.directory);
            for suffix in ["-wal", "-shm", ""] {
                let mut name = path.clone().into_os_string();
                name.push(suffix);
                if let Err(source) = fs::remove_file(&name)
                    && source.kind() != io::ErrorKind::NotFound
                {
                    return Err(EventError::Directory { path: name.into(), source });
                }
            }
            removed.push(day);
        }
        Ok(removed)
    }
}

/// The days that have a file, the oldest first.
fn days(directory: &Path) -> Result<Vec<Day>, EventError> {
    let list = || -> io::Result<Vec<Day>> {
        let mut days = Vec::new();
        for entry in fs::read_dir(directory)? {
            days.extend(entry?.file_name().to_str().and_then(Day::of_file));
        }
        days.sort_unstable();
        Ok(days)
    };
    list().map_err(|source| EventError::Directory { path: directory.into(), source })
}

pub(crate) fn create_private_directory(path: &Path) -> Result<(), EventError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| EventError::Directory { path: path.into(), source })
}
