use std::time::Duration;

use super::*;

const LIMITS: Http2Limits = Http2Limits {
    concurrent_streams: 10,
    resets: 3,
    control_frames: 5,
    continuations: 2,
    window: Duration::from_secs(30),
};

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
}

/// After the preface, `count` times each of `frames`.
fn after_preface(frames: &[(u8, u8, &[u8], usize)]) -> Vec<u8> {
    let frames =
        frames.iter().map(|(kind, flags, payload, count)| frame(*kind, *flags, payload).repeat(*count));
    [PREFACE.to_vec(), frames.collect::<Vec<_>>().concat()].concat()
}

fn follow(bytes: &[u8], piece: usize) -> Result<(), Violation> {
    let mut frames = Frames::new(LIMITS, 1000);
    bytes.chunks(piece).try_for_each(|piece| frames.advance(piece))
}

#[tokio::test(start_paused = true)]
async fn floods_are_told_from_traffic_in_whatever_pieces() {
    const PING: u8 = 6;
    const SETTINGS: u8 = 4;
    let cases: Vec<(Vec<u8>, Result<(), Violation>)> = vec![
        (PREFACE.to_vec(), Ok(())),
        (PREFACE[..10].to_vec(), Ok(())),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), Err(Violation::Preface)),
        (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(), Err(Violation::Preface)),
        (after_preface(&[(PING, 0, &[0; 8], 5)]), Ok(())),
        (after_preface(&[(PING, 0, &[0; 8], 6)]), Err(Violation::ControlFlood)),
        (after_preface(&[(PING, 0, &[0; 8], 3), (SETTINGS, 0, &[], 3)]), Err(Violation::ControlFlood)),
        // Requests entitle to control frames.
        (after_preface(&[(Kind::HEADERS, 5, &[0x82], 4), (PING, 0, &[0; 8], 9)]), Ok(())),
        (
            after_preface(&[(Kind::HEADERS, 5, &[0x82], 4), (PING, 0, &[0; 8], 10)]),
            Err(Violation::ControlFlood),
        ),
        (after_preface(&[(Kind::RST_STREAM, 0, &[0; 4], 3)]), Ok(())),
        (after_preface(&[(Kind::RST_STREAM, 0, &[0; 4], 4)]), Err(Violation::ResetFlood)),
        (after_preface(&[(Kind::WINDOW_UPDATE, 0, &[0; 4], 50)]), Ok(())),
        (after_preface(&[(Kind::WINDOW_UPDATE, 0, &[0; 4], 51)]), Err(Violation::ControlFlood)),
        (after_preface(&[(Kind::DATA, 0, b"x", 100)]), Ok(())),
        (after_preface(&[(Kind::DATA, END_STREAM, b"", 100)]), Ok(())),
        (after_preface(&[(Kind::DATA, 0, b"", 6)]), Err(Violation::ControlFlood)),
        // Padding carries nothing.
        (after_preface(&[(Kind::DATA, PADDED, &[3, 0, 0, 0], 6)]), Err(Violation::ControlFlood)),
        (after_preface(&[(Kind::DATA, PADDED | END_STREAM, &[3, 0, 0, 0], 100)]), Ok(())),
        (after_preface(&[(Kind::HEADERS, 0, b"x", 1), (Kind::CONTINUATION, 0, b"x", 2)]), Ok(())),
        (
            after_preface(&[(Kind::HEADERS, 0, b"x", 1), (Kind::CONTINUATION, 0, b"x", 3)]),
            Err(Violation::ContinuationFlood),
        ),
        // What looks like a frame inside a payload is none.
        (after_preface(&[(Kind::DATA, 0, &frame(Kind::RST_STREAM, 0, &[0; 4]), 100)]), Ok(())),
    ];
    for (bytes, expected) in cases {
        for piece in [bytes.len(), 1, 2, 5, 13] {
            assert_eq!(follow(&bytes, piece), expected, "{} in pieces of {piece}", bytes.escape_ascii());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_window_slides() {
    let reset = frame(Kind::RST_STREAM, 0, &[0; 4]);
    let mut frames = Frames::new(LIMITS, 1000);
    frames.advance(PREFACE).unwrap();
    for _ in 0..20 {
        frames.advance(&reset).unwrap();
        tokio::time::advance(Duration::from_secs(16)).await;
    }
    frames.advance(&reset.repeat(2)).unwrap();
    assert_eq!(frames.advance(&reset), Err(Violation::ResetFlood));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_entitles_to_window_updates() {
    let mut frames = Frames::new(LIMITS, 1000);
    frames.advance(PREFACE).unwrap();
    let update = frame(Kind::WINDOW_UPDATE, 0, &[0; 4]);
    for _ in 0..10_000 {
        // The smallest event, and both windows given back.
        frames.sent(9 + 1);
        frames.advance(&update.repeat(2)).unwrap();
    }
}

#[test]
fn the_farewell_names_the_last_stream() {
    let mut frames = Frames::new(LIMITS, 1000);
    frames.advance(&after_preface(&[(Kind::HEADERS, 5, &[0x82], 1)])).unwrap();
    assert_eq!(frames.farewell(), *b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x0b");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_hear_goaway_is_cut_off() {
    let mut frames = Frames::new(LIMITS, 5);
    frames.advance(PREFACE).unwrap();
    let request = |number: u8| {
        let mut request = frame(Kind::HEADERS, 5, &[0x82]);
        request[8] = 2 * number + 1;
        request
    };
    for number in 0..5 + 2 * u8::try_from(LIMITS.concurrent_streams).unwrap() {
        frames.advance(&request(number)).unwrap();
        // Trailers are no request.
        frames.advance(&request(number)).unwrap();
    }
    assert_eq!(frames.advance(&request(100)), Err(Violation::RequestsAfterGoaway));
}

#[tokio::test(start_paused = true)]
async fn data_in_crumbs_is_a_flood_and_small_messages_are_none() {
    /// `each` bytes and `padding` in a frame, `count` times, at so many frames a second; requests in between.
    struct Case {
        each: usize,
        padding: usize,
        count: usize,
        per_second: usize,
        frames_per_request: usize,
        passes: bool,
    }
    let case = |each, padding, count, per_second, frames_per_request, passes| Case {
        each,
        padding,
        count,
        per_second,
        frames_per_request,
        passes,
    };
    let cases = [
        case(1, 0, 30_000, usize::MAX, usize::MAX, true),
        case(1, 0, 40_000, usize::MAX, usize::MAX, false),
        case(1, 0, 200_000, 500, usize::MAX, true),
        case(1, 0, 200_000, 2_000, usize::MAX, false),
        case(1, 250, 2_000, usize::MAX, usize::MAX, false),
        // gRPC: an empty message is five bytes.
        case(5, 0, 60_000, usize::MAX, usize::MAX, true),
        case(5, 0, 200_000, 1_500, usize::MAX, true),
        case(20, 0, 200_000, usize::MAX, usize::MAX, true),
        // Many requests with small bodies.
        case(1, 0, 200_000, usize::MAX, 1, true),
        case(1, 0, 200_000, usize::MAX, 8, true),
        case(1, 0, 200_000, usize::MAX, 100, false),
    ];
    for Case { each, padding, count, per_second, frames_per_request, passes } in cases {
        let mut frames = Frames::new(LIMITS, u64::MAX);
        frames.advance(PREFACE).unwrap();
        let request = frame(Kind::HEADERS, 4, &[0x82]);
        let flags = if padding > 0 { PADDED | END_STREAM } else { 0 };
        let data = frame(Kind::DATA, flags, &vec![0; each + padding]);
        let mut verdict = Ok(());
        for number in 0..count {
            if number % per_second == per_second - 1 {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            if number % frames_per_request == 0 {
                frames.advance(&request).unwrap();
            }
            verdict = verdict.and_then(|()| frames.advance(&data));
        }
        let expected = if passes { Ok(()) } else { Err(Violation::DataFlood) };
        assert_eq!(verdict, expected, "{count} frames of {each} bytes, {per_second} a second");
    }
}
