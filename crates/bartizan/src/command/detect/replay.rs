//! Rules over a file of events.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use bartizan_detection::{Detector, Finding, Matched, Moment, Rule, RuleSet, Settings, SigmaDetector};
use serde::Serialize;
use serde_json::Value;

use crate::output::{Cell, FAINT, PLAIN, Table, printable};

/// The longest line, in bytes.
const MAX_LINE: u64 = 1024 * 1024;
/// The most events of a file.
const MAX_EVENTS: usize = 20_000_000;
/// How many of those that a rule fired for are told.
const MAX_SUBJECTS: usize = 10;
/// How many of them are counted one by one.
const MAX_COUNTED: usize = 10_000;

/// How often a rule fired, and for whom.
#[derive(Debug, Serialize)]
pub(super) struct Fired {
    rule: Arc<Rule>,
    times: u64,
    first: Moment,
    last: Moment,
    /// The most frequent first.
    subjects: Vec<Subject>,
}

/// For whom: a group of the correlation, or what of the event met the rule.
#[derive(Debug, Serialize)]
struct Subject {
    fields: Vec<Matched>,
    times: u64,
}

#[derive(Default)]
struct Count {
    times: u64,
    first: Option<Moment>,
    last: Option<Moment>,
    subjects: BTreeMap<Vec<Matched>, u64>,
}

/// Shows every event of a file to the rules, in the order of their times. Rules that did not fire are left out.
pub(super) fn run(rules: RuleSet, path: &Path, utc_offset: i16) -> Result<Vec<Fired>> {
    let known = rules.rules().to_vec();
    let mut detector = SigmaDetector::new(rules, Settings { utc_offset, ..Settings::default() });
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut lines = Lines::open(path)?;
    for place in lines.in_order()? {
        let event = lines.at(place)?;
        for finding in detector.observe(&event, place.time) {
            counts.entry(finding.rule.id.clone()).or_default().add(&finding);
        }
    }
    let fired = known.into_iter().filter_map(|rule| counts.remove(&rule.id)?.fired(rule));
    let mut fired: Vec<_> = fired.collect();
    fired.sort_by_key(|fired| std::cmp::Reverse((fired.rule.severity, fired.times)));
    Ok(fired)
}

impl Fired {
    /// What a person reads.
    pub(super) fn table(fired: &[Self]) -> String {
        if fired.is_empty() {
            return "no rule would have fired".into();
        }
        let mut table = Table::new(&["LEVEL", "TIMES", "TITLE", "FOR"]);
        for Self { rule, times, subjects, .. } in fired {
            for (index, subject) in subjects.iter().enumerate() {
                let (level, total, title) = match index {
                    0 => (rule.severity.name(), times.to_string(), rule.title.as_str()),
                    _ => ("", String::new(), ""),
                };
                table.row([
                    Cell::new(PLAIN, level),
                    Cell::new(PLAIN, total),
                    Cell::new(PLAIN, title),
                    Cell::new(FAINT, subject.told()),
                ]);
            }
        }
        table.to_string()
    }
}

impl Subject {
    fn told(&self) -> String {
        let fields = self.fields.iter().map(|part| format!("{}={}", part.field, printable(&part.value)));
        let fields = fields.collect::<Vec<_>>().join(" ");
        if fields.is_empty() {
            format!("all together ({})", self.times)
        } else {
            format!("{fields} ({})", self.times)
        }
    }
}

impl Count {
    fn add(&mut self, finding: &Finding) {
        self.times += 1;
        self.first = self.first.into_iter().chain([finding.first]).min();
        self.last = self.last.into_iter().chain([finding.last]).max();
        let is_alone =
            finding.group.is_empty() && finding.rule.kind == bartizan_detection::RuleKind::Condition;
        let subject = if is_alone { &finding.matched } else { &finding.group };
        if let Some(times) = self.subjects.get_mut(subject) {
            *times += 1;
        } else if self.subjects.len() < MAX_COUNTED {
            self.subjects.insert(subject.clone(), 1);
        }
    }

    fn fired(self, rule: Arc<Rule>) -> Option<Fired> {
        let subjects = self.subjects.into_iter().map(|(fields, times)| Subject { fields, times });
        let mut subjects: Vec<_> = subjects.collect();
        subjects.sort_by_key(|subject| std::cmp::Reverse(subject.times));
        subjects.truncate(MAX_SUBJECTS);
        Some(Fired { rule, times: self.times, first: self.first?, last: self.last?, subjects })
    }
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
