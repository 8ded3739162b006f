//! What somebody knows of values before rules look: the types that an application's schema declares.
//!
//! A value that is an integer is no attack, whatever a signature makes of it after three transformations. The declaration
//! alone is not believed: each value is looked at, and one that is not of its kind stays what it was.

use std::collections::{BTreeSet, HashSet};

use time::{Date, Month};

use crate::{
    ast::Target, error::Problem, evaluate::State, exclusion::Names, rule_set::Selection, values::Entry,
};

/// What the values of a target are, if they are what they should be. Rules with a tag that begins with `attack-` do not
/// look at such values; all others do, and so do rules that ask what a value is *not*.
///
/// It is made once for many exchanges:
///
/// ```
/// use std::sync::Arc;
/// use bartizan_seclang::{
///     Connection, Declaration, RuleFiles, RuleSet, Transaction, ValueKind,
///     ast::{Selector, Target, TargetUse, Variable},
/// };
///
/// let mut files = RuleFiles::default();
/// files.add_text(r#"SecRule ARGS "@rx [0-9]" "id:1,phase:1,deny,tag:attack-any""#, "own rules")?;
/// let rules = Arc::new(RuleSet::compile(&files)?);
/// let selector = Some(Selector::Name("id".into()));
/// let target = Target { variable: Variable::Args, selector, used_as: TargetUse::Values };
/// let id = Arc::new(Declaration::new(&target, ValueKind::Integer).unwrap());
///
/// for (query, is_refused) in [(b"/?id=7".as_slice(), false), (b"/?id=7'", true)] {
///     let mut transaction = Transaction::new(Arc::clone(&rules), Connection::default(), "request");
///     transaction.declare(Arc::clone(&id));
///     transaction.request_line(b"GET", query, b"HTTP/1.1");
///     assert_eq!(transaction.request_headers_done().is_some(), is_refused);
/// }
/// # Ok::<_, bartizan_seclang::SeclangError>(())
/// ```
#[derive(Debug)]
pub struct Declaration {
    selection: Selection,
    kind: ValueKind,
}

/// What a value may be declared to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A whole number: at most 20 digits, with or without a minus sign before them.
    Integer,
    /// A UUID in its usual form, in any case (RFC 9562, section 4).
    Uuid,
    /// A day that exists, as `2026-11-21` (`full-date` of RFC 3339, section 5.6).
    Date,
    /// One of these, byte for byte.
    OneOf(BTreeSet<Vec<u8>>),
}

impl Declaration {
    /// The values of `target` are of this kind. What is counted or left out has no values to declare.
    pub fn new(target: &Target, kind: ValueKind) -> Result<Self, Problem> {
        let names = Names::new(target.selector.as_ref())?;
        Ok(Self { selection: Selection { variable: target.variable, names }, kind })
    }
}

impl ValueKind {
    /// Whether this is a value of the kind, as it stands.
    pub fn admits(&self, value: &[u8]) -> bool {
        match self {
            Self::Integer => {
                let digits = value.strip_prefix(b"-").unwrap_or(value);
                (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
            }
            Self::Uuid => {
                value.len() == 36
                    && value.iter().enumerate().all(|(place, byte)| match place {
                        8 | 13 | 18 | 23 => *byte == b'-',
                        _ => byte.is_ascii_hexdigit(),
                    })
            }
            Self::Date => is_date(value),
            Self::OneOf(values) => values.contains(value),
        }
    }
}

fn is_date(value: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = value else { return false };
    let number = |digits: &[&u8]| {
        let add =
            |sum: u16, digit: &&u8| digit.is_ascii_digit().then(|| sum * 10 + u16::from(**digit - b'0'));
        digits.iter().try_fold(0, add)
    };
    let date = || {
        let month = Month::try_from(u8::try_from(number(&[m1, m2])?).ok()?).ok()?;
        let day = u8::try_from(number(&[d1, d2])?).ok()?;
        Date::from_calendar_date(i32::from(number(&[y1, y2, y3, y4])?), month, day).ok()
    };
    date().is_some()
}

impl State {
    /// Looks for values that are what they were declared to be, among those that are there now.
    pub(crate) fn believe(&mut self) {
        if self.declarations.is_empty() {
            return;
        }
        let mut believed = HashSet::new();
        for declaration in &self.declarations {
            let entries = self.values.select(&declaration.selection, &self.buffers);
            let entries = entries.filter(|entry| declaration.kind.admits(self.buffers.bytes(entry.value)));
            believed.extend(entries);
        }
        self.believed = Believed(believed);
    }
}

/// Values that are what they were declared to be. A parameter has the same value in `ARGS` and `ARGS_GET`.
#[derive(Debug, Default)]
pub(crate) struct Believed(HashSet<Entry>);

impl Believed {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, entry: &Entry) -> bool {
        self.0.contains(entry)
    }
}
