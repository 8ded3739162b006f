//! From directives to a rule set: what is spread over files is put together, and all that can be known before the
//! first request is worked out.

mod effects;
mod link;
mod rule;
mod text;

use std::{collections::HashMap, sync::Arc};

use rule::RuleCompiler;
pub(crate) use text::{Mentioned, Piece, Slot, Text};

use crate::{
    DataFiles, Operator, Place, RuleSet, SeclangError, Settings,
    ast::{Action, Directive, DirectiveKind, Phase, Rule, RuleSelector, Target},
    buffers::Chain,
    error::Problem,
    evaluate::Workspaces,
    exclusion::{Exclusion, Names, selects},
    gate::GateIndexBuilder,
    rule_set::{
        CompiledRule, CompiledTarget, Group, Item, Marker, Number, Program, RuleInfo, Selection, TxSelection,
    },
};

/// What rules share, while they are compiled.
#[derive(Debug)]
pub(crate) struct Shared<'d> {
    data: &'d DataFiles,
    mentioned: Mentioned,
    markers: HashMap<String, Marker>,
    /// Markers that rules skip to, and where.
    skips: Vec<(String, Place)>,
    selections: Vec<Selection>,
    selections_by_target: HashMap<Target, usize>,
    groups: Vec<Group>,
    /// What `ctl` takes away, and where it says so.
    exclusions: Vec<(RuleSelector, Option<Target>)>,
    bundles: Vec<Box<[usize]>>,
    bundles_by_groups: HashMap<Box<[usize]>, usize>,
    groups_by_chain: HashMap<(usize, Chain, bool), usize>,
    gates: GateIndexBuilder,
    default_actions: HashMap<Phase, &'d [Action]>,
}

/// Compiles directives in which nothing is left to include.
pub(crate) fn compile(directives: &[Directive], data: &DataFiles) -> Result<RuleSet, SeclangError> {
    let mut shared = Shared::new(directives, data);
    let changes = Changes::of(directives);
    let mut settings = Settings::default();
    let (mut rules, mut by_id, mut signatures) = (Vec::new(), HashMap::new(), Vec::new());
    let mut programs: [Program; Phase::ALL.len()] = Default::default();
    for directive in directives {
        match &directive.kind {
            DirectiveKind::Rule(rule) => {
                let info = rule::info(rule);
                if changes.remove(&info) {
                    continue;
                }
                let updated = changes.apply(rule, &info);
                // What it says of itself may have changed, too.
                let (rule, info) = match &updated {
                    Some(updated) => (updated, rule::info(updated)),
                    None => (rule, info),
                };
                let compiled = RuleCompiler::new(&mut shared, rule).compile(info)?;
                let at = rules.len();
                by_id.insert(rule.id, at);
                programs[rule.phase as usize].items.push(item(at, &compiled));
                rules.push(compiled);
            }
            DirectiveKind::Marker(name) => {
                let marker = shared.marker(name);
                for program in &mut programs {
                    program.mark(marker);
                }
            }
            DirectiveKind::ComponentSignature(signature) => signatures.push(signature.clone()),
            DirectiveKind::Setting(setting) => settings.apply(setting),
            // Put in place by the changes, by the defaults, and by loading.
            DirectiveKind::DefaultAction { .. }
            | DirectiveKind::RemoveRules(_)
            | DirectiveKind::UpdateTargets { .. }
            | DirectiveKind::UpdateActions { .. }
            | DirectiveKind::Include(_) => {}
        }
    }
    Changes::check(directives)?;
    shared.check_skips(directives)?;
    let Shared { mentioned, selections, groups, bundles, gates, exclusions, .. } = shared;
    name_slots(&mut rules, &mentioned);
    let index = gates.build();
    let infos = || rules.iter().map(|rule: &CompiledRule| &rule.info);
    let exclusion = |(selector, target): &(RuleSelector, Option<Target>)| {
        Exclusion::among(infos(), selector, target.as_ref()).map(Arc::new)
    };
    let exclusions = exclusions.iter().map(exclusion).collect::<Result<_, _>>();
    let exclusions = exclusions.map_err(|problem| problem.at(&whole(directives)))?;
    Ok(RuleSet {
        settings,
        rules,
        programs,
        selections,
        groups,
        bundles,
        exclusions,
        index,
        mentioned,
        by_id,
        signatures,
        workspaces: Workspaces::default(),
    })
}

