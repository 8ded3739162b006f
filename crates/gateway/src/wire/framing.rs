//! The framing of one HTTP/1.1 connection: head, body, head, body (RFC 9112 §6), so that it is always known
//! where a head begins, on pipelined connections too.

use super::{
    Violation,
    chunked::ChunkScanner,
    request_head::{BodyFraming, HeadLimits, HeadScanner},
};

/// Follows the framing of what a client sends.
#[derive(Debug)]
pub(crate) struct Framing {
    limits: HeadLimits,
    state: State,
    /// Heads that have come whole.
    heads: u64,
    /// Whether the message under way asks to leave HTTP.
    upgrade: bool,
}

#[derive(Debug)]
enum State {
    Head(HeadScanner),
    Length(u64),
    Chunked(Box<ChunkScanner>),
    /// After a message that asks for an upgrade: what follows may be another protocol.
    Undecided,
}

/// What may be done with the bytes that were followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advance {
    /// How many of them may be passed on.
    pub(super) pass: usize,
    /// What about the rest.
    pub(super) rest: Rest,
}

/// What the bytes are that may not be passed on yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// There are none, or they are the beginning of a head: to be shown again, with what comes after them.
    Incomplete,
    /// To be shown again once request number `.0` has been answered, unless it was answered by an upgrade.
    AwaitsAnswer(u64),
    /// They are the head of request number `.0` and must never be passed on.
    RefusedHead(u64, Violation),
    /// They belong to a body and must never be passed on.
    RefusedBody(Violation),
}

impl Framing {
    /// The framing of a connection on which nothing has come yet.
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Head(HeadScanner::default()), heads: 0, upgrade: false }
    }

    /// Goes on with `bytes`: those not passed on last time, and what has come since.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Advance {
        let mut pass = 0;
        loop {
            let rest = &bytes[pass..];
            let step = match &mut self.state {
                State::Head(scanner) => match scanner.scan(rest, &self.limits) {
                    Ok(Some(head)) => {
                        self.heads += 1;
                        self.upgrade = head.upgrade;
                        self.state = match head.body {
                            BodyFraming::Empty => self.after_message(),
                            BodyFraming::Length(length) => State::Length(length),
                            BodyFraming::Chunked => State::Chunked(Box::default()),
                        };
                        head.length
                    }
                    Ok(None) => return Advance { pass, rest: Rest::Incomplete },
                    Err(violation) => {
                        return Advance { pass, rest: Rest::RefusedHead(self.heads + 1, violation) };
                    }
                },
                State::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= taken as u64;
                    if *left == 0 {
                        self.state = self.after_message();
                    }
                    taken
                }
                State::Chunked(scanner) => match scanner.advance(rest, &self.limits) {
                    Ok(Some(end)) => {
                        self.state = self.after_message();
                        end
                    }
                    Ok(None) => rest.len(),
                    Err(violation) => return Advance { pass, rest: Rest::RefusedBody(violation) },
                },
                State::Undecided => return Advance { pass, rest: Rest::AwaitsAnswer(self.heads) },
            };
            pass += step;
            if pass == bytes.len() && !matches!(self.state, State::Undecided) {
                return Advance { pass, rest: Rest::Incomplete };
            }
        }
    }

    /// The message that asked for an upgrade was answered without one: another head follows.
    pub(super) fn stay(&mut self) {
        if matches!(self.state, State::Undecided) {
            self.state = State::Head(HeadScanner::default());
        }
    }

    /// The number of the request whose head has begun to come but has not come whole.
    pub(super) fn head_begun(&self) -> Option<u64> {
        match &self.state {
            State::Head(scanner) if scanner.has_begun() => Some(self.heads + 1),
            _ => None,
        }
    }

    /// Whether the last message has come whole and no other has begun.
    pub(super) fn is_between_messages(&self) -> bool {
        matches!(&self.state, State::Head(scanner) if !scanner.has_begun())
    }

    fn after_message(&self) -> State {
        if self.upgrade { State::Undecided } else { State::Head(HeadScanner::default()) }
    }
}
