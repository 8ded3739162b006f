use std::{collections::BTreeMap, time::UNIX_EPOCH};

use super::*;
use crate::{Class, Dimension, Filter, Order, Severity, Span, TextFilter, samples::samples};

const WITHIN: Duration = Duration::from_mins(1);

fn stored(events: &[Event]) -> (tempfile::TempDir, Store, Reader) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("events");
    let mut store = Store::open(directory.clone(), events[0].id.moment()).unwrap();
    store.append(events, &[]).unwrap();
    (folder, store, Reader::new(directory))
}

fn texts(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    events
}

#[test]
fn pages_hold_every_event_once_in_their_order() {
    let events = samples();
    let (_folder, _store, reader) = stored(&events);
    let newest = sorted(events);
    for (order, expected) in
        [(Order::NewestFirst, newest.clone()), (Order::OldestFirst, newest.iter().rev().cloned().collect())]
    {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = reader.page(&Filter::default(), order, cursor, 7, WITHIN).unwrap();
            assert!(page.events.len() == 7 || page.next.is_none());
            found.extend(page.events);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "as they were, over files and pages");
    }
}

/// What SQL finds is what [`Filter::matches`] says.
#[test]
fn filters_find_what_passes_them() {
    let events = samples();
    let (_folder, _store, reader) = stored(&events);
    let middle = sorted(events.clone())[events.len() / 2].id.moment();
    let network = |text: &str| Some(text.parse().unwrap());
    let text = |text: &str| Some(text.to_owned());
    let all = Filter::default;
    let filters = [
        (Filter { kinds: vec![Kind::TokenReused, Kind::RoleChanged], ..all() }, true),
        (Filter { classes: vec![Class::Authentication], ..all() }, true),
        (Filter { classes: vec![Class::ApiActivity], kinds: vec![Kind::TokenReused], ..all() }, false),
        (Filter { severity: Some(Severity::High), ..all() }, true),
        (Filter { network: network("192.0.2.7/32"), ..all() }, true),
        (Filter { network: network("192.0.0.0/16"), ..all() }, true),
        (Filter { network: network("192.0.3.0/24"), ..all() }, false),
        (Filter { network: network("2001:db8::/32"), ..all() }, true),
        (Filter { network: network("0.0.0.0/0"), ..all() }, true),
        (Filter { user: text("ada-1"), ..all() }, true),
        (Filter { user: text("ada"), ..all() }, false),
        (Filter { organization: text("shop"), ..all() }, true),
        (Filter { route: text("/api/**"), ..all() }, true),
        (Filter { request: text("request-7"), ..all() }, true),
        (Filter { request: text("' OR 1=1 --"), ..all() }, false),
        (Filter { rule: text("949110"), ..all() }, true),
        (Filter { rule: text("9491"), ..all() }, false),
        (Filter { text: TextFilter::new("ADA was"), ..all() }, true),
        (Filter { text: TextFilter::new("letters/7"), ..all() }, true),
        (Filter { text: TextFilter::new("100%_"), ..all() }, false),
        (Filter { span: Span::new(Some(middle), None), ..all() }, true),
        (Filter { span: Span::new(None, Some(middle)), ..all() }, true),
        (Filter { span: Span::new(Some(middle), Some(middle)), ..all() }, false),
    ];
    for (filter, finds) in filters {
        let expected: Vec<_> =
            sorted(events.clone()).into_iter().filter(|event| filter.matches(event)).collect();
        assert_eq!(!expected.is_empty(), finds, "{filter:?}");
        let page = reader.page(&filter, Order::NewestFirst, None, 1000, WITHIN).unwrap();
        assert_eq!(page.events, expected, "{filter:?}");
    }
}

#[test]
fn what_is_stored_twice_is_there_once_and_counted_once() {
    let events = samples();
    let (_folder, mut store, reader) = stored(&events);
    let uncounted = Uncounted { at: events[0].id.milliseconds(), kind: Kind::RequestAllowed, count: 40 };
    store.append(&events[..10], &[uncounted]).unwrap();
    let page = reader.page(&Filter::default(), Order::NewestFirst, None, 1000, WITHIN).unwrap();
    assert_eq!(page.events.len(), events.len());

    let buckets = reader.counts(&Filter::default(), 24 * 60, WITHIN).unwrap().buckets;
    let mut expected: BTreeMap<(u64, Kind), u64> = BTreeMap::new();
    for event in &events {
        *expected.entry((event.id.day(), event.kind)).or_default() += 1;
    }
    *expected.entry((events[0].id.day(), Kind::RequestAllowed)).or_default() += 40;
    let day = |at: SystemTime| Day::of(at).0;
    let found: BTreeMap<_, _> =
        buckets.iter().map(|bucket| ((day(bucket.start), bucket.kind), bucket.count)).collect();
    assert_eq!(found, expected);
}

