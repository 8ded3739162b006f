//! `SecLang`, the rule language of `ModSecurity`: bytes in, decisions out.
//!
//! [`RuleFiles`] reads rules and what they name; [`ast`] is what they say. Nothing that is not understood is skipped:
//! an unknown directive, variable, operator, transformation or action is a [`SeclangError`] with its place.
//!
//! A [`RuleSet`] is what the rules have become, and a [`Transaction`] asks it about one exchange.
//!
//! With the feature `http`, which is on by default, `RuleSet::judge` decides about a request in the types of the crate
//! `http`; `examples/axum.rs` has it in front of a service, in 20 lines.

pub mod ast;
pub mod body;
mod buffers;
mod byte_set;
mod collections;
mod compile;
#[cfg(test)]
mod cpu_time;
mod declared;
mod error;
mod evaluate;
mod exclusion;
mod gate;
mod load;
mod locations;
mod operator;
mod outcome;
mod parse;
mod place;
mod rule_set;
mod settings;
mod transaction;
mod transformation;
mod values;
#[cfg(feature = "http")]
mod whole_request;
#[cfg(test)]
mod work;

pub use collections::{CollectionName, CollectionStore, MemoryCollections, StoredValue, ValueChange};
pub use declared::{Declaration, ValueKind};
pub use error::{Problem, SeclangError};
pub use exclusion::Exclusion;
pub use load::{DataFiles, RuleFiles};
pub use locations::{Location, Locations};
pub use operator::{Captured, Match, Operator, Pattern};
pub use outcome::{Disruption, Interruption, Matched, RuleMatch};
pub use parse::parse;
pub use place::Place;
pub use rule_set::{RuleInfo, RuleSet};
pub use settings::{BodySettings, Settings};
pub use transaction::{Connection, Transaction};
pub use transformation::Transformation;

/// The Rust on the page about the language is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/rule-language.md")]
struct RuleLanguage;
