//! The frames of one HTTP/2 connection (RFC 9113 §4 and §10.5): floods of frames that cost the sender nothing
//! end it, before anything has been decoded.
//!
//! It reads frame headers only; h2 reads the frames. Limits are per sliding window and grow with the useful
//! traffic of the window, because honest clients send control frames in proportion to it: `PRIORITY_UPDATE` per
//! request, `PING` and `WINDOW_UPDATE` per amount received. The cost of `DATA` frames is held against what they carry.

use bartizan_config::Http2Limits;
use tokio::time::Instant;

use super::Violation;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;
const END_STREAM: u8 = 0x1;
const PADDED: u8 = 0x8;
/// The most that padding can take: its length in one byte, and as many bytes as that says.
const MAX_PADDING: usize = 256;
/// Sent bytes that entitle to one more control frame.
const SENT_PER_CONTROL_FRAME: u64 = 64;
/// Sent bytes that entitle to one more `WINDOW_UPDATE`: two for the smallest frame with data.
const SENT_PER_WINDOW_UPDATE: u64 = 5;
/// By how much the frame headers and padding of `DATA` may exceed what it carries: a frame of one byte costs nearly as
/// much as a full one. Enough for 65,000 messages of five bytes, which is an empty one of gRPC. (h2 bounds how many may
/// wait unread, but not how many are read.)
const DATA_OVERHEAD: u64 = 256 * 1024;
/// And by how much more for each request: small bodies are no flood, and requests have their own limits.
const DATA_OVERHEAD_PER_REQUEST: u64 = 64;

/// Follows the frames a client sends.
#[derive(Debug)]
pub(crate) struct Frames {
    limits: Http2Limits,
    /// Bytes of the preface that have come.
    preface: usize,
    /// The frame header under way.
    header: [u8; FRAME_HEADER],
    header_length: usize,
    /// Bytes of the current payload still to come.
    payload: usize,
    /// `CONTINUATION` frames of the header block under way.
    continuations: u32,
    highest_stream: u32,
    /// Requests that may still begin.
    requests_left: u64,
    traffic: Traffic,
}

impl Frames {
    /// The frames of a connection on which nothing has come yet. After `max_requests` it is closed in order, and
    /// a client that hears of it has no more than its streams under way; twice as many are let pass.
    pub(crate) fn new(limits: Http2Limits, max_requests: u64) -> Self {
        let requests_left = max_requests.saturating_add(2 * u64::from(limits.concurrent_streams));
        Self {
            limits,
            preface: 0,
            header: [0; FRAME_HEADER],
            header_length: 0,
            payload: 0,
            continuations: 0,
            highest_stream: 0,
            requests_left,
            traffic: Traffic::default(),
        }
    }

    /// Goes on with `bytes`.
    pub(super) fn advance(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        bytes = self.read_preface(bytes)?;
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let missing = FRAME_HEADER - self.header_length;
            let (piece, rest) = bytes.split_at(missing.min(bytes.len()));
            self.header[self.header_length..][..piece.len()].copy_from_slice(piece);
            self.header_length += piece.len();
            bytes = rest;
            if self.header_length == FRAME_HEADER {
                self.header_length = 0;
                let frame = FrameHeader::parse(self.header);
                self.payload = frame.length;
                self.judge(frame)?;
            }
        }
        Ok(())
    }

    /// Counts `bytes` sent to the client.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.traffic.current.sent += bytes as u64;
    }

    /// The `GOAWAY` frame that tells the client why its connection ends.
    pub(super) fn farewell(&self) -> [u8; FRAME_HEADER + 8] {
        const ENHANCE_YOUR_CALM: u8 = 0xb;
        let [a, b, c, d] = self.highest_stream.to_be_bytes();
        [0, 0, 8, Kind::GOAWAY, 0, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, ENHANCE_YOUR_CALM]
    }

    fn read_preface<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Violation> {
        let missing = &PREFACE[self.preface..];
        let (piece, rest) = bytes.split_at(missing.len().min(bytes.len()));
        if !missing.starts_with(piece) {
            return Err(Violation::Preface);
        }
        self.preface += piece.len();
        Ok(rest)
    }

    fn judge(&mut self, frame: FrameHeader) -> Result<(), Violation> {
        match frame.kind {
            Kind::DATA if frame.carries_data() || frame.flags & END_STREAM != 0 => self.weigh(frame),
            Kind::HEADERS => {
                if frame.stream > self.highest_stream {
                    self.highest_stream = frame.stream;
                    self.requests_left =
                        self.requests_left.checked_sub(1).ok_or(Violation::RequestsAfterGoaway)?;
                }
                self.traffic.current.requests += 1;
                self.continuations = 0;
                Ok(())
            }
            Kind::CONTINUATION => {
                self.continuations += 1;
                if self.continuations > self.limits.continuations {
                    return Err(Violation::ContinuationFlood);
                }
                Ok(())
            }
            Kind::RST_STREAM => {
                let resets = self.traffic.count(self.limits.window, |frames| &mut frames.resets).resets;
                if resets > u64::from(self.limits.resets) { Err(Violation::ResetFlood) } else { Ok(()) }
            }
            Kind::WINDOW_UPDATE => {
                let traffic = self.traffic.count(self.limits.window, |frames| &mut frames.window_updates);
                let allowed = u64::from(self.limits.control_frames) * 10
                    + traffic.requests * 2
                    + traffic.sent / SENT_PER_WINDOW_UPDATE;
                if traffic.window_updates > allowed { Err(Violation::ControlFlood) } else { Ok(()) }
            }
            _ => {
                let traffic = self.traffic.count(self.limits.window, |frames| &mut frames.control);
                let allowed = u64::from(self.limits.control_frames)
                    + traffic.requests
                    + traffic.sent / SENT_PER_CONTROL_FRAME;
                if traffic.control > allowed { Err(Violation::ControlFlood) } else { Ok(()) }
            }
        }
    }

    /// Holds the overhead of a `DATA` frame against what such frames have carried. One that carries more than it costs
    /// need not look at the clock.
    fn weigh(&mut self, frame: FrameHeader) -> Result<(), Violation> {
        let (carried, overhead) = frame.data_and_overhead();
        self.traffic.current.data += carried;
        if overhead <= carried {
            return Ok(());
        }
        self.traffic.window(self.limits.window).data_overhead += overhead;
        let traffic = self.traffic.sum();
        let allowed = DATA_OVERHEAD + traffic.data + traffic.requests * DATA_OVERHEAD_PER_REQUEST;
        if traffic.data_overhead > allowed { Err(Violation::DataFlood) } else { Ok(()) }
    }
}

