//! `detectSQLi` and `detectXSS`: libinjection, which reads a value as SQL and as HTML would.
//!
//! It answers as the C library that libmodsecurity uses, fingerprints included. It keeps slices of the value and never
//! allocates for a token, each token is read once, and the time is linear in the value whatever it holds. `NOTICE` has the
//! licence of that library.

mod sqli;
#[cfg(test)]
mod tests;
mod xss;

use super::Match;
use crate::byte_set::ByteSet;

/// A script begins with a tag, or with an attribute that has a value.
pub(super) const SCRIPT_NEEDS: ByteSet = ByteSet::of(b"<=");

/// No single byte is SQL.
pub(super) const SHORTEST_SQL: usize = 2;

/// A value that would be SQL if it were put into a query; its fingerprint says what kind.
pub(super) fn sql(value: &[u8]) -> Option<Match> {
    sqli::detect(value).map(|fingerprint| Match { fingerprint: Some(fingerprint), ..Match::whole(value) })
}

/// A value that would run as a script if it were put into a page.
pub(super) fn cross_site_scripting(value: &[u8]) -> bool {
    xss::detect(value)
}
