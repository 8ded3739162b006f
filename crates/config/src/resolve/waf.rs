//! `waf:`, of the document and of routes: what a route leaves out is taken from the document.

mod core_rule_set;
mod exclusions;

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::SystemTime};

use bartizan_model::Line;

use super::{files::Files, include::Included};
use crate::{
    ClassAction, CoreRuleSet, Exclusion, FilePattern, InspectedResponses, OnLargeBody, RuleSet, RuleSetIndex,
    Rules, Source, Threshold, Waf, WafMode,
    file::{self, Responses, RulesName, SensitivityName, WafModeName},
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
};

const MAX_RESPONSE: usize = 512 * 1024;
/// The most that can be held of one body: it stays in memory.
const MOST_HELD: u32 = 16 * 1024 * 1024;
/// No sum of scores comes near.
const HIGHEST_THRESHOLD: u32 = 1_000_000;
/// What browsers show and what APIs answer. Nothing that is streamed by its nature.
const RESPONSE_TYPES: [&str; 5] =
    ["text/html", "text/plain", "text/xml", "application/json", "application/xml"];

/// What the document says of the firewall, and the rule sets that routes have asked for.
pub(crate) struct Firewalls<'a> {
    source: &'a Source,
    today: SystemTime,
    default: Option<Settings>,
    sets: Vec<Arc<RuleSet>>,
    /// By what routes ask for; `None` for what is not there.
    known: HashMap<Wanted, Option<RuleSetIndex>>,
    /// What `include` says, wherever it does.
    patterns: Vec<FilePattern>,
}

/// Everything that can be said, with what was said elsewhere or nowhere in the place of what was not.
#[derive(Clone)]
struct Settings {
    position: Position,
    mode: WafModeName,
    rules: At<RulesName>,
    path: Option<At<PathBuf>>,
    include: Vec<PathBuf>,
    paranoia: u8,
    paranoia_line: Line,
    detection_paranoia: Option<u8>,
    threshold: Threshold,
    /// `None`: as much as the route lets through.
    max_body: Option<usize>,
    on_large_body: OnLargeBody,
    responses: Option<InspectedResponses>,
    actions: Vec<Arc<ClassAction>>,
    exclusions: Vec<Arc<Exclusion>>,
}

/// What makes two routes share their rules.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Wanted {
    Starter(Vec<PathBuf>),
    Core(Option<PathBuf>, Vec<PathBuf>),
}

impl<'a> Firewalls<'a> {
    pub(crate) fn resolve(
        file: &Optional<Parsed<file::Waf>>,
        source: &'a Source,
        problems: &mut Problems<'_>,
    ) -> Self {
        let mut firewalls = Self {
            source,
            today: SystemTime::now(),
            default: None,
            sets: Vec::new(),
            known: HashMap::new(),
            patterns: Vec::new(),
        };
        let written = file.as_ref().and_then(|at| Some(at.with(problems.borrow(at)?)));
        firewalls.default = written.map(|written| firewalls.settings(&written, problems));
        firewalls
    }

    /// The firewall of a route that lets bodies of `longest` bytes through; `None` if it has none.
    pub(crate) fn of_route(
        &mut self,
        file: &Optional<Parsed<file::Waf>>,
        longest: u64,
        problems: &mut Problems<'_>,
    ) -> Option<Arc<Waf>> {
        let settings = match file.as_ref() {
            Some(at) => self.settings(&at.with(problems.borrow(at)?), problems),
            None => self.default.clone()?,
        };
        let mode = match settings.mode {
            WafModeName::Block => WafMode::Block,
            WafModeName::Log => WafMode::Log,
            WafModeName::Off => return None,
        };
        let rules = self.rule_set(&settings, problems)?;
        Some(Arc::new(Waf {
            line: settings.position.line(),
            mode,
            rules,
            paranoia: settings.paranoia,
            paranoia_line: settings.paranoia_line,
            detection_paranoia: settings
                .detection_paranoia
                .map_or(settings.paranoia, |level| level.max(settings.paranoia)),
            threshold: settings.threshold,
            max_body: settings.max_body.unwrap_or_else(|| all_of(longest)),
            on_large_body: settings.on_large_body,
            responses: settings.responses,
            actions: settings.actions,
            exclusions: settings.exclusions,
        }))
    }