#[test]
fn counts_go_by_time_kind_and_severity() {
    let events = samples();
    let (_folder, _store, reader) = stored(&events);
    let kind = Kind::TokenReused;
    let filter = Filter { kinds: vec![kind], severity: Some(Severity::High), ..Filter::default() };
    let buckets = reader.counts(&filter, 5, WITHIN).unwrap().buckets;
    assert_eq!(buckets.iter().map(|bucket| bucket.count).collect::<Vec<_>>(), [1, 2]);
    for bucket in buckets {
        let since = bucket.start.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!((since % 300, bucket.kind, bucket.severity), (0, kind, Severity::High));
    }
}

#[test]
fn rankings_add_up_over_days() {
    let events = samples();
    let (_folder, _store, reader) = stored(&events);
    let top = |filter: &Filter, dimension| {
        let ranked = reader.top(filter, dimension, 2, WITHIN).unwrap().values;
        ranked.into_iter().map(|ranked| (ranked.value, ranked.count)).collect::<Vec<_>>()
    };
    let kinds = u64::try_from(Kind::ALL.len()).unwrap();
    let addresses = top(&Filter::default(), Dimension::Address);
    assert_eq!(addresses, [("192.0.2.7".to_owned(), kinds), ("2001:db8::7".to_owned(), kinds)]);
    for (dimension, value) in
        [(Dimension::User, "ada-1"), (Dimension::Organization, "shop"), (Dimension::Route, "/api/**")]
    {
        assert_eq!(top(&Filter::default(), dimension), [(value.to_owned(), 2 * kinds)]);
    }
    // Both rules stand on the same events, and each counts.
    let rules = [("942100".to_owned(), 2 * kinds), ("949110".to_owned(), 2 * kinds)];
    assert_eq!(top(&Filter::default(), Dimension::Rule), rules);
    let one = Filter { kinds: vec![Kind::RoleChanged], ..Filter::default() };
    assert_eq!(top(&one, Dimension::Kind), [("role_changed".to_owned(), 3)]);
}

#[test]
fn a_question_has_a_deadline() {
    let events = samples();
    let (_folder, _store, reader) = stored(&events);
    let late = reader.page(&Filter::default(), Order::NewestFirst, None, 10, Duration::ZERO);
    assert!(matches!(late, Err(EventError::Deadline)), "{late:?}");
}

#[test]
fn old_days_go_whole() {
    let events = samples();
    let (_folder, mut store, reader) = stored(&events);
    assert_eq!(days(&store.directory).unwrap(), [Day(20_778), Day(20_779)]);
    let page =
        |reader: &Reader| reader.page(&Filter::default(), Order::NewestFirst, None, 1000, WITHIN).unwrap();
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
            let mut page = reader.page(&filter, order, None, 1000, WITHIN).unwrap();
            page.events.sort_by_key(|event| std::cmp::Reverse(event.id));
            assert_eq!(page.events, others, "{name}");
            assert_eq!((texts(&page.unreadable.days), page.unreadable.events), (days.to_vec(), 0), "{name}");
        }
        let counts = reader.counts(&filter, 24 * 60, WITHIN).unwrap();
        assert_eq!(counts.unreadable.days, days, "{name}");
        assert!(!counts.buckets.is_empty());
        let top = reader.top(&filter, Dimension::Kind, 10, WITHIN).unwrap();
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
        let page = reader.page(&Filter::default(), Order::NewestFirst, cursor, 2, WITHIN).unwrap();
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
    let mut store = Store::open(directory, events[0].id.moment()).unwrap();
    let unstored = store.append(&events, &[]).unwrap_err();
    assert_eq!(unstored.days, [Day(20_779)]);
    assert!(matches!(unstored.error, EventError::Version { found: 9, known: 1, .. }), "{unstored:?}");
    let page = reader.page(&Filter::default(), Order::NewestFirst, None, 1000, WITHIN).unwrap();
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
