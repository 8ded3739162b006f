//! Rules over a file of events.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use anyhow::{Context, Result, ensure};
use bartizan_detection::{Moment, RuleSet};
use serde_json::Value;

use super::fired::{Fired, Firing};

/// The longest line, in bytes.
const MAX_LINE: u64 = 1024 * 1024;
/// The most events of a file.
const MAX_EVENTS: usize = 20_000_000;

/// Shows every event of a file to the rules, in the order of their times. Rules that did not fire are left out.
pub(super) fn run(rules: RuleSet, path: &Path, utc_offset: i16) -> Result<Vec<Fired>> {
    let mut firing = Firing::new(rules, utc_offset);
    let mut lines = Lines::open(path)?;
    for place in lines.in_order()? {
        firing.show(&lines.at(place)?, place.time);
    }
    Ok(firing.finish())
}

/// Events, one a line. Read twice, so that a file in any order costs no more memory than where its lines are.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
}

/// Where an event stands.
#[derive(Clone, Copy)]
struct Place {
    time: Moment,
    /// Its first byte.
    offset: u64,
    /// Its line, from 1.
    number: usize,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Self { path, reader: BufReader::new(file) })
    }

    /// Where all events stand, the oldest first: windows of rules go by the latest time, and `bartizan events` begins with
    /// the newest.
    fn in_order(&mut self) -> Result<Vec<Place>> {
        let (mut places, mut offset) = (Vec::new(), 0);
        for number in 1.. {
            let line = self.line(number)?;
            if line.is_empty() {
                break;
            }
            if !line.trim_ascii().is_empty() {
                ensure!(
                    places.len() < MAX_EVENTS,
                    "`{}` has more than {MAX_EVENTS} events",
                    self.path.display()
                );
                let event = self.parse(&line, number)?;
                let time = event.get("time").and_then(Value::as_i64);
                let time = time.with_context(|| {
                    format!("{} has no `time`, milliseconds since 1970", self.place(number))
                })?;
                places.push(Place { time: Moment(time), offset, number });
            }
            offset += line.len() as u64;
        }
        places.sort_by_key(|place| place.time);
        Ok(places)
    }

    fn at(&mut self, place: Place) -> Result<Value> {
        // Seeking throws away what is read ahead: files in order are read on.
        let here = self.reader.stream_position();
        let there = here.and_then(|here| {
            if here == place.offset { Ok(here) } else { self.reader.seek(SeekFrom::Start(place.offset)) }
        });
        there.with_context(|| {
            format!("`{}` cannot be read twice: write it into a file first", self.path.display())
        })?;
        let line = self.line(place.number)?;
        self.parse(&line, place.number)
    }

    /// The next line with its end; empty behind the last.
    fn line(&mut self, number: usize) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line);
        read.with_context(|| format!("cannot read {}", self.place(number)))?;
        ensure!(line.len() as u64 <= MAX_LINE, "{} is longer than 1 MiB", self.place(number));
        Ok(line)
    }

    fn parse(&self, line: &[u8], number: usize) -> Result<Value> {
        serde_json::from_slice(line).with_context(|| format!("{} is no JSON", self.place(number)))
    }

    fn place(&self, number: usize) -> String {
        format!("`{}`, line {number}", self.path.display())
    }
}