    /// The rule sets, and what is to be watched of them: what people edit. A rule set that is installed anew has a
    /// folder of its own.
    pub(crate) fn into_list(self, files: &mut Files<'_>) -> Vec<Arc<RuleSet>> {
        for set in &self.sets {
            if let Rules::Core(CoreRuleSet { setup, before, after, .. }) = &set.rules {
                before.iter().chain([setup]).chain(after).for_each(|file| files.watch(file));
            }
            set.include.iter().for_each(|file| files.watch(file));
        }
        files.watch_patterns(self.patterns);
        self.sets
    }

    fn settings(&mut self, written: &At<&file::Waf>, problems: &mut Problems<'_>) -> Settings {
        let mut settings = self.default.clone().unwrap_or_else(|| Settings::at(written.position));
        settings.position = written.position;
        settings.apply(written, problems);
        if let Some(include) = problems.read_optional(&written.include) {
            let all = problems.read_all(&include.all());
            let Included { files, patterns } = Included::find(&all, &self.source.base, problems);
            settings.include = files;
            self.patterns.extend(patterns);
        }
        settings.actions.extend(class_actions(&written.actions, problems));
        settings.exclusions.extend(exclusions::resolve(&written.exclude, self.today, problems));
        settings
    }

    /// The rule set that these settings name, once for all that name it.
    fn rule_set(&mut self, settings: &Settings, problems: &mut Problems<'_>) -> Option<RuleSetIndex> {
        let (include, path) = (settings.include.clone(), settings.path.as_ref());
        let wanted = match settings.rules.value {
            RulesName::Starter => Wanted::Starter(include.clone()),
            RulesName::Crs => Wanted::Core(path.map(|path| path.value.clone()), include.clone()),
        };
        if let Some(known) = self.known.get(&wanted) {
            return *known;
        }
        let rules = match settings.rules.value {
            RulesName::Starter => Some(Rules::Starter),
            RulesName::Crs => {
                core_rule_set::find(path, settings.rules.position, self.source, problems).map(Rules::Core)
            }
        };
        let index = rules.map(|rules| {
            self.sets.push(Arc::new(RuleSet { rules, include }));
            RuleSetIndex(self.sets.len() - 1)
        });
        self.known.insert(wanted, index);
        index
    }
}

impl Settings {
    fn at(position: Position) -> Self {
        Self {
            position,
            mode: WafModeName::default(),
            rules: At { value: RulesName::default(), position },
            path: None,
            include: Vec::new(),
            paranoia: 1,
            paranoia_line: Line::NONE,
            detection_paranoia: None,
            threshold: Threshold::default(),
            max_body: None,
            on_large_body: OnLargeBody::default(),
            responses: None,
            actions: Vec::new(),
            exclusions: Vec::new(),
        }
    }

    /// Puts what is written in the place of what was there.
    fn apply(&mut self, written: &At<&file::Waf>, problems: &mut Problems<'_>) {
        self.mode = written.mode.get().unwrap_or(self.mode);
        if let Some(rules) = written.rules.get() {
            self.rules = written.with(rules);
        }
        if let Some(path) = problems.read_optional(&written.path) {
            if self.rules.value != RulesName::Crs {
                problems
                    .error(path.position, "`path` has a meaning only for the Core Rule Set")
                    .help("write `rules: crs` beside it; own rule files stand under `include`");
            }
            self.path = Some(path);
        }
        if let Some(sensitivity) = written.sensitivity.get() {
            let (paranoia, threshold) = match sensitivity {
                SensitivityName::Low => (1, 10),
                SensitivityName::Medium => (1, 5),
                SensitivityName::High => (2, 3),
            };
            (self.paranoia, self.paranoia_line, self.threshold.inbound) = (paranoia, Line::NONE, threshold);
        }
        if let Some(paranoia) = level(&written.paranoia, problems) {
            (self.paranoia, self.paranoia_line) = (paranoia.value, paranoia.position.line());
        }
        if let Some(detection) = level(&written.detection_paranoia, problems) {
            if detection.value < self.paranoia {
                problems
                    .error(
                        detection.position,
                        format!("`detection_paranoia` is below the paranoia level {}", self.paranoia),
                    )
                    .help("what refuses has to look: raise it, or leave it out");
            }
            self.detection_paranoia = Some(detection.value);
        }
        if let Some(threshold) = written.threshold.as_ref() {
            self.threshold = scores(threshold, self.threshold, problems);
        }
        if written.max_body.is_some() {
            self.max_body = Some(problems.memory("max_body", &written.max_body, MOST_HELD, 0));
        }
        self.on_large_body = written.on_large_body.get().unwrap_or(self.on_large_body);
        if let Some(responses) = written.responses.as_ref().and_then(|at| problems.borrow(at)) {
            self.responses = inspected(responses, problems);
        }
    }
}

