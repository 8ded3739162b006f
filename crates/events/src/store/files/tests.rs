use std::{
    fs,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use super::*;
use crate::{Dimension, Filter, Order, samples::samples, store::Counted};

const WITHIN: Duration = Duration::from_mins(1);

fn stored(events: &[Event]) -> (tempfile::TempDir, Files, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("events");
    let mut files = Files::open(directory.clone(), events[0].id.moment()).unwrap();
    files.append(events, &[]).unwrap();
    (folder, files, Reader::new(directory))
}

fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    events
}

fn texts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

#[test]
fn old_days_go_whole() {
    let events = samples();
    let (_folder, mut store, reader) = stored(&events);
    assert_eq!(days(&store.directory).unwrap(), [Day(20_778), Day(20_779)]);
    let page = |reader: &Reader| {
        reader.page(&Filter::default().into(), Order::NewestFirst, None, 1000, WITHIN).unwrap()
    };
    assert_eq!(page(&reader).events.len(), events.len());
    let noon = UNIX_EPOCH + Duration::from_hours(24 * 20_789 + 12);
    let gone = store.tidy(Duration::from_hours(24 * 10), noon).unwrap();
    assert_eq!(gone, [Day(20_778)], "what a moment of is still to be kept stays");
    reader.forget(&gone);
    assert!(page(&reader).events.iter().all(|event| event.id.day() == 20_779));
    let names: Vec<_> = fs::read_dir(&store.directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("2026-11-21"))
        .collect();
    assert_eq!(names, <[String; 0]>::default());
}

/// What is done to a file.
type Break<'a> = &'a dyn Fn(&Path);

/// Of another release, no database, a database cut short, and one that nothing was written into.
#[test]
fn a_day_that_cannot_be_read_is_named_and_hides_no_other() {
    let set_version = |path: &Path, version: i64| {
        rusqlite::Connection::open(path).unwrap().pragma_update(None, "user_version", version).unwrap();
    };
    let breaks: [(&str, Break<'_>, bool); 4] = [
        ("another release", &|path| set_version(path, 9), true),
        ("no database", &|path| fs::write(path, "no database at all, and long enough").unwrap(), true),
        (
            "without tables",
            &|path| {
                rusqlite::Connection::open(path)
                    .unwrap()
                    .execute_batch("DROP TABLE events; DROP TABLE minutes")
                    .unwrap();
            },
            true,
        ),
        ("unwritten", &|path| fs::write(path, "").unwrap(), false),
    ];
    for (name, break_it, is_named) in breaks {
        let events = samples();
        let (_folder, store, reader) = stored(&events);
        let directory = store.directory.clone();
        drop(store);
        break_it(&Day(20_779).path(&directory));
        let days: &[&str] = if is_named { &["2026-11-22"] } else { &[] };
        let others: Vec<_> = sorted(events).into_iter().filter(|event| event.id.day() == 20_778).collect();
        let filter = Filter::default();
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut page = reader.page(&filter.clone().into(), order, None, 1000, WITHIN).unwrap();
            page.events.sort_by_key(|event| std::cmp::Reverse(event.id));
            assert_eq!(page.events, others, "{name}");
            assert_eq!((texts(&page.unreadable.days), page.unreadable.events), (days.to_vec(), 0), "{name}");
        }
        let counts = reader.counts(&filter.clone().into(), Counted::All, 24 * 60, WITHIN).unwrap();
        assert_eq!(counts.unreadable.days, days, "{name}");
        assert!(!counts.buckets.is_empty());
        let top = reader.top(&filter.clone().into(), Dimension::Kind, 10, WITHIN).unwrap();
        assert_eq!((texts(&top.unreadable.days), top.values.len()), (days.to_vec(), 10), "{name}");
    }
}

#[test]
fn an_event_that_cannot_be_read_is_counted_and_passed_over() {
    let events = sorted(samples());
    let (_folder, store, reader) = stored(&events);
    let broken = [&events[0], &events[3], &events[4]];
    let connection = rusqlite::Connection::open(Day::of_event(broken[0]).path(&store.directory)).unwrap();
    for (event, change) in broken.iter().zip(["kind = 250", "details = '{'", "severity = 'x'"]) {
        let key = i64::try_from(event.id.key()).unwrap();
        connection.execute(&format!("UPDATE events SET {change} WHERE key = ?1"), [key]).unwrap();
    }
    let (mut found, mut unreadable, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = reader.page(&Filter::default().into(), Order::NewestFirst, cursor, 2, WITHIN).unwrap();
        assert_eq!(page.unreadable.days, <[String; 0]>::default());
        found.extend(page.events);
        unreadable += page.unreadable.events;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<_> = events.iter().filter(|event| !broken.contains(event)).cloned().collect();
    assert_eq!((found, unreadable), (expected, 3));
}

#[test]
fn a_file_of_another_release_is_not_written_to_and_holds_up_no_other_day() {
    let events = samples();
    let (_folder, store, reader) = stored(&events[..1]);
    let directory = store.directory.clone();
    drop(store);
    let path = Day(20_779).path(&directory);
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let mut store = Files::open(directory, events[0].id.moment()).unwrap();
    let unstored = store.append(&events, &[]).unwrap_err();
    assert_eq!(unstored.days, [Day(20_779)]);
    assert!(matches!(unstored.error, EventError::Version { found: 9, known: 1, .. }), "{unstored:?}");
    let page = reader.page(&Filter::default().into(), Order::NewestFirst, None, 1000, WITHIN).unwrap();
    let others = events.iter().filter(|event| event.id.day() == 20_778).count();
    assert_eq!(page.events.len(), others);
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;

    let (_folder, store, _) = stored(&samples());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store.directory), 0o700);
    for entry in fs::read_dir(&store.directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}
