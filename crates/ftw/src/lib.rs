//! Tests of firewall rules in the format of go-ftw, versions 2 and 3 of its schema: what to send, and what is expected.
//!
//! [`parse`] reads a file and [`read`] a folder of them; [`Input::requests`] makes the bytes that go-ftw would put on the
//! wire. Who is sent them and how the answer is judged is the caller's; [`albedo`] is the
//! service that they expect behind the rules.

pub mod albedo;
mod payload;
mod request;
mod suite;

use std::path::PathBuf;

pub use suite::{Header, Input, Log, Output, Stage, Suite, Test, parse, read};

/// Why a test cannot be read, or a request of it not be made.
#[derive(Debug, thiserror::Error)]
pub enum FtwError {
    /// A file or a folder cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is no file of tests, or says something that is not known here.
    #[error("it is no file of tests: {0}")]
    Format(#[from] serde_saphyr::Error),
    /// The same, of a file in a folder.
    #[error("`{}`: {problem}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        problem: Box<Self>,
    },
    /// Something that should be base64 is not.
    #[error("`{field}` is not base64: {source}")]
    Base64 {
        /// The field of the input.
        field: &'static str,
        /// What is wrong with it.
        source: base64::DecodeError,
    },
    /// A template asks for something else than `{{ "text" | repeat NUMBER }}` and `{{.Payload}}`, or for more than
    /// 64 MiB.
    #[error(
        "the template `{0}` is not known here: only `\"text\" | repeat NUMBER` up to 64 MiB and `.Payload` are"
    )]
    Template(String),
    /// A test has no exchange, or more than one way to say what it is.
    #[error("a test has either `stages` or a `payload`")]
    Stages,
}
