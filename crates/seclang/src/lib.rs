//! `SecLang`, the rule language of `ModSecurity`: bytes in, decisions out.
//!
//! [`RuleFiles`] reads rules and what they name; [`ast`] is what they say. Nothing that is not understood is skipped:
//! an unknown directive, variable, operator, transformation or action is a [`SeclangError`] with its place.

pub mod ast;
pub mod body;
mod error;
mod load;
mod operator;
mod parse;
mod place;
mod transformation;

pub use error::{Problem, SeclangError};
pub use load::{DataFiles, RuleFiles};
pub use operator::{Captured, Match, Operator, Pattern};
pub use parse::parse;
pub use place::Place;
pub use transformation::Transformation;
