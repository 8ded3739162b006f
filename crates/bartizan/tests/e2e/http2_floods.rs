//! Floods of HTTP/2 frames that cost the sender nothing: each ends its connection soon after the limit, whoever
//! behaves is served, and memory stays where it was.

use crate::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameConnection, HEADERS, Outcome, PING, PRIORITY,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, block, frame, get, post, pseudo, text,
    },
    harness::Gateway,
    phrases::public,
    siege::{Honest, connections_end, resident_bytes},
    upstream::Upstream,
};

/// Every limit of the story, in frames.
const LIMIT: u32 = 20;

/// What is tolerated on top of the limit: its frames are useful traffic that entitles to a few more, and the
/// gateway reads more than one at a time.
const TOLERANCE: u32 = 40;

/// `WINDOW_UPDATE` has a limit of its own: a client that takes a lot in sends many.
const WINDOW_UPDATES: u32 = 10 * LIMIT;

/// More than any gateway takes in.
const FLOOD: u32 = 2000;

/// What a flood may leave behind in the allocator.
const MEMORY: usize = 24 * 1024 * 1024;

/// What opens a flood, and its frames by number.
struct Flood {
    name: &'static str,
    limit: u32,
    opening: fn() -> Vec<u8>,
    frames: fn(u32) -> Vec<u8>,
}

const CANCEL: [u8; 4] = 8u32.to_be_bytes();

/// Client streams have odd numbers; 1 is for openings.
fn stream(number: u32) -> u32 {
    2 * number + 3
}

const FLOODS: &[Flood] = &[
    Flood {
        name: "rapid reset (CVE-2023-44487)",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| {
            [get(stream(number), "/gate"), frame(RST_STREAM, 0, stream(number), CANCEL)].concat()
        },
    },
    Flood {
        name: "made you reset: WINDOW_UPDATE of 0 (CVE-2025-8671)",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| {
            [get(stream(number), "/gate"), frame(WINDOW_UPDATE, 0, stream(number), [0; 4])].concat()
        },
    },
    Flood {
        name: "made you reset: a window beyond 2^31",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| {
            [get(stream(number), "/gate"), frame(WINDOW_UPDATE, 0, stream(number), [0x7f, 0xff, 0xff, 0xff])]
                .concat()
        },
    },
    Flood {
        name: "made you reset: DATA after END_STREAM",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| {
            [get(stream(number), "/gate"), frame(DATA, END_STREAM, stream(number), b"x")].concat()
        },
    },
    Flood {
        name: "made you reset: more DATA than content-length",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| {
            let head = block(&[&pseudo("POST", "/gate")[..], &[("content-length", "1")]].concat());
            [frame(HEADERS, END_HEADERS, stream(number), head), frame(DATA, 0, stream(number), b"xx")]
                .concat()
        },
    },
    Flood {
        name: "made you reset: malformed requests",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| {
            frame(HEADERS, END_HEADERS | END_STREAM, stream(number), block(&[("connection", "close")]))
        },
    },
    Flood {
        name: "CONTINUATION (CVE-2024-27316)",
        limit: LIMIT,
        opening: || frame(HEADERS, END_STREAM, 1, block(&pseudo("GET", "/flood"))),
        frames: |_| frame(CONTINUATION, 0, 1, block(&[("x", "y")])),
    },
    Flood {
        name: "empty CONTINUATION",
        limit: LIMIT,
        opening: || frame(HEADERS, END_STREAM, 1, block(&pseudo("GET", "/flood"))),
        frames: |_| frame(CONTINUATION, 0, 1, []),
    },
    Flood {
        name: "PING",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| frame(PING, 0, 0, u64::from(number).to_be_bytes()),
    },
    Flood { name: "SETTINGS", limit: LIMIT, opening: Vec::new, frames: |_| frame(SETTINGS, 0, 0, []) },
    Flood {
        name: "SETTINGS that resize the header table",
        limit: LIMIT,
        opening: Vec::new,
        frames: |number| {
            frame(SETTINGS, 0, 0, [&1u16.to_be_bytes()[..], &(number % 2 * 4096).to_be_bytes()].concat())
        },
    },
    Flood {
        name: "empty DATA",
        limit: LIMIT,
        opening: || post(1, "/flood"),
        frames: |_| frame(DATA, 0, 1, []),
    },
    Flood {
        name: "DATA of padding alone",
        limit: LIMIT,
        opening: || post(1, "/flood"),
        frames: |_| frame(DATA, 0x8, 1, [3, 0, 0, 0]),
    },
    Flood {
        name: "WINDOW_UPDATE of the connection",
        limit: WINDOW_UPDATES,
        opening: Vec::new,
        frames: |_| frame(WINDOW_UPDATE, 0, 0, 1u32.to_be_bytes()),
    },
    Flood {
        name: "WINDOW_UPDATE of a stream",
        limit: WINDOW_UPDATES,
        opening: || get(1, "/gate"),
        frames: |_| frame(WINDOW_UPDATE, 0, 1, 1u32.to_be_bytes()),
    },
    Flood {
        name: "PRIORITY",
        limit: LIMIT,
        opening: || get(1, "/gate"),
        frames: |number| frame(PRIORITY, 0, stream(number), [0, 0, 0, 1, 16]),
    },
    Flood {
        name: "frames of an unknown kind",
        limit: LIMIT,
        opening: Vec::new,
        frames: |_| frame(0xbe, 0, 0, [0; 8]),
    },
];

