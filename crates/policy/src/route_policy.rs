//! What one route requires, compiled to masks.

use bartizan_config::{Requirement, Requirements};
use bartizan_model::Permission;
use http::Method;

use crate::{
    Decision, Missing, PermissionIndex, PermissionSet,
    index::{Bits, permissions_of},
};

/// The compiled requirements of a route. Made by [`PermissionIndex::compile`].
#[derive(Debug, Clone)]
pub struct RoutePolicy {
    generation: u64,
    rules: Rules,
}

#[derive(Debug, Clone)]
enum Rules {
    Nothing,
    Every(Rule),
    ByMethod { methods: Box<[(Method, Rule)]>, otherwise: Option<Rule> },
}

#[derive(Debug, Clone)]
struct Rule {
    mask: Bits,
    needs: Needs,
    permissions: Box<[(Permission, Option<usize>)]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    All,
    Any,
    /// Nobody can satisfy it: it is empty, or all of it must be held and a part is unknown to the index.
    Impossible,
}

impl RoutePolicy {
    pub(crate) fn new(index: &PermissionIndex, requirements: &Requirements) -> Self {
        let rules = match requirements {
            Requirements::Nothing => Rules::Nothing,
            Requirements::Every(requirement) => Rules::Every(Rule::new(index, requirement)),
            Requirements::ByMethod { methods, otherwise } => Rules::ByMethod {
                methods: methods
                    .iter()
                    .map(|entry| (entry.method.clone(), Rule::new(index, &entry.requirement)))
                    .collect(),
                otherwise: otherwise.as_ref().map(|requirement| Rule::new(index, requirement)),
            },
        };
        Self { generation: index.generation(), rules }
    }

    /// Whether a caller that holds `held` may use `method` here.
    pub fn decide(&self, method: &Method, held: &PermissionSet) -> Decision {
        self.decide_by(Some(method), held)
    }

    /// Whether it may use a method that is not listed.
    pub(crate) fn decide_unlisted(&self, held: &PermissionSet) -> Decision {
        self.decide_by(None, held)
    }

    fn decide_by(&self, method: Option<&Method>, held: &PermissionSet) -> Decision {
        if held.generation() != self.generation {
            return Decision::Denied(Missing::default());
        }
        let rule = match &self.rules {
            Rules::Nothing => return Decision::Permitted,
            Rules::Every(rule) => rule,
            Rules::ByMethod { methods, otherwise } => {
                let listed = method.and_then(|method| rule_for(methods, method));
                match listed.or(otherwise.as_ref()) {
                    Some(rule) => rule,
                    None => return Decision::MethodNotCovered,
                }
            }
        };
        if rule.permits(held.bits()) {
            Decision::Permitted
        } else {
            Decision::Denied(rule.missing(held.bits()))
        }
    }
}

/// `HEAD` asks for a `GET` without its content (RFC 9110, section 9.3.2), so `GET` speaks for it.
fn rule_for<'a>(methods: &'a [(Method, Rule)], method: &Method) -> Option<&'a Rule> {
    let listed = |wanted: &Method| methods.iter().find(|(method, _)| method == wanted).map(|(_, rule)| rule);
    listed(method).or_else(|| if method == Method::HEAD { listed(&Method::GET) } else { None })
}

impl Rule {
    fn new(index: &PermissionIndex, requirement: &Requirement) -> Self {
        let permissions: Box<[_]> = permissions_of(requirement)
            .iter()
            .map(|permission| (permission.clone(), index.bit(permission)))
            .collect();
        let mut mask = index.no_bits();
        for bit in permissions.iter().filter_map(|(_, bit)| *bit) {
            mask.set(bit);
        }
        let unknown = permissions.iter().any(|(_, bit)| bit.is_none());
        let needs = match requirement {
            Requirement::All(_) if unknown || permissions.is_empty() => Needs::Impossible,
            Requirement::All(_) => Needs::All,
            Requirement::Any(_) => Needs::Any,
        };
        Self { mask, needs, permissions }
    }

    fn permits(&self, held: &Bits) -> bool {
        match self.needs {
            Needs::All => held.contains_all(&self.mask),
            Needs::Any => held.contains_any(&self.mask),
            Needs::Impossible => false,
        }
    }

    fn missing(&self, held: &Bits) -> Missing {
        let lacking = |bit: &Option<usize>| !bit.is_some_and(|bit| held.has(bit));
        Missing {
            permissions: self
                .permissions
                .iter()
                .filter(|(_, bit)| lacking(bit))
                .map(|(permission, _)| permission.clone())
                .collect(),
            any: self.needs == Needs::Any,
        }
    }
}
