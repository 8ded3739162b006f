use std::time::SystemTime;

use bartizan_events::{Decision, Event, FRAME_HEAD, Kind, write_frame};
use proptest::prelude::*;

use super::*;

fn event(kind: Kind) -> Event {
    Event::new(kind, SystemTime::now(), Decision::Refused, "a test")
}

fn events(kind: Kind, count: usize) -> Vec<Event> {
    (0..count).map(|_| event(kind)).collect()
}

fn append(writer: &mut Writer, events: &[Event]) -> LeftOut {
    let frames: Vec<_> = events
        .iter()
        .map(|event| {
            let mut frame = Vec::new();
            write_frame(event, &mut frame).unwrap();
            (frame, event.severity.is_expendable())
        })
        .collect();
    let frames: Vec<_> =
        frames.iter().map(|(bytes, is_expendable)| Framed { bytes, is_expendable: *is_expendable }).collect();
    writer.append(&frames).unwrap()
}

/// Everything that waits, delivered.
fn drain(reader: &mut Reader, most: usize) -> Vec<Event> {
    let mut all = Vec::new();
    while let Some(waiting) = reader.next(most, 1 << 20).unwrap() {
        assert!(waiting.events.len() <= most);
        reader.acknowledge(&waiting).unwrap();
        all.extend(waiting.events);
    }
    all
}

#[test]
fn what_is_appended_is_shown_until_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path().into(), 1 << 20).unwrap();
    let mut reader = Reader::open(folder.path()).unwrap().unwrap();
    assert!(Reader::open(folder.path()).unwrap().is_none(), "one reads at a time");
    assert!(reader.next(10, 1 << 20).unwrap().is_none());
    let sent = events(Kind::AttackDetected, 5);
    append(&mut writer, &sent);
    let first = reader.next(2, 1 << 20).unwrap().unwrap();
    assert_eq!(first.events, sent[..2]);
    assert_eq!(reader.next(2, 1 << 20).unwrap().unwrap().events, sent[..2], "it was not acknowledged");
    reader.acknowledge(&first).unwrap();
    drop((reader, writer));

    let mut reader = Reader::open(folder.path()).unwrap().unwrap();
    assert!(waiting(folder.path()).unwrap() > 0);
    assert_eq!(drain(&mut reader, 2), sent[2..], "another process goes on where it was");
    assert_eq!(
        (waiting(folder.path()).unwrap(), segments(folder.path()).unwrap().len()),
        (0, 0),
        "nothing is left"
    );
}

#[test]
fn files_of_two_writers_are_delivered_while_both_write() {
    let folder = tempfile::tempdir().unwrap();
    let (mut old, mut new) = (
        Writer::open(folder.path().into(), 1 << 20).unwrap(),
        Writer::open(folder.path().into(), 1 << 20).unwrap(),
    );
    let mut reader = Reader::open(folder.path()).unwrap().unwrap();
    let mut sent = Vec::new();
    for _ in 0..3 {
        for writer in [&mut old, &mut new] {
            let one = events(Kind::AttackDetected, 1);
            append(writer, &one);
            sent.extend(one);
        }
    }
    assert_eq!(drain(&mut reader, 10).len(), sent.len());
    append(&mut old, &sent[..1]);
    assert_eq!(drain(&mut reader, 10), sent[..1]);
    drop((old, new));
    assert_eq!(drain(&mut reader, 10), []);
    assert_eq!(segments(folder.path()).unwrap().len(), 0);
}

#[test]
fn when_it_is_full_what_is_low_is_left_out_and_then_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 64 * 1024;
    let mut writer = Writer::open(folder.path().into(), limit).unwrap();
    let (mut low, mut high) = (LeftOut::default(), LeftOut::default());
    let mut last = Vec::new();
    for _ in 0..500 {
        let left_out = append(&mut writer, &events(Kind::RequestRefused, 1));
        low.expendable += left_out.expendable;
        low.oldest += left_out.oldest;
    }
    assert!(low.expendable > 0 && low.oldest == 0, "{low:?}");
    assert!(writer.measure().unwrap() <= limit / 4 * 3);
    for _ in 0..500 {
        last = events(Kind::AttackDetected, 1);
        let left_out = append(&mut writer, &last);
        high.expendable += left_out.expendable;
        high.oldest += left_out.oldest;
        assert!(writer.measure().unwrap() <= limit);
    }
    assert!(high.expendable == 0 && high.oldest > 0, "{high:?}");
    let mut reader = Reader::open(folder.path()).unwrap().unwrap();
    let left = drain(&mut reader, 100);
    assert_eq!(left.last(), last.last(), "the newest is there");
    let missing = 1000 - left.len();
    assert_eq!(missing as u64, low.expendable + high.oldest, "what is not there was counted");
}

#[test]
fn what_is_damaged_is_kept_aside_and_the_rest_is_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path().into(), 1 << 20).unwrap();
    append(&mut writer, &events(Kind::AttackDetected, 2));
    drop(writer);
    let path = segments(folder.path()).unwrap().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[FRAME_HEAD + 3] ^= 1;
    fs::write(&path, bytes).unwrap();
    let mut writer = Writer::open(folder.path().into(), 1 << 20).unwrap();
    let sent = events(Kind::AttackDetected, 1);
    append(&mut writer, &sent);
    let mut reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(drain(&mut reader, 10), sent);
    assert!(path.with_extension(DAMAGED).exists() && !path.exists());
}

#[test]
fn a_position_that_cannot_be_read_delivers_twice_and_never_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path().into(), 1 << 20).unwrap();
    let sent = events(Kind::AttackDetected, 3);
    append(&mut writer, &sent);
    let mut reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(drain(&mut reader, 10), sent);
    drop(reader);
    fs::write(folder.path().join(POSITION), "{").unwrap();
    let mut reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(drain(&mut reader, 10), sent);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Cut anywhere, as a process that dies leaves it.
    #[test]
    fn a_file_that_was_cut_short_gives_what_was_whole(cut in 0_usize..4096) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path().into(), 1 << 20).unwrap();
        let sent = events(Kind::AttackDetected, 6);
        append(&mut writer, &sent);
        drop(writer);
        let path = segments(folder.path()).unwrap().remove(0);
        let bytes = fs::read(&path).unwrap();
        let cut = cut.min(bytes.len());
        fs::write(&path, &bytes[..cut]).unwrap();
        let mut reader = Reader::open(folder.path()).unwrap().unwrap();
        let read = drain(&mut reader, 4);
        let whole = cut * sent.len() / bytes.len();
        prop_assert_eq!(&read[..], &sent[..whole]);
        prop_assert_eq!(segments(folder.path()).unwrap().len(), 0);
    }
}
