//! `removeComments`, `removeCommentsChar`, `replaceComments`: comments of C, SQL and HTML.

/// C comments become one space each, and so does one that is never closed.
pub(super) fn replace(value: &[u8]) -> Option<Vec<u8>> {
    let mut rest = value;
    let mut replaced = Vec::with_capacity(value.len());
    let mut open = memchr::memmem::find(value, b"/*")?;
    loop {
        let (text, comment) = rest.split_at(open);
        replaced.extend_from_slice(text);
        let Some(inside) = comment.get(2..) else { break };
        replaced.push(b' ');
        rest = match memchr::memmem::find(inside, b"*/") {
            Some(close) => inside.get(close + 2..).unwrap_or_default(),
            None => b"",
        };
        open = memchr::memmem::find(rest, b"/*").unwrap_or(rest.len());
    }
    Some(replaced)
}

/// Comments go, with everything behind `--` and `#`.
///
/// The byte after a closed comment is never read as the beginning of another, and where nothing follows
/// the closing mark a NUL byte is left; a comment that is never closed leaves a space.
pub(super) fn remove(value: &[u8]) -> Option<Vec<u8>> {
    value.iter().position(|byte| matches!(byte, b'/' | b'<' | b'-' | b'#'))?;
    let mut kept = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut inside = false;
    loop {
        rest = match (inside, rest) {
            (_, []) | (false, [b'-', b'-', ..] | [b'#', ..]) => break,
            (false, [b'/', b'*', after @ ..] | [b'<', b'!', b'-', b'-', after @ ..]) => {
                inside = true;
                after
            }
            (true, [b'*', b'/', after @ ..] | [b'-', b'-', b'>', after @ ..]) => {
                inside = false;
                let (byte, after) = after.split_first().unwrap_or((&0, b""));
                kept.push(*byte);
                after
            }
            (_, [byte, after @ ..]) => {
                if !inside {
                    kept.push(*byte);
                }
                after
            }
        };
    }
    if inside {
        kept.push(b' ');
    }
    Some(kept)
}

/// The marks go, what stands between them stays.
pub(super) fn remove_marks(value: &[u8]) -> Option<Vec<u8>> {
    let find = |rest: &[u8]| rest.iter().position(|byte| matches!(byte, b'/' | b'*' | b'<' | b'-' | b'#'));
    let mut next = find(value)?;
    let mut kept = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        let (text, marked) = rest.split_at(next);
        kept.extend_from_slice(text);
        rest = match marked {
            [b'<', b'!', b'-', b'-', after @ ..]
            | [b'-', b'-', b'>', after @ ..]
            | [b'/', b'*', after @ ..]
            | [b'*', b'/', after @ ..]
            | [b'-', b'-', after @ ..]
            | [b'#', after @ ..] => after,
            [byte, after @ ..] => {
                kept.push(*byte);
                after
            }
            [] => break,
        };
        next = find(rest).unwrap_or(rest.len());
    }
    Some(kept)
}
