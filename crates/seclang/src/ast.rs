//! The language as types: what a rule file says, understood and checked, but not compiled.
//!
//! A [`Rule`] is a whole chain, so a chain that lacks its next link cannot be written down. Texts stand as they were
//! written, backslashes and all: `ModSecurity` 3 takes no escapes away, and patterns need theirs.

mod action;
mod directive;
mod names;
mod operator;
mod setting;
mod template;
mod variable;

pub use action::{
    Action, AllowScope, AuditPartsChange, BodyProcessor, Collection, Control, ExpireVariable, Phase,
    SetOperation, SetVariable, Severity,
};
pub use directive::{Directive, DirectiveKind, Ids, Link, Rule, RuleSelector};
pub use operator::{Operator, OperatorName};
pub use setting::{
    AuditEngine, AuditLogFormat, AuditLogType, BodyLimitAction, EngineMode, Setting, UploadKeepFiles,
};
pub use template::{Macro, Part, Template};
pub use variable::{Selector, Target, TargetUse, Variable};

pub(crate) use names::named;
pub(crate) use variable::Initial;
