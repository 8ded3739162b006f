//! A rule set, compiled: what every exchange is decided by. It never changes, and is shared by all of them.

use std::{collections::HashMap, sync::Arc};

use smallvec::SmallVec;

use crate::{
    Operator, Place, RuleFiles, SeclangError, Settings,
    ast::{AllowScope, BodyProcessor, Collection, EngineMode, Phase, Severity, Variable},
    buffers::Chain,
    compile::{self, Mentioned, Slot, Text},
    evaluate::Workspaces,
    exclusion::{Excluded, Exclusion, Names},
    gate::{Gate, GateIndex},
    operator::NumberComparison,
};

/// Rules, ready to decide.
///
/// ```
/// use std::sync::Arc;
/// use bartizan_seclang::{Connection, RuleFiles, RuleSet, Transaction};
///
/// let mut files = RuleFiles::default();
/// files.add_text(r#"SecRule ARGS "@detectSQLi" "id:1,phase:1,deny,msg:'SQL injection'""#, "own rules")?;
/// let rules = Arc::new(RuleSet::compile(&files)?);
///
/// let mut transaction = Transaction::new(rules, Connection::default(), "request 1");
/// transaction.request_line(b"GET", b"/users?id=1%27%20OR%20%271%27=%271", b"HTTP/1.1");
/// transaction.request_header(b"Host", b"example.com");
/// let refused = transaction.request_headers_done().map(|refused| (refused.rule, refused.status));
/// assert_eq!(refused, Some((Some(1), 403)));
/// # Ok::<_, bartizan_seclang::SeclangError>(())
/// ```
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) settings: Settings,
    pub(crate) rules: Vec<CompiledRule>,
    /// The rules of each phase.
    pub(crate) programs: [Program; Phase::ALL.len()],
    pub(crate) selections: Vec<Selection>,
    pub(crate) groups: Vec<Group>,
    /// Groups that rules ask together.
    pub(crate) bundles: Vec<Box<[usize]>>,
    /// What `ctl` takes away.
    pub(crate) exclusions: Vec<Arc<Exclusion>>,
    pub(crate) index: GateIndex,
    pub(crate) mentioned: Mentioned,
    pub(crate) by_id: HashMap<u64, usize>,
    pub(crate) signatures: Vec<String>,
    pub(crate) workspaces: Workspaces,
}

/// What a rule says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its number.
    pub id: u64,
    /// Where it stands.
    pub place: Place,
    /// When it runs.
    pub phase: Phase,
    /// `msg`, with macros as they are written.
    pub message: String,
    /// `severity`
    pub severity: Option<Severity>,
    /// `tag`, with macros as they are written.
    pub tags: Vec<String>,
}

impl RuleInfo {
    /// The paranoia level of a rule of the Core Rule Set, from its tag `paranoia-level/2`.
    pub fn paranoia_level(&self) -> Option<u8> {
        self.tags.iter().find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse().ok())
    }
}

impl RuleSet {
    /// Compiles what was read from files. Every pattern is compiled, and everything that a rule needs must be there.
    pub fn compile(files: &RuleFiles) -> Result<Self, SeclangError> {
        compile::compile(files.directives(), files.data())
    }

    /// The settings of the engine.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rule with this number.
    pub fn rule(&self, id: u64) -> Option<&RuleInfo> {
        self.by_id.get(&id).and_then(|at| self.rules.get(*at)).map(|rule| &rule.info)
    }

    /// All rules, in the order of the files.
    pub fn rules(&self) -> impl Iterator<Item = &RuleInfo> {
        self.rules.iter().map(|rule| &rule.info)
    }

    /// `SecComponentSignature`: which rule sets these are.
    pub fn signatures(&self) -> &[String] {
        &self.signatures
    }

    pub(crate) fn program(&self, phase: Phase) -> &Program {
        &self.programs[phase as usize]
    }
}

/// A marker's name, numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marker(pub(crate) usize);

/// The rules of one phase, in order, and where rules may skip to.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) items: Vec<Item>,
    /// For each marker, before which items it stands; a name may be used again.
    markers: Vec<SmallVec<[usize; 1]>>,
}

impl Program {
    /// Puts a marker behind all items.
    pub(crate) fn mark(&mut self, marker: Marker) {
        if self.markers.len() <= marker.0 {
            self.markers.resize(marker.0 + 1, SmallVec::new());
        }
        self.markers[marker.0].push(self.items.len());
    }

    /// The first item behind a marker that stands before no item earlier than this one.
    pub(crate) fn behind(&self, marker: Marker, item: usize) -> Option<usize> {
        self.markers.get(marker.0)?.iter().copied().find(|place| *place >= item)
    }
}

/// A rule, and what tells quickly that it does not hold.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Rule(usize),
    /// A rule that need not be looked at unless some value opens its gate: nearly all that seek attacks.
    Gated {
        rule: usize,
        bundle: usize,
        gate: Gate,
    },
    /// A rule that need not be looked at unless a number of `TX` is as it says: those that skip what is above the
    /// paranoia level, and those that set what is not set.
    Numbered {
        rule: usize,
        of: Number,
        comparison: NumberComparison,
    },
}

/// A number of `TX`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// `TX:name`; nothing holds for one that is not set.
    Value(Slot),
    /// `&TX:name`
    Count(Slot),
}