/// A rule whose first link asks nothing but values behind a gate sleeps until one of them opens it, and one whose
/// first link asks nothing but a number of `TX` until that is as it says.
fn item(rule: usize, compiled: &CompiledRule) -> Item {
    let Some(link) = compiled.links.first() else { return Item::Rule(rule) };
    let are_groups = || link.targets.iter().all(|target| matches!(target, CompiledTarget::Group(_)));
    let comparison =
        link.operator.as_ref().and_then(Operator::of_numbers).filter(|_| link.chain.steps().is_empty());
    match (link.bundle, comparison, &*link.targets) {
        (Some(bundle), ..) if are_groups() => Item::Gated { rule, bundle, gate: link.gate.clone() },
        (_, Some(comparison), [CompiledTarget::Slot(slot)]) => {
            Item::Numbered { rule, of: Number::Value(*slot), comparison }
        }
        (_, Some(comparison), [CompiledTarget::SlotCount(slot)]) => {
            Item::Numbered { rule, of: Number::Count(*slot), comparison }
        }
        _ => Item::Rule(rule),
    }
}

/// Names in `TX` are known once all rules are: which of them a pattern means is worked out last.
fn name_slots(rules: &mut [CompiledRule], mentioned: &Mentioned) {
    let links = rules.iter_mut().flat_map(|rule| &mut rule.links);
    for target in links.flat_map(|link| &mut link.targets) {
        if let CompiledTarget::Tx(TxSelection { names, slots }) = target {
            *slots = mentioned.iter().filter(|(_, name)| names.cover(name)).map(|(slot, _)| slot).collect();
        }
    }
}

/// Where the first directive stands: the place of what no single directive is to blame for.
fn whole(directives: &[Directive]) -> Place {
    let nowhere = || Place { file: "".into(), line: 0 };
    directives.first().map_or_else(nowhere, |directive| directive.place.clone())
}

impl<'d> Shared<'d> {
    fn new(directives: &'d [Directive], data: &'d DataFiles) -> Self {
        let default_actions = directives.iter().filter_map(|directive| match &directive.kind {
            DirectiveKind::DefaultAction { phase, actions } => Some((*phase, actions.as_slice())),
            _ => None,
        });
        Self {
            data,
            mentioned: Mentioned::new(),
            markers: HashMap::new(),
            skips: Vec::new(),
            selections: Vec::new(),
            selections_by_target: HashMap::new(),
            groups: Vec::new(),
            exclusions: Vec::new(),
            bundles: Vec::new(),
            bundles_by_groups: HashMap::new(),
            groups_by_chain: HashMap::new(),
            gates: GateIndexBuilder::default(),
            default_actions: default_actions.collect(),
        }
    }

