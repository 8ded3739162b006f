//! Floods of HTTP/2 frames that cost the sender nothing: each ends its connection soon after the limit, whoever
//! behaves is served, and memory stays where it was.

use crate::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, FrameConnection, HEADERS, Outcome, PING, PRIORITY, RST_STREAM,
        SETTINGS, WINDOW_UPDATE, block, frame, get, post, pseudo, text,
    },
    harness::Gateway,
    siege::{Honest, connections_end, resident_bytes},
    upstream::Upstream,
};

/// Every limit of the story, in frames.
const LIMIT: u32 = 20;

/// What is tolerated on top of the limit: its frames are useful traffic that entitles to a few more, and the
/// gateway reads more than one at a time.
const TOLERANCE: u32 = 40;

/// More than any story's gateway may take in.
const FLOOD: u32 = 2000;

/// What a flood may leave behind in the allocator.
const MEMORY: usize = 24 * 1024 * 1024;

/// A name, what opens the flood, and its frames by number.
struct Flood {
    name: &'static str,
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
        opening: Vec::new,
        frames: |number| [get(stream(number), "/gate"), frame(RST_STREAM, 0, stream(number), CANCEL)].concat(),
    },
    Flood {
        name: "made you reset: WINDOW_UPDATE of 0 (CVE-2025-8671)",
        opening: Vec::new,
        frames: |number| [get(stream(number), "/gate"), frame(WINDOW_UPDATE, 0, stream(number), [0; 4])].concat(),
    },
    Flood {
        name: "made you reset: a window beyond 2^31",
        opening: Vec::new,
        frames: |number| {
            [get(stream(number), "/gate"), frame(WINDOW_UPDATE, 0, stream(number), [0x7f, 0xff, 0xff, 0xff])].concat()
        },
    },
    Flood {
        name: "made you reset: DATA after END_STREAM",
        opening: Vec::new,
        frames: |number| [get(stream(number), "/gate"), frame(DATA, END_STREAM, stream(number), b"x")].concat(),
    },
    Flood {
        name: "made you reset: more DATA than content-length",
        opening: Vec::new,
        frames: |number| {
            let head = block(&[&pseudo("POST", "/gate")[..], &[("content-length", "1")]].concat());
            [frame(HEADERS, END_HEADERS, stream(number), head), frame(DATA, 0, stream(number), b"xx")].concat()
        },
    },
    Flood {
        name: "made you reset: malformed requests",
        opening: Vec::new,
        frames: |number| frame(HEADERS, END_HEADERS | END_STREAM, stream(number), block(&[("connection", "close")])),
    },
    Flood {
        name: "CONTINUATION (CVE-2024-27316)",
        opening: || frame(HEADERS, END_STREAM, 1, block(&pseudo("GET", "/flood"))),
        frames: |_| frame(CONTINUATION, 0, 1, block(&[("x", "y")])),
    },
    Flood {
        name: "empty CONTINUATION",
        opening: || frame(HEADERS, END_STREAM, 1, block(&pseudo("GET", "/flood"))),
        frames: |_| frame(CONTINUATION, 0, 1, []),
    },
    Flood { name: "PING", opening: Vec::new, frames: |number| frame(PING, 0, 0, u64::from(number).to_be_bytes()) },
    Flood { name: "SETTINGS", opening: Vec::new, frames: |_| frame(SETTINGS, 0, 0, []) },
    Flood {
        name: "SETTINGS that resize the header table",
        opening: Vec::new,
        frames: |number| frame(SETTINGS, 0, 0, [&1u16.to_be_bytes()[..], &(number % 2 * 4096).to_be_bytes()].concat()),
    },
    Flood { name: "empty DATA", opening: || post(1, "/flood"), frames: |_| frame(DATA, 0, 1, []) },
    Flood {
        name: "DATA of padding alone",
        opening: || post(1, "/flood"),
        frames: |_| frame(DATA, 0x8, 1, [3, 0, 0, 0]),
    },
    Flood {
        name: "WINDOW_UPDATE of the connection",
        opening: Vec::new,
        frames: |_| frame(WINDOW_UPDATE, 0, 0, 1u32.to_be_bytes()),
    },
    Flood {
        name: "WINDOW_UPDATE of a stream",
        opening: || get(1, "/gate"),
        frames: |_| frame(WINDOW_UPDATE, 0, 1, 1u32.to_be_bytes()),
    },
    Flood {
        name: "PRIORITY",
        opening: || get(1, "/gate"),
        frames: |number| frame(PRIORITY, 0, stream(number), [0, 0, 0, 1, 16]),
    },
    Flood { name: "frames of an unknown kind", opening: Vec::new, frames: |_| frame(0xbe, 0, 0, [0; 8]) },
];

