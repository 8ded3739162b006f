//! Events in files that are only appended to: the spill, and what waits for other systems.
//!
//! A file is a row of frames: the length of the event, its CRC-32, the CRC-32 of these two, each four bytes,
//! little-endian, and the event as JSON.

use std::io;

use crate::{Event, bounds::LARGEST};

/// What stands before an event, in bytes.
pub const FRAME_HEAD: usize = 12;
/// No frame is longer.
pub const LARGEST_FRAME: usize = FRAME_HEAD + LARGEST;

/// What stands at the beginning of some bytes.
#[derive(Debug)]
pub enum Frame<'a> {
    /// An event, and what comes behind its frame.
    Event(Box<Event>, &'a [u8]),
    /// The beginning of a frame, of which the rest is not there.
    Torn,
    /// Something that is no frame.
    Damaged,
}

/// Appends the frame of an event to `frames`.
pub fn write_frame(event: &Event, frames: &mut Vec<u8>) -> io::Result<()> {
    let start = frames.len();
    frames.extend([0; FRAME_HEAD]);
    serde_json::to_writer(&mut *frames, event)?;
    let payload = &frames[start + FRAME_HEAD..];
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let head = head(length, crc32fast::hash(payload));
    frames[start..start + FRAME_HEAD].copy_from_slice(&head);
    Ok(())
}

/// What stands before an event. Its own sum tells a length that is damaged from an event that was not finished.
fn head(length: u32, sum: u32) -> [u8; FRAME_HEAD] {
    let mut head = [0; FRAME_HEAD];
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..8].copy_from_slice(&sum.to_le_bytes());
    let own = crc32fast::hash(&head[..8]);
    head[8..].copy_from_slice(&own.to_le_bytes());
    head
}

/// The first frame of `bytes`. Nothing at all is [`Frame::Torn`].
pub fn read_frame(bytes: &[u8]) -> Frame<'_> {
    let number = |bytes: &[u8]| bytes.try_into().map(u32::from_le_bytes).unwrap_or_default();
    let Some((head, rest)) = bytes.split_at_checked(FRAME_HEAD) else { return Frame::Torn };
    let length = usize::try_from(number(&head[..4])).unwrap_or(usize::MAX);
    if crc32fast::hash(&head[..8]) != number(&head[8..]) || length == 0 || length > LARGEST {
        return Frame::Damaged;
    }
    let Some((payload, rest)) = rest.split_at_checked(length) else { return Frame::Torn };
    if crc32fast::hash(payload) != number(&head[4..8]) {
        return Frame::Damaged;
    }
    match serde_json::from_slice(payload) {
        Ok(event) => Frame::Event(Box::new(event), rest),
        Err(_) => Frame::Damaged,
    }
}