    /// What rules of this phase do unless they say otherwise.
    fn default_actions(&self, phase: Phase) -> &'d [Action] {
        self.default_actions.get(&phase).copied().unwrap_or_default()
    }

    fn exclusion(&mut self, rules: &RuleSelector, target: Option<&Target>) -> usize {
        self.exclusions.push((rules.clone(), target.cloned()));
        self.exclusions.len() - 1
    }

    fn marker(&mut self, name: &str) -> Marker {
        let next = Marker(self.markers.len());
        *self.markers.entry(name.to_owned()).or_insert(next)
    }

    /// A marker that does not exist would take every rule after it away.
    fn check_skips(&self, directives: &[Directive]) -> Result<(), SeclangError> {
        let markers = || {
            directives.iter().filter_map(|directive| match &directive.kind {
                DirectiveKind::Marker(name) => Some(name.as_str()),
                _ => None,
            })
        };
        match self.skips.iter().find(|(name, _)| markers().all(|known| known != name)) {
            Some((name, place)) => {
                Err(Problem::invalid("skipAfter", name, "the name of a `SecMarker`").at(place))
            }
            None => Ok(()),
        }
    }

    /// Values of a variable that does not change while a phase runs, transformed.
    fn group(&mut self, target: &Target, chain: &Chain, every_step: bool) -> Result<usize, Problem> {
        let selection = if let Some(known) = self.selections_by_target.get(target) {
            *known
        } else {
            let names = Names::new(target.selector.as_ref())?;
            self.selections.push(Selection { variable: target.variable, names });
            self.selections_by_target.insert(target.clone(), self.selections.len() - 1);
            self.selections.len() - 1
        };
        let groups = &mut self.groups;
        let number =
            self.groups_by_chain.entry((selection, chain.clone(), every_step)).or_insert_with(|| {
                groups.push(Group { selection, chain: chain.clone(), every_step });
                groups.len() - 1
            });
        Ok(*number)
    }

    /// The number of these groups together.
    fn bundle(&mut self, mut groups: Vec<usize>) -> usize {
        groups.sort_unstable();
        let groups: Box<[usize]> = groups.into();
        let bundles = &mut self.bundles;
        *self.bundles_by_groups.entry(groups.clone()).or_insert_with(|| {
            bundles.push(groups);
            bundles.len() - 1
        })
    }
}

/// `SecRuleRemove...` and `SecRuleUpdate...`: they change rules wherever they stand.
struct Changes<'d> {
    removed: Vec<&'d RuleSelector>,
    targets: Vec<(&'d RuleSelector, &'d [Target])>,
    actions: Vec<(u64, u32, &'d [Action])>,
}

impl<'d> Changes<'d> {
    fn of(directives: &'d [Directive]) -> Self {
        let mut changes = Self { removed: Vec::new(), targets: Vec::new(), actions: Vec::new() };
        for directive in directives {
            match &directive.kind {
                DirectiveKind::RemoveRules(rules) => changes.removed.push(rules),
                DirectiveKind::UpdateTargets { rules, targets } => changes.targets.push((rules, targets)),
                DirectiveKind::UpdateActions { id, link, actions } => {
                    changes.actions.push((*id, *link, actions));
                }
                _ => {}
            }
        }
        changes
    }

    fn remove(&self, rule: &RuleInfo) -> bool {
        self.removed.iter().any(|removed| selects(removed, rule))
    }

    /// The rule as it is after all changes, if there are any.
    fn apply(&self, rule: &Rule, info: &RuleInfo) -> Option<Rule> {
        let mut changed = None;
        for (_, targets) in self.targets.iter().filter(|(rules, _)| selects(rules, info)) {
            changed.get_or_insert_with(|| rule.clone()).first.targets.extend_from_slice(targets);
        }
        for (_, number, actions) in self.actions.iter().filter(|(id, ..)| *id == rule.id) {
            let changed = changed.get_or_insert_with(|| rule.clone());
            let link = match number {
                0 => Some(&mut changed.first),
                number => changed.rest.get_mut(*number as usize - 1),
            };
            if let Some(link) = link {
                link.actions.extend_from_slice(actions);
            }
        }
        changed
    }

    /// A change of actions names one rule and one link, which must exist.
    fn check(directives: &[Directive]) -> Result<(), SeclangError> {
        let links = |wanted: u64| {
            directives.iter().find_map(|directive| match &directive.kind {
                DirectiveKind::Rule(rule) if rule.id == wanted => Some(rule.rest.len()),
                _ => None,
            })
        };
        for directive in directives {
            let DirectiveKind::UpdateActions { id, link, .. } = &directive.kind else { continue };
            let exists = links(*id).is_some_and(|rest| *link as usize <= rest);
            if !exists {
                let value = format!("{id}:{link}");
                let problem = Problem::invalid(
                    "SecRuleUpdateActionById",
                    &value,
                    "the id of a rule, and a link that it has",
                );
                return Err(problem.at(&directive.place));
            }
        }
        Ok(())
    }
}