async fn gateway(upstream: &Upstream) -> Gateway {
    let limits = format!(
        "concurrent_streams: 100, resets: {LIMIT}, control_frames: {LIMIT}, continuations: {LIMIT}, window: 60s"
    );
    let routes = format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]");
    Gateway::start(&format!("{routes}\nhardening: {{ http2: {{ {limits} }} }}\n")).await
}

#[tokio::test]
async fn every_flood_ends_its_connection_soon_after_the_limit() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let honest = Honest::of(&gateway);
    for flood in FLOODS {
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send((flood.opening)()).await;
        for number in 0..LIMIT + TOLERANCE {
            connection.send((flood.frames)(number)).await;
        }
        // Not a frame more is sent: a gateway that still counts would wait for them.
        let ending = connection.ending().await;
        println!("{}: {ending:?}", flood.name);
        assert!(ending.frames.iter().sum::<usize>() <= 2 * (LIMIT + TOLERANCE) as usize, "{}: {ending:?}", flood.name);
        honest.is_served().await;
    }
    connections_end(&gateway, "http").await;
}

#[tokio::test]
async fn half_of_a_flood_is_tolerated() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    for flood in FLOODS.iter().filter(|flood| !flood.name.contains("CONTINUATION")) {
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send((flood.opening)()).await;
        for number in 0..LIMIT / 2 {
            connection.send((flood.frames)(number)).await;
        }
        let last = stream(LIMIT);
        connection.send(get(last, "/after")).await;
        let outcome = connection.outcome(last).await;
        assert!(matches!(outcome, Outcome::Answered(200, _)), "{}: {outcome:?}", flood.name);
    }
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
    let bomb = [block(&pseudo("GET", "/bomb")), field, vec![0x80 | 62; 12_000]].concat();
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
    let gateway = Gateway::start(&format!("{routes}\nhardening: {{ http2: {{ concurrent_streams: 10 }} }}\n")).await;
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
    let (protocol_error, flow_control, frame_size, compression) = (1, 3, 6, 9);
    let half_a_head = frame(HEADERS, END_STREAM, 1, block(&pseudo("GET", "/")));
    #[rustfmt::skip]
    let cases = [
        ("DATA on stream 0", frame(DATA, 0, 0, b"x"), protocol_error),
        ("HEADERS on stream 0", get(0, "/"), protocol_error),
        ("HEADERS on an even stream", get(2, "/"), protocol_error),
        ("a stream number that goes back", [get(9, "/gate"), get(7, "/")].concat(), protocol_error),
        ("RST_STREAM of a stream that never was", frame(RST_STREAM, 0, 9, CANCEL), protocol_error),
        ("PUSH_PROMISE from a client", [get(1, "/gate"), frame(5, END_HEADERS, 1, [0, 0, 0, 2])].concat(), protocol_error),
        ("a CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, []), protocol_error),
        ("PING between HEADERS and CONTINUATION", [half_a_head.clone(), frame(PING, 0, 0, [0; 8])].concat(), protocol_error),
        ("a CONTINUATION of another stream", [half_a_head, frame(CONTINUATION, END_HEADERS, 3, [])].concat(), protocol_error),
        ("PING of 7 bytes", frame(PING, 0, 0, [0; 7]), frame_size),
        ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, [0; 5]), frame_size),
        ("a frame of 17 KiB", frame(DATA, 0, 1, [0; 17 * 1024]), frame_size),
        ("a window of the connection beyond 2^31", frame(WINDOW_UPDATE, 0, 0, [0x7f, 0xff, 0xff, 0xff]), flow_control),
        ("an initial window beyond 2^31", frame(SETTINGS, 0, 0, [0, 4, 0xff, 0xff, 0xff, 0xff]), flow_control),
        ("an index that no table has", frame(HEADERS, END_HEADERS | END_STREAM, 1, [0xff, 0xff, 0x7f]), compression),
    ];
    for (name, bytes, code) in cases {
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send(bytes).await;
        let ending = connection.ending().await;
        assert_eq!(ending.goaway, Some(code), "{name}: {ending:?}");
    }
    Honest::of(&gateway).is_served().await;
}