/// As much of a body as a route lets through and as can be held.
fn all_of(longest: u64) -> usize {
    usize::try_from(longest.min(u64::from(MOST_HELD))).unwrap_or(usize::MAX)
}

fn class_actions(
    file: &Optional<Vec<At<file::ClassAction>>>,
    problems: &mut Problems<'_>,
) -> Vec<Arc<ClassAction>> {
    let Some(listed) = file.as_ref() else { return Vec::new() };
    let action = |file: &At<file::ClassAction>| {
        let tag = problems.read(&file.tag)?.0;
        Some(Arc::new(ClassAction { line: file.position.line(), tag, action: file.action.value }))
    };
    listed.iter().filter_map(action).collect()
}

fn level(file: &Optional<Parsed<u32>>, problems: &mut Problems<'_>) -> Option<At<u8>> {
    let written = problems.read_optional(file)?;
    if let Ok(level @ 1..=4) = u8::try_from(written.value) {
        return Some(written.with(level));
    }
    problems
        .error(written.position, format!("`{}` is no paranoia level", written.value))
        .help("write 1, 2, 3 or 4");
    None
}

fn scores(
    file: &At<Parsed<file::Threshold>>,
    mut threshold: Threshold,
    problems: &mut Problems<'_>,
) -> Threshold {
    match problems.borrow(file) {
        Some(file::Threshold::Inbound(inbound)) => {
            threshold.inbound = score("threshold", &file.with(*inbound), problems);
        }
        Some(file::Threshold::Table(table)) => {
            if let Some(inbound) = problems.read_optional(&table.inbound) {
                threshold.inbound = score("inbound", &inbound, problems);
            }
            if let Some(outbound) = problems.read_optional(&table.outbound) {
                threshold.outbound = score("outbound", &outbound, problems);
            }
        }
        None => {}
    }
    threshold
}

fn score(key: &str, score: &At<u32>, problems: &mut Problems<'_>) -> u32 {
    if !(1..=HIGHEST_THRESHOLD).contains(&score.value) {
        let message = format!("`{key}` is {}: write a number from 1 to {HIGHEST_THRESHOLD}", score.value);
        problems.error(score.position, message);
    }
    score.value
}

fn inspected(responses: &Responses, problems: &mut Problems<'_>) -> Option<InspectedResponses> {
    let usual = || RESPONSE_TYPES.map(ToOwned::to_owned).to_vec();
    let table = match responses {
        Responses::Off => return None,
        Responses::On => return Some(InspectedResponses { max_body: MAX_RESPONSE, types: usual() }),
        Responses::Table(table) => table,
    };
    let types = table.types.as_ref().map_or_else(usual, |listed| {
        if listed.is_empty() {
            problems
                .error(listed.position, "`types` is an empty list")
                .help("write `responses: off` to look at no response");
        }
        for streamed in listed.iter().filter(|kind| {
            kind.value
                .0
                .as_ref()
                .is_ok_and(|kind| kind.0 == "text/event-stream" || kind.0.starts_with("application/grpc"))
        }) {
            problems.error(streamed.position, "this is streamed by its nature and is never held back");
        }
        problems.read_all(listed).into_iter().map(|kind| kind.value.0).collect()
    });
    let max_body = problems.memory("max_body", &table.max_body, MOST_HELD, MAX_RESPONSE);
    Some(InspectedResponses { max_body, types })
}
