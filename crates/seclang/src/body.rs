//! Body processors: what a request carries, as the names and values that rules look at.
//!
//! Each processor takes the body in pieces of any size (`feed`) and says at the end (`finish`) what it held; how the
//! body was cut never changes the answer. A processor does not refuse: it reports what it found together with the
//! error that stopped it, and rules decide. Errors fail closed in one direction: what was readable before one is
//! still there to be inspected.
//!
//! The time is linear in the body, no processor calls itself, and what is kept is bounded by [`Limits`]. The truth
//! comes from libmodsecurity 3.0.9 for names and flags, and from the RFC of each format for what it leaves open.

mod arguments;
mod cookies;
mod error;
mod json;
mod multipart;
mod urlencoded;
mod xml;

pub use arguments::{Arguments, Limits};
pub use cookies::{CookieFormat, cookies};
pub use error::{BodyError, ContentTypeFault, DispositionFault, PartHeaderFault};
pub use json::{Json, ParsedJson};
pub use multipart::{Multipart, MultipartFlags, ParsedMultipart, UnmatchedBoundary, UploadedFile};
pub use urlencoded::{ParsedUrlencoded, Urlencoded};
pub use xml::{ParsedXml, Xml};

#[cfg(test)]
mod tests;