#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) info: RuleInfo,
    pub(crate) links: Box<[CompiledLink]>,
    pub(crate) disruption: Option<CompiledDisruption>,
    pub(crate) status: u16,
    pub(crate) message: Option<Text>,
    pub(crate) log_data: Option<Text>,
    pub(crate) tags: Box<[Text]>,
    pub(crate) is_logged: bool,
}

impl CompiledRule {
    /// Whether what it finds leads to a refusal: by itself, or by an anomaly score.
    pub(crate) fn counts(&self) -> bool {
        let counts = |action: &OnMatch| matches!(action, OnMatch::Set(set) if set.is_score);
        self.disruption.as_ref().is_some_and(|disruption| !matches!(disruption, CompiledDisruption::Allow(_)))
            || self.links.iter().flat_map(|link| &link.on_match).any(counts)
    }
}

#[derive(Debug)]
pub(crate) enum CompiledDisruption {
    Deny,
    Drop,
    Redirect(Text),
    Allow(AllowScope),
}

#[derive(Debug)]
pub(crate) struct CompiledLink {
    pub(crate) targets: Box<[CompiledTarget]>,
    /// All groups among the targets, unless each of their values must be asked.
    pub(crate) bundle: Option<usize>,
    pub(crate) excluded: Box<[Excluded]>,
    /// A `SecAction` has none.
    pub(crate) operator: Option<Operator>,
    /// The operator's argument, where it has macros.
    pub(crate) argument: Option<Text>,
    pub(crate) gate: Gate,
    pub(crate) chain: Chain,
    /// Whether it leaves out values that are what they were declared to be.
    pub(crate) seeks_attacks: bool,
    pub(crate) multi_match: bool,
    pub(crate) captures: Captures,
    /// For each value that matches, in the order of the file.
    pub(crate) on_match: Box<[OnMatch]>,
    /// Once the whole chain holds.
    pub(crate) effects: Box<[Effect]>,
}

/// When `capture` is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Captures {
    Never,
    /// For each value that matches.
    Always,
    /// For the last value that matches: it leaves nothing of what others gave, and nobody looks before.
    OfLast,
}

#[derive(Debug)]
pub(crate) enum CompiledTarget {
    /// Values that do not change while a phase runs.
    Group(usize),
    /// `TX:name`
    Slot(Slot),
    /// Values that rules may change.
    Changing(Selection),
    /// Values of `TX` with such names.
    Tx(TxSelection),
    /// `&ARGS`
    Count(Selection),
    /// `&TX:name`
    SlotCount(Slot),
}

/// Values of one variable.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) variable: Variable,
    pub(crate) names: Names,
}

/// Values of `TX`.
#[derive(Clone, Debug)]
pub(crate) struct TxSelection {
    pub(crate) names: Names,
    /// Those among the names that rules mention.
    pub(crate) slots: Box<[Slot]>,
}

/// Values, and what is done to them before rules look.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) selection: usize,
    pub(crate) chain: Chain,
    /// `multiMatch`: rules look at what each transformation makes.
    pub(crate) every_step: bool,
}

/// What a link does for each value that matches.
#[derive(Debug)]
pub(crate) enum OnMatch {
    Set(SetVariable),
    /// `initcol` and its kin: what is set behind it is set in what it opened.
    Open {
        collection: Collection,
        key: Text,
    },
}

/// `setvar`
#[derive(Debug)]
pub(crate) struct SetVariable {
    pub(crate) collection: Collection,
    pub(crate) name: VariableName,
    /// Whether it is by this that a rule leads to a refusal by another: an anomaly score.
    pub(crate) is_score: bool,
    pub(crate) operation: Operation,
}

impl OnMatch {
    /// Whether it may look at what was captured, or write there.
    pub(crate) fn concerns_captures(&self) -> bool {
        match self {
            Self::Open { key, .. } => key.concerns_captures(),
            Self::Set(SetVariable { name, operation, .. }) => {
                let name_does = match name {
                    VariableName::Slot(slot) => slot.is_capture(),
                    // A name that is put together may be that of a capture.
                    VariableName::Text(_) => true,
                };
                name_does
                    || match operation {
                        Operation::Set(value) | Operation::Add(value) | Operation::Subtract(value) => {
                            value.concerns_captures()
                        }
                        Operation::Unset => false,
                    }
            }
        }
    }
}

/// What a value is called.
#[derive(Debug)]
pub(crate) enum VariableName {
    Slot(Slot),
    Text(Text),
}

#[derive(Debug)]
pub(crate) enum Operation {
    Set(Text),
    Add(Text),
    Subtract(Text),
    Unset,
}

/// What a rule does when it holds, besides deciding.
#[derive(Debug)]
pub(crate) enum Effect {
    SetEnvironment {
        name: Text,
        value: Text,
    },
    Expire {
        collection: Collection,
        name: VariableName,
        seconds: Text,
    },
    Mode(EngineMode),
    RequestBodyAccess(bool),
    ResponseBodyAccess(bool),
    ForceRequestBodyVariable(bool),
    DetectJson(bool),
    RequestBodyProcessor(BodyProcessor),
    /// One of the rule set's exclusions.
    Exclude(usize),
    Skip(u32),
    SkipAfter(Marker),
}