async fn gateway(upstream: &Upstream) -> Gateway {
    let limits = format!(
        "concurrent_streams: 100, resets: {LIMIT}, control_frames: {LIMIT}, continuations: {LIMIT}, window: 60s"
    );
    let routes = format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]");
    // No deadline of another kind comes first.
    let deadlines = "header_timeout: 5min, rate_window: 5min";
    Gateway::start(&format!("{routes}\nhardening: {{ {deadlines}, http2: {{ {limits} }} }}\n")).await
}

#[tokio::test]
async fn every_flood_ends_its_connection_soon_after_the_limit() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let honest = Honest::of(&gateway);
    for flood in FLOODS {
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send((flood.opening)()).await;
        for number in 0..flood.limit + TOLERANCE {
            connection.send((flood.frames)(number)).await;
        }
        // Not a frame more is sent: a gateway that still counts would wait for them.
        let ending = connection.ending().await;
        assert_ne!(ending.goaway, Some(0), "{}: ended for another reason: {ending:?}", flood.name);
        honest.is_served().await;
    }
    connections_end(&gateway, "http").await;
}

#[tokio::test]
async fn half_of_a_flood_is_tolerated() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    // What h2 takes for an error of the whole connection is not tolerated once.
    let errors = ["CONTINUATION", "WINDOW_UPDATE of 0", "DATA after END_STREAM"];
    for flood in FLOODS.iter().filter(|flood| !errors.iter().any(|error| flood.name.contains(error))) {
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send((flood.opening)()).await;
        for number in 0..flood.limit / 2 {
            connection.send((flood.frames)(number)).await;
        }
        let last = stream(flood.limit);
        connection.send(get(last, "/after")).await;
        let outcome = connection.outcome(last).await;
        assert!(matches!(outcome, Outcome::Answered(200, _)), "{}: {outcome:?}", flood.name);
    }
}

#[tokio::test]
async fn data_in_crumbs_is_a_flood_and_small_messages_are_none() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let mut messages = FrameConnection::open(gateway.http()).await;
    messages.send(post(1, "/messages")).await;
    assert_eq!(send_in_batches(&mut messages, [0; 5], 10_000).await, 10_000);
    messages.send(frame(DATA, END_STREAM, 1, b"")).await;
    let outcome = messages.outcome(1).await;
    assert!(matches!(outcome, Outcome::Answered(200, _)), "{outcome:?}");
    assert_eq!(upstream.received().await.body.len(), 50_000);

    let mut crumbs = FrameConnection::open(gateway.http()).await;
    crumbs.send(post(1, "/crumbs")).await;
    let taken = send_in_batches(&mut crumbs, *b"x", 60_000).await;
    assert!((30_000..40_000).contains(&taken), "{taken} frames of one byte");
    assert_eq!(gateway.metric("bartizan_wire_violations_total{code=\"http2_data_flood\"").await, 1.0);
}

/// Sends up to `count` frames of `data`, a few at a time so that none has to wait for long; how many were taken.
async fn send_in_batches<const N: usize>(
    connection: &mut FrameConnection,
    data: [u8; N],
    count: usize,
) -> usize {
    const BATCH: usize = 500;
    let batch = [frame(DATA, 0, 1, data).repeat(BATCH), frame(PING, 0, 0, [0; 8])].concat();
    for taken in (0..count).step_by(BATCH) {
        connection.send(&batch).await;
        let mut is_answered = false;
        while !is_answered {
            let Some(frame) = connection.read_frame().await else { return taken };
            is_answered = frame.kind == PING;
        }
    }
    count
}