/// The header of a frame (RFC 9113 §4.1).
#[derive(Debug, Clone, Copy)]
struct FrameHeader {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl FrameHeader {
    fn parse([high, middle, low, kind, flags, stream @ ..]: [u8; FRAME_HEADER]) -> Self {
        Self {
            length: usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low),
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        }
    }

    /// Whether a `DATA` frame certainly holds more than padding (RFC 9113 §6.1).
    fn carries_data(self) -> bool {
        self.length > self.most_padding()
    }

    /// Bytes of a `DATA` frame that are certainly data, and the rest of them.
    fn data_and_overhead(self) -> (u64, u64) {
        let carried = self.length.saturating_sub(self.most_padding());
        (carried as u64, (FRAME_HEADER + self.length - carried) as u64)
    }

    fn most_padding(self) -> usize {
        if self.flags & PADDED == 0 { 0 } else { MAX_PADDING }
    }
}

/// Frame types (RFC 9113 §6).
struct Kind;

impl Kind {
    const DATA: u8 = 0x0;
    const HEADERS: u8 = 0x1;
    const RST_STREAM: u8 = 0x3;
    const GOAWAY: u8 = 0x7;
    const WINDOW_UPDATE: u8 = 0x8;
    const CONTINUATION: u8 = 0x9;
}

/// What has been counted in a window.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u64,
    resets: u64,
    control: u64,
    window_updates: u64,
    sent: u64,
    data: u64,
    data_overhead: u64,
}

/// A sliding window of two halves: what is counted is the current half and the one before.
#[derive(Debug, Default)]
struct Traffic {
    half_began: Option<Instant>,
    current: Counts,
    previous: Counts,
}

impl Traffic {
    /// Counts one more of what `which` picks and returns the counts of the window.
    fn count(&mut self, window: std::time::Duration, which: fn(&mut Counts) -> &mut u64) -> Counts {
        *which(self.window(window)) += 1;
        self.sum()
    }

    /// Where to count what comes now.
    fn window(&mut self, window: std::time::Duration) -> &mut Counts {
        let now = Instant::now();
        let began = *self.half_began.get_or_insert(now);
        let age = now.duration_since(began);
        if age >= window / 2 {
            let is_recent = age < window;
            self.previous = if is_recent { self.current } else { Counts::default() };
            self.current = Counts::default();
            self.half_began = Some(now);
        }
        &mut self.current
    }

    /// The counts of the window.
    fn sum(&self) -> Counts {
        let (current, previous) = (self.current, self.previous);
        Counts {
            requests: current.requests + previous.requests,
            resets: current.resets + previous.resets,
            control: current.control + previous.control,
            window_updates: current.window_updates + previous.window_updates,
            sent: current.sent + previous.sent,
            data: current.data + previous.data,
            data_overhead: current.data_overhead + previous.data_overhead,
        }
    }
}

#[cfg(test)]
mod tests;
