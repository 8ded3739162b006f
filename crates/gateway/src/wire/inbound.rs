//! What has come from the client and may be read by hyper, and what is held back until it has been judged.
//!
//! A read that brings whole heads and bodies is judged where hyper will read it, without a copy. Only the
//! beginning of a head that has not come whole is taken out again and held, at most `max_header_bytes` and one
//! read.

use std::sync::Arc;

use tokio::io::ReadBuf;

use super::{
    Frames, Framing, Violation, WireState,
    framing::{Advance, Rest},
};

/// What hyper gets instead of a refused head. The service knows it by its number.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: invalid\r\nConnection: close\r\n\r\n";

/// The rules of the protocol that is spoken.
#[derive(Debug)]
pub(crate) enum Guard {
    /// HTTP/1.1 or 1.0.
    Http1(Framing),
    /// HTTP/2.
    Http2(Frames),
}

/// The inbound half of a guarded stream.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) guard: Guard,
    wire: Arc<WireState>,
    /// Bytes not handed out yet.
    held: Vec<u8>,
    /// How many of them may be handed out.
    cleared: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Bytes after a request for an upgrade wait for its answer.
    Undecided(u64),
    /// Upgraded: no more rules.
    Through,
    /// A stand-in was handed out; nothing else is read.
    Refused,
    /// A rule was broken where no answer is possible.
    Failed(Violation),
}

/// What to do when nothing is left to hand out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is something to hand out after all.
    HandOut,
    /// Read more and have it judged.
    Read,
    /// Read more; it needs no judgement.
    ReadThrough,
    /// Do not read.
    Wait,
    /// End the connection.
    Fail(Violation),
}

impl Inbound {
    pub(super) fn new(guard: Guard, wire: Arc<WireState>) -> Self {
        Self { guard, wire, held: Vec::new(), cleared: 0, state: State::Open }
    }

    /// Puts bytes that may be read into `buffer`; `false` if there are none.
    pub(super) fn hand_out(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let length = self.cleared.min(buffer.remaining());
        if length == 0 {
            return false;
        }
        buffer.put_slice(&self.held[..length]);
        self.held.drain(..length);
        self.cleared -= length;
        if self.held.is_empty() {
            self.held = Vec::new();
        }
        true
    }

    /// To be asked when there is nothing to hand out.
    pub(super) fn next(&mut self) -> Next {
        if let State::Undecided(number) = self.state {
            // INVARIANT: an upgrade is announced before its request counts as finished.
            let answered = self.wire.finished() >= number;
            if self.wire.is_upgraded() {
                self.state = State::Through;
                self.cleared = self.held.len();
            } else if answered {
                self.state = State::Open;
                if let Guard::Http1(framing) = &mut self.guard {
                    framing.stay();
                }
                self.judge_held();
            }
        }
        match self.state {
            _ if self.cleared > 0 => Next::HandOut,
            State::Failed(violation) => Next::Fail(violation),
            State::Through => Next::ReadThrough,
            State::Undecided(_) | State::Refused => Next::Wait,
            State::Open => Next::Read,
        }
    }

    /// Judges what was read into `buffer` after its first `before` bytes, and takes out what may not be read.
    pub(super) fn judge(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        if self.held.is_empty() {
            let advance = self.advance(&buffer.filled()[before..]);
            let pass = before + advance.pass;
            self.held.extend_from_slice(&buffer.filled()[pass..]);
            buffer.set_filled(pass);
            self.settle(advance.rest);
        } else {
            self.held.extend_from_slice(&buffer.filled()[before..]);
            buffer.set_filled(before);
            self.judge_held();
        }
    }

    /// The client has let us wait too long. `true` if there is something to hand out now: the stand-in for a
    /// head that has begun to come.
    pub(super) fn expire(&mut self) -> bool {
        let Guard::Http1(framing) = &self.guard else { return false };
        let Some(number) = framing.head_begun().filter(|_| self.state == State::Open) else { return false };
        self.settle(Rest::RefusedHead(number, Violation::HeadTooSlow));
        true
    }

    /// Whether the client may still be sending something that nobody will read.
    pub(super) fn is_cut_short(&self) -> bool {
        match &self.guard {
            Guard::Http1(framing) => self.state != State::Open || !framing.is_between_messages(),
            Guard::Http2(_) => false,
        }
    }

    fn judge_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        let advance = self.advance(&held);
        self.held = held;
        self.cleared = advance.pass;
        self.settle(advance.rest);
    }

    fn advance(&mut self, bytes: &[u8]) -> Advance {
        match &mut self.guard {
            Guard::Http1(framing) => framing.advance(bytes),
            Guard::Http2(frames) => match frames.advance(bytes) {
                Ok(()) => Advance { pass: bytes.len(), rest: Rest::Incomplete },
                Err(violation) => Advance { pass: 0, rest: Rest::RefusedBody(violation) },
            },
        }
    }

    fn settle(&mut self, rest: Rest) {
        match rest {
            Rest::Incomplete => {}
            Rest::AwaitsAnswer(number) => self.state = State::Undecided(number),
            Rest::RefusedHead(number, violation) => {
                self.wire.refuse(number, violation);
                self.held.truncate(self.cleared);
                self.held.extend_from_slice(STAND_IN);
                self.cleared = self.held.len();
                self.state = State::Refused;
            }
            Rest::RefusedBody(violation) => {
                self.wire.record(violation);
                self.held.truncate(self.cleared);
                self.state = State::Failed(violation);
            }
        }
    }
}
