//! The boundary that a content type names (RFC 2046 section 5.1.1), and nothing that could be read otherwise.

use memchr::memmem;

use super::{MultipartFlags, is_space};
use crate::body::ContentTypeFault;

const LONGEST: usize = 1024;

/// What stands behind `--` where a part ends.
pub(super) struct Boundary(pub(super) Vec<u8>);

impl Boundary {
    pub(super) fn parse(content_type: &[u8], flags: &mut MultipartFlags) -> Result<Self, ContentTypeFault> {
        if content_type.len() > LONGEST {
            return Err(ContentTypeFault::TooLong);
        }
        let media_type = b"multipart/form-data";
        let (start, parameters) =
            content_type.split_at_checked(media_type.len()).ok_or(ContentTypeFault::NotMultipart)?;
        if !start.eq_ignore_ascii_case(media_type) {
            return Err(ContentTypeFault::NotMultipart);
        }
        if mentions(content_type) > 1 {
            return Err(ContentTypeFault::SeveralBoundaries);
        }
        let Some(at) = memmem::find(parameters, b"boundary") else {
            let unusual = mentions(content_type) > 0;
            return Err(if unusual {
                ContentTypeFault::UnusualCase
            } else {
                ContentTypeFault::BoundaryMissing
            });
        };
        let (before, parameter) = parameters.split_at_checked(at).ok_or(ContentTypeFault::Malformed)?;
        check_before(before, flags)?;
        let parameter = parameter.get(b"boundary".len()..).unwrap_or_default();
        let equals = memchr::memchr(b'=', parameter).ok_or(ContentTypeFault::Malformed)?;
        let (between, value) = parameter.split_at_checked(equals).ok_or(ContentTypeFault::Malformed)?;
        if !between.iter().all(|byte| is_space(*byte)) {
            return Err(ContentTypeFault::Malformed);
        }
        let value = value.get(1..).unwrap_or_default();
        flags.boundary_whitespace |= !between.is_empty() || value.first().is_some_and(|byte| is_space(*byte));
        let boundary = unquoted(value, flags)?;
        let boundary = boundary.split(|byte| *byte == b';').next().unwrap_or_default();
        check_characters(boundary)?;
        Ok(Self(boundary.to_vec()))
    }
}

/// How often `boundary` stands in it with a `=` somewhere behind.
fn mentions(content_type: &[u8]) -> usize {
    let lower = content_type.to_ascii_lowercase();
    let last_equals = memchr::memrchr(b'=', &lower).unwrap_or(0);
    memmem::find_iter(&lower, b"boundary").filter(|at| at + b"boundary".len() <= last_equals).count()
}

/// Between the media type and `boundary` only one semicolon may stand.
fn check_before(before: &[u8], flags: &mut MultipartFlags) -> Result<(), ContentTypeFault> {
    let mut others = before.iter().filter(|byte| !is_space(**byte));
    match (others.next(), others.next()) {
        (None, _) => flags.missing_semicolon = true,
        (Some(b';'), None) => {}
        _ => return Err(ContentTypeFault::Malformed),
    }
    Ok(())
}

fn unquoted<'value>(
    value: &'value [u8],
    flags: &mut MultipartFlags,
) -> Result<&'value [u8], ContentTypeFault> {
    match value {
        [b'"', inside @ .., b'"'] => {
            flags.boundary_quoted = true;
            Ok(inside)
        }
        [b'"', ..] | [.., b'"'] => Err(ContentTypeFault::UnpairedQuote),
        _ => Ok(value),
    }
}

fn check_characters(boundary: &[u8]) -> Result<(), ContentTypeFault> {
    // A comma is allowed by RFC 2046, and ends the boundary for PHP.
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+_-./:=?".contains(byte);
    if boundary.is_empty() {
        return Err(ContentTypeFault::Empty);
    }
    if !boundary.iter().all(allowed) || boundary.ends_with(b" ") {
        return Err(ContentTypeFault::Character);
    }
    Ok(())
}
