//! Files of JSON in the shape of OCSF, one event a line: `bartizan-2026-11-22-000.ndjson`. Another one begins every day
//! (UTC) and when one is full; the oldest go. Only the gateway's user can read them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use bartizan_config::FileReceiver;
use time::{Date, OffsetDateTime};

use super::{Refused, Sent};
use crate::Shown;

const PREFIX: &str = "bartizan-";
const EXTENSION: &str = "ndjson";
/// The most files of one day: their names are in the order of their time.
const MOST_OF_A_DAY: u32 = 999;

#[derive(Debug)]
pub(crate) struct Files {
    settings: FileReceiver,
}

impl Files {
    pub(super) fn new(settings: &FileReceiver) -> Self {
        Self { settings: settings.clone() }
    }

    pub(super) async fn send(&mut self, events: &[Shown]) -> Result<Sent, Refused> {
        let lines: String = events.iter().map(|event| event.ocsf.to_string() + "\n").collect();
        let (settings, today) = (self.settings.clone(), OffsetDateTime::from(SystemTime::now()).date());
        let written = tokio::task::spawn_blocking(move || write(&settings, today, lines.as_bytes())).await;
        let written = written.map_err(|_| Refused::now("writing has failed inside"))?;
        let directory = self.settings.directory.display();
        let path =
            written.map_err(|error| Refused::now(format!("cannot write into `{directory}`: {error}")))?;
        Ok(Sent { answer: format!("written to `{}`", path.display()), ..Sent::default() })
    }
}

/// Appends lines to today's last file, or to a new one. They are there for good when this returns.
fn write(settings: &FileReceiver, today: Date, lines: &[u8]) -> io::Result<PathBuf> {
    let FileReceiver { directory, size, keep } = settings;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let files = files(directory)?;
    let day = format!("{PREFIX}{today}-");
    let last = files.iter().rfind(|path| name(path).starts_with(&day));
    let number = |path: &PathBuf| name(path).strip_prefix(&day)?.split('.').next()?.parse::<u32>().ok();
    let (last, next) = (last.cloned(), last.and_then(number).map_or(0, |number| number.saturating_add(1)));
    let path = match last {
        Some(path) if fs::metadata(&path)?.len() < *size || next > MOST_OF_A_DAY => path,
        _ => directory.join(format!("{day}{next:03}.{EXTENSION}")),
    };
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(&path)?;
    let length = file.metadata()?.len();
    // A process that died may have left half a line, which must not spoil ours.
    let begin: &[u8] = if ends_within_line(&file, length)? { b"\n" } else { b"" };
    if let Err(error) = file.write_all(&[begin, lines].concat()).and_then(|()| file.sync_data()) {
        // Half a line would spoil the next one. Where that fails, too, the first error tells more.
        let _ = file.set_len(length);
        return Err(error);
    }
    if is_new {
        File::open(directory)?.sync_all()?;
        let kept = usize::try_from(keep.get()).unwrap_or(usize::MAX);
        let surplus = (files.len() + 1).saturating_sub(kept);
        files.iter().take(surplus).try_for_each(fs::remove_file)?;
    }
    Ok(path)
}

fn ends_within_line(file: &File, length: u64) -> io::Result<bool> {
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    Ok(last != *b"\n")
}

/// What was written here, the oldest first.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_ours = path.extension().is_some_and(|extension| extension == EXTENSION);
        if is_ours && name(&path).starts_with(PREFIX) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, os::unix::fs::PermissionsExt};

    use time::Month;

    use super::*;

    #[test]
    fn another_file_begins_with_the_day_and_when_one_is_full_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("events");
        let keep = NonZeroU32::new(3).unwrap();
        let settings = FileReceiver { directory: directory.clone(), size: 10, keep };
        let day = |day| Date::from_calendar_date(2026, Month::November, day).unwrap();
        for (today, line) in [(21, "a"), (21, "bbbbbbbbb"), (21, "c"), (22, "d"), (23, "e"), (23, "f")] {
            write(&settings, day(today), format!("{line}\n").as_bytes()).unwrap();
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let written = files(&directory).unwrap();
        let texts: Vec<_> =
            written.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect();
        assert_eq!(
            texts,
            [
                ("bartizan-2026-11-21-001.ndjson".into(), "c\n".into()),
                ("bartizan-2026-11-22-000.ndjson".into(), "d\n".into()),
                ("bartizan-2026-11-23-000.ndjson".into(), "e\nf\n".to_owned()),
            ]
        );
        assert!(written.iter().all(|path| mode(path) == 0o600) && mode(&directory) == 0o700);
        fs::write(&written[2], "half a li").unwrap();
        write(&settings, day(23), b"g\n").unwrap();
        assert_eq!(fs::read_to_string(&files(&directory).unwrap()[2]).unwrap(), "half a li\ng\n");
    }
}