#[tokio::test]
async fn floods_leave_no_memory_behind() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let honest = Honest::of(&gateway);
    honest.is_served().await;
    let before = resident_bytes(&gateway);
    let siege = async {
        for flood in FLOODS {
            for _ in 0..5 {
                let mut connection = FrameConnection::open(gateway.http()).await;
                connection.send((flood.opening)()).await;
                let mut number = 0;
                while number < FLOOD && connection.send((flood.frames)(number)).await {
                    number += 1;
                }
                connection.ending().await;
            }
        }
    };
    honest.is_served_during(siege).await;
    connections_end(&gateway, "http").await;
    let after = resident_bytes(&gateway);
    assert!(after < before + MEMORY, "{before} bytes before, {after} after");
}

#[tokio::test]
async fn a_header_block_that_unpacks_to_too_much_is_never_unpacked() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let honest = Honest::of(&gateway);
    honest.is_served().await;
    let before = resident_bytes(&gateway);
    // One field of 4000 bytes goes into the dynamic table, where index 62 stands for it in one byte.
    let field = [&[0x40][..], &text("x"), &text(&"y".repeat(4000))].concat();
    let bomb = [block(&pseudo("GET", "/bomb")), field, vec![0x80 | 0x3e; 12_000]].concat();
    for _ in 0..10 {
        let mut connection = FrameConnection::open(gateway.http()).await;
        for number in 0..10 {
            connection.send(frame(HEADERS, END_HEADERS | END_STREAM, stream(number), &bomb)).await;
        }
        match connection.outcome(stream(0)).await {
            Outcome::Answered(status, _) => assert_eq!(status, 431),
            Outcome::Reset(_) | Outcome::Ended(_) => {}
        }
        assert!(resident_bytes(&gateway) < before + MEMORY);
    }
    honest.is_served().await;
    upstream.received().await;
    upstream.received().await;
    assert!(upstream.has_received_nothing().await, "but the honest requests");
}

#[tokio::test]
async fn a_client_opens_no_more_streams_than_it_was_granted() {
    let upstream = Upstream::start().await;
    let routes = format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]");
    let gateway =
        Gateway::start(&format!("{routes}\nhardening: {{ http2: {{ concurrent_streams: 10 }} }}\n")).await;
    let mut connection = FrameConnection::open(gateway.http()).await;
    let grant = connection.read_frame().await.unwrap();
    let granted = grant.payload.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 10]);
    assert!(granted, "SETTINGS_MAX_CONCURRENT_STREAMS: {grant:?}");

    let requests: Vec<u8> = (0..40).flat_map(|number| get(stream(number), "/gate")).collect();
    connection.send(requests).await;
    // REFUSED_STREAM: the client may try again.
    assert_eq!(connection.outcome(stream(39)).await, Outcome::Reset(7));
    upstream.open_gate();
    for _ in 0..10 {
        upstream.received().await;
    }
    assert!(upstream.has_received_nothing().await);
    Honest::of(&gateway).is_served().await;
}

#[tokio::test]
async fn what_breaks_the_protocol_ends_the_connection() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let half_a_head = frame(HEADERS, END_STREAM, 1, block(&pseudo("GET", "/")));
    #[rustfmt::skip]
    let cases = [
        ("DATA on stream 0", frame(DATA, 0, 0, b"x")),
        ("HEADERS on stream 0", get(0, "/")),
        ("HEADERS on an even stream", get(2, "/")),
        ("a stream number that goes back", [get(9, "/gate"), get(7, "/")].concat()),
        ("RST_STREAM of a stream that never was", frame(RST_STREAM, 0, 9, CANCEL)),
        ("PUSH_PROMISE from a client", [get(1, "/gate"), frame(5, END_HEADERS, 1, [0, 0, 0, 2])].concat()),
        ("a CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, [])),
        ("PING between HEADERS and CONTINUATION", [half_a_head.clone(), frame(PING, 0, 0, [0; 8])].concat()),
        ("a CONTINUATION of another stream", [half_a_head, frame(CONTINUATION, END_HEADERS, 3, [])].concat()),
        ("PING of 7 bytes", frame(PING, 0, 0, [0; 7])),
        ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, [0; 5])),
        ("a frame of 17 KiB", frame(DATA, 0, 1, vec![0; 17 * 1024])),
        ("a window of the connection beyond 2^31", frame(WINDOW_UPDATE, 0, 0, [0x7f, 0xff, 0xff, 0xff])),
        ("an initial window beyond 2^31", frame(SETTINGS, 0, 0, [0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("an index that no table has", frame(HEADERS, END_HEADERS | END_STREAM, 1, [0xff, 0xff, 0x7f])),
    ];
    for (name, bytes) in cases {
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send(bytes).await;
        let ending = connection.ending().await;
        assert!(ending.goaway.is_some_and(|code| code != 0), "{name}: {ending:?}");
    }
    Honest::of(&gateway).is_served().await;
}
