//! SQL injection, as libinjection knows it: by the fingerprint of a value.
//!
//! A value is read as SQL, its tokens are folded to at most five, and their kinds are the fingerprint, which is looked
//! up among those of known attacks. As it is unknown where in a query the value will stand, it is read as it is, and as
//! if the query had opened a quotation mark before it; and because `#` and `--` begin comments in one dialect and not
//! in another, in two dialects.

mod fold;
mod literals;
mod token;
mod tokenizer;
mod verdict;
mod vocabulary;

use fold::Folded;

/// What SQL a value is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dialect {
    /// `--` begins a comment, `#` is an operator.
    Ansi,
    /// `--` begins a comment before white space only, `#` begins one.
    MySql,
}

/// The fingerprint of a value that would be an injection.
pub(super) fn detect(value: &[u8]) -> Option<String> {
    let has = |quote| memchr::memchr(quote, value).is_some();
    in_both_dialects(value, None)
        .or_else(|| has(b'\'').then(|| in_both_dialects(value, Some(b'\'')))?)
        .or_else(|| has(b'"').then(|| Folded::of(value, Dialect::MySql, Some(b'"')).verdict(value))?)
}

fn in_both_dialects(value: &[u8], inside: Option<u8>) -> Option<String> {
    let ansi = Folded::of(value, Dialect::Ansi, inside);
    ansi.verdict(value).or_else(|| {
        ansi.depends_on_dialect.then(|| Folded::of(value, Dialect::MySql, inside).verdict(value))?
    })
}
