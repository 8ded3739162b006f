//! The policies of a file, each with its name and its place.

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

use bartizan_config::{Diagnostic, PolicyFile, Severity};
use cedar_policy::{ActionConstraint, Policy, PolicyId, PolicySet};

use super::{PoliciesError, error};

/// The most policies of all files together.
const MOST: usize = 10_000;

/// One policy, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its name: its annotation `@id`, or file and line.
    pub id: Box<str>,
    /// What it does to requests that it matches.
    pub effect: Effect,
    /// The file it is in.
    pub file: PathBuf,
    /// The line on which it begins.
    pub line: u32,
    /// Its text.
    pub text: Box<str>,
    /// The actions that its scope names; empty: all.
    pub actions: Vec<String>,
}

/// What a policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Permits.
    Permit,
    /// Forbids, whatever else permits.
    Forbid,
}

impl Effect {
    /// The word of the language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

/// `` `clerks` (orders.cedar:3) ``
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        let place = format!("{name}:{}", self.line);
        if *self.id == *place { write!(f, "`{place}`") } else { write!(f, "`{}` ({place})", self.id) }
    }
}

/// A policy, its statement, and where in its file it begins.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) policy: Policy,
    pub(crate) statement: Arc<Statement>,
    /// The index of its file.
    pub(crate) file: usize,
    pub(crate) offset: usize,
}

/// Reads all policies of these files.
pub(crate) fn read(files: &[PolicyFile]) -> Result<Vec<Parsed>, PoliciesError> {
    let (mut parsed, mut problems) = (Vec::new(), Vec::new());
    let mut known: HashMap<Box<str>, Arc<Statement>> = HashMap::new();
    for (index, file) in files.iter().enumerate() {
        match file.text.parse::<PolicySet>() {
            Ok(set) => {
                problems.extend(set.templates().map(|template| no_template(file, &template.to_cedar())));
                for found in in_order(file, index, &set) {
                    let statement = &found.statement;
                    if let Some(other) = known.get(&statement.id) {
                        problems.push(twice(file, &found, other));
                    } else {
                        known.insert(statement.id.clone(), Arc::clone(statement));
                        parsed.push(found);
                    }
                }
            }
            Err(errors) => problems.extend(error::all(file, &errors)),
        }
    }
    if parsed.len() > MOST {
        return Err(PoliciesError::general(format!("there are more than {MOST} policies")));
    }
    if problems.is_empty() { Ok(parsed) } else { Err(PoliciesError::new(problems)) }
}

/// The policies in the order of the file. Cedar numbers them as it finds them and keeps their texts, so each is found
/// behind the one before it.
fn in_order(file: &PolicyFile, index: usize, set: &PolicySet) -> Vec<Parsed> {
    let number = |id: &PolicyId| {
        let id: &str = id.as_ref();
        id.strip_prefix("policy").and_then(|number| number.parse::<usize>().ok()).unwrap_or(usize::MAX)
    };
    let mut policies: Vec<_> = set.policies().collect();
    policies.sort_by_key(|policy| number(policy.id()));
    let mut from = 0;
    let place = |policy: &Policy| {
        let text = policy.to_cedar().unwrap_or_default();
        let rest = file.text.get(from..).unwrap_or_default();
        let offset = from + rest.find(&text).unwrap_or_default();
        from = offset + text.len();
        let line = file.text.get(..offset).unwrap_or_default().matches('\n').count() + 1;
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let id = policy.annotation("id").filter(|id| !id.is_empty());
        let id: Box<str> = id.map_or_else(|| format!("{name}:{line}").into(), Into::into);
        let effect = match policy.effect() {
            cedar_policy::Effect::Permit => Effect::Permit,
            cedar_policy::Effect::Forbid => Effect::Forbid,
        };
        let actions = actions(&policy.action_constraint());
        let policy = policy.new_id(PolicyId::new(&id));
        let statement = Statement { id, effect, file: file.path.clone(), line, text: text.into(), actions };
        Parsed { policy, statement: Arc::new(statement), file: index, offset }
    };
    policies.into_iter().map(place).collect()
}

fn actions(constraint: &ActionConstraint) -> Vec<String> {
    let name = |action: &cedar_policy::EntityUid| action.id().unescaped().to_owned();
    match constraint {
        ActionConstraint::Any => Vec::new(),
        ActionConstraint::Eq(action) => vec![name(action)],
        ActionConstraint::In(actions) => actions.iter().map(name).collect(),
    }
}

fn no_template(file: &PolicyFile, text: &str) -> Diagnostic {
    let offset = file.text.find(text).unwrap_or_default();
    let message = "this is a template: nothing links it to a principal or a resource here".into();
    let mut problem = Diagnostic::in_file(&file.path, &file.text, offset, Severity::Error, message);
    problem.hint = Some("write the entity in the place of `?principal` or `?resource`".into());
    problem
}

fn twice(file: &PolicyFile, found: &Parsed, other: &Statement) -> Diagnostic {
    let message = format!(
        "a second policy is called `{}`: the first is in {}:{}",
        other.id,
        other.file.display(),
        other.line
    );
    Diagnostic::in_file(&file.path, &file.text, found.offset, Severity::Error, message)
}
