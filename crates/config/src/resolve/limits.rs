//! `limits:`, the built-in policies, and what routes take of both.

mod contradictions;
mod doubts;
mod every_request;
mod presets;
mod rules;
mod unmatched;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::SystemTime,
};

use bartizan_model::{Line, Name};
use http::Method;

use super::{expiry, identity::Providers};
use crate::{
    AllowedNetwork, Authentication, Dimension, LimitPolicy, LimitPolicyIndex, LimitRule, OperationPattern,
    PathPattern, Segment,
    file::{self, Document},
    forms::{OneOrMany, Parsed},
    located::{At, Optional, Position},
    problems::Problems,
    suggestion,
};

/// The most rules of one policy, and of all the policies of a route together: each costs every request.
const MOST_RULES: usize = 64;

/// The policies of the document, and the built-in ones that routes have asked for.
pub(crate) struct Policies {
    list: Vec<Arc<LimitPolicy>>,
    known: HashMap<Name, Known>,
    /// Those that every request meets.
    everywhere: Vec<LimitPolicyIndex>,
}

struct Known {
    index: LimitPolicyIndex,
    used: bool,
    /// The operations that its rules name, and whether some route with this policy serves them.
    operations: Vec<(At<OperationPattern>, bool)>,
}

/// What a route says of itself, for its limits and costs.
pub(crate) struct LimitedRoute<'a> {
    pub(crate) path: &'a PathPattern,
    /// Empty: all.
    pub(crate) methods: &'a [Method],
    /// `None` where it has problems of its own.
    pub(crate) authentication: Option<&'a Authentication>,
    pub(crate) authentication_line: Line,
}

impl LimitedRoute<'_> {
    /// Whether it serves some request that `rule` counts.
    fn meets(&self, rule: &LimitRule) -> bool {
        rule.on.is_empty() || rule.on.iter().any(|operation| self.serves(operation))
    }

    /// The rules of a policy that count some of its requests.
    pub(crate) fn counting<'p>(&self, policy: &'p LimitPolicy) -> impl Iterator<Item = &'p LimitRule> {
        let rules = self.authentication.map(|authentication| policy.rules_under(authentication));
        rules.into_iter().flatten().filter(|rule| self.meets(rule))
    }

    pub(crate) fn serves(&self, operation: &OperationPattern) -> bool {
        operation.is_served(self.path, self.methods)
    }
}

impl Policies {
    pub(crate) fn resolve(document: &Document, problems: &mut Problems<'_>) -> Self {
        let mut policies = Self { list: Vec::new(), known: HashMap::new(), everywhere: Vec::new() };
        for (key, entry) in document.limits.iter().flat_map(|limits| &limits.value.0) {
            let (name, written) = (problems.read(key), problems.borrow(entry));
            let Some(name) = name.map(|name| key.with(name)) else { continue };
            // A route that lists a policy with problems is not told that there is none.
            let policy = match written {
                Some(written) => policy(&name, &entry.with(written), problems),
                None => empty(&name),
            };
            policies.add(policy, written.map(operations).unwrap_or_default());
        }
        policies
    }

    fn add(&mut self, policy: LimitPolicy, operations: Vec<At<OperationPattern>>) {
        let operations = operations.into_iter().map(|operation| (operation, false)).collect();
        let index = LimitPolicyIndex(self.list.len());
        self.known.insert(policy.name.clone(), Known { index, used: false, operations });
        self.list.push(Arc::new(policy));
    }

    /// The policies that are listed under `limit` at `position`, where requests are of no route or of any. Whether rules can
    /// count there what they count by is not asked as of a route: what cannot is left out.
    fn of_no_route(
        &mut self,
        limit: &Optional<Parsed<OneOrMany<Name>>>,
        position: Position,
        providers: &Providers,
        problems: &mut Problems<'_>,
    ) -> Vec<LimitPolicyIndex> {
        let everything = PathPattern::everything();
        let route = LimitedRoute {
            path: &everything,
            methods: &[],
            authentication: None,
            authentication_line: position.line(),
        };
        self.of_route(limit, &route, providers, problems)
    }

    /// The policies that a route lists under `limit`, and then those that every request meets.
    pub(crate) fn of_route(
        &mut self,
        limit: &Optional<Parsed<OneOrMany<Name>>>,
        route: &LimitedRoute<'_>,
        providers: &Providers,
        problems: &mut Problems<'_>,
    ) -> Vec<LimitPolicyIndex> {
        let Some(listed) = problems.read_optional(limit) else { return self.everywhere.clone() };
        if listed.all().is_empty() {
            problems
                .error(listed.position, "`limit` is an empty list")
                .help("leave it out for a route without limits");
        }
        let (mut indices, mut seen, mut rules) = (Vec::new(), HashSet::new(), 0);
        for name in problems.read_all(&listed.all()) {
            let Some(index) = self.use_policy(&name, route, problems) else { continue };
            if !seen.insert(index) {
                problems.error(name.position, format!("`{}` is listed twice", name.value));
                continue;
            }
            let Some(policy) = self.get(index) else { continue };
            rules += policy.rules.len();
            if rules <= MOST_RULES {
                check(&name.with(policy), route, providers, problems);
            }
            indices.push(index);
        }
        let own = indices.len();
        for index in &self.everywhere {
            if seen.insert(*index) {
                rules += self.get(*index).map_or(0, |policy| policy.rules.len());
                indices.push(*index);
            }
        }
        if (own > 1 || indices.len() > own) && rules > MOST_RULES {
            problems.error(
                listed.position,
                format!("these policies have {rules} rules together, more than {MOST_RULES}"),
            );
        }
        indices
    }

    /// The policy with this name; reports an unknown one.
    fn use_policy(
        &mut self,
        name: &At<Name>,
        route: &LimitedRoute<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<LimitPolicyIndex> {
        if !self.known.contains_key(&name.value)
            && let Some(policy) = presets::policy(&name.value)
        {
            self.add(policy, Vec::new());
        }
        if let Some(known) = self.known.get_mut(&name.value) {
            known.used = true;
            for (operation, is_served) in &mut known.operations {
                *is_served |= route.serves(operation);
            }
            return Some(known.index);
        }
        let written = self.list.iter().filter(|policy| policy.line != Line::NONE);
        let names = written.map(|policy| policy.name.as_str()).chain(presets::names());
        let hint = if name.as_str() == "none" {
            Some("leave `limit` out for a route without limits".into())
        } else {
            suggestion::hint(name.as_str(), names)
        };
        problems.error(name.position, format!("there is no limit policy `{}`", name.value)).hint(hint);
        None
    }

    pub(crate) fn get(&self, index: LimitPolicyIndex) -> Option<&LimitPolicy> {
        self.list.get(index.0).map(AsRef::as_ref)
    }

    /// Warns of what is probably not meant; for a document without mistakes.
    pub(crate) fn warn(&self, document: &Document, problems: &mut Problems<'_>) {
        for (key, entry) in document.limits.iter().flat_map(|limits| &limits.value.0) {
            let (Ok(name), Ok(file)) = (&key.value.0, &entry.value.0) else { continue };
            let Some((known, policy)) =
                self.known.get(name).and_then(|known| Some((known, self.get(known.index)?)))
            else {
                continue;
            };
            if !known.used {
                problems.warning(key.position, format!("no route uses the limit policy `{name}`"));
                continue;
            }
            for (operation, _) in known.operations.iter().filter(|(_, is_served)| !is_served) {
                let message = format!("no route with the limit `{name}` serves `{}`", operation.value);
                problems.warning(operation.position, message);
            }
            doubts::warn(&key.with(policy), file, document, problems);
        }
    }

    pub(crate) fn into_list(self) -> Vec<Arc<LimitPolicy>> {
        self.list
    }
}

/// The built-in policy with this name.
pub(crate) fn built_in(name: &Name) -> Option<LimitPolicy> {
    presets::policy(name)
}

fn policy(name: &At<Name>, file: &At<&file::LimitPolicy>, problems: &mut Problems<'_>) -> LimitPolicy {
    if file.rules.is_empty() {
        problems
            .error(file.position, format!("`{}` has no rules", name.value))
            .help("add for example `- { per: address, rate: 100/min }`");
    } else if file.rules.len() > MOST_RULES {
        let message = format!("`{}` has {} rules, more than {MOST_RULES}", name.value, file.rules.len());
        problems.error(file.position, message);
    }
    let files = file.rules.get(..MOST_RULES).unwrap_or(&file.rules);
    let rules = rules::resolve(files, problems);
    if rules.len() == files.len() {
        contradictions::check(&rules, files, problems);
    }
    LimitPolicy {
        skip: skip(&file.skip, problems).unwrap_or_else(|| presets::skipped(&rules)),
        rules,
        allow: allow(&file.allow, SystemTime::now(), problems),
        ..empty(name)
    }
}

fn empty(name: &At<Name>) -> LimitPolicy {
    let (name, line) = (name.value.clone(), name.position.line());
    LimitPolicy { name, line, rules: Vec::new(), skip: Vec::new(), allow: Vec::new() }
}

/// `None` where the policy does not say.
fn skip(
    file: &Optional<Vec<At<Parsed<PathPattern>>>>,
    problems: &mut Problems<'_>,
) -> Option<Vec<PathPattern>> {
    let listed = file.as_ref().map(|listed| problems.read_all(listed))?;
    if let Some(all) = listed.iter().find(|path| path.segments() == [Segment::Rest]) {
        problems
            .error(all.position, "every path is skipped: this policy limits nothing")
            .help("list only what must not be counted");
    }
    Some(listed.into_iter().map(|path| path.value).collect())
}

fn allow(
    file: &Optional<Vec<At<Parsed<file::Allowed>>>>,
    today: SystemTime,
    problems: &mut Problems<'_>,
) -> Vec<AllowedNetwork> {
    let listed = file.as_ref().map(|listed| problems.read_all(listed)).unwrap_or_default();
    let mut allowed = Vec::new();
    for entry in listed {
        let (network, expires) = match entry.value.clone() {
            file::Allowed::Network(network) => (network, None),
            file::Allowed::Table(table) => {
                let expires =
                    expiry::read(&table.expires, "entry", "its network is counted", today, problems);
                let Some(network) = problems.read(&table.network) else { continue };
                (network, expires)
            }
        };
        if network.prefix_len() == 0 {
            problems
                .warning(entry.position, "everybody is allowed: this policy limits nobody")
                .help("list only networks that must not be counted");
        }
        allowed.push(AllowedNetwork { network, expires });
    }
    allowed
}

/// The operations that the rules of a policy name and that did parse.
fn operations(file: &file::LimitPolicy) -> Vec<At<OperationPattern>> {
    let listed = file.rules.iter().take(MOST_RULES).filter_map(|rule| rule.on.as_ref());
    let words = listed.filter_map(|on| Some(on.with(on.value.0.clone().ok()?).all()));
    let words = words.flat_map(|words| words.into_iter().take(rules::MOST_OPERATIONS));
    words.filter_map(|word| Some(word.with(word.value.0.clone().ok()?))).collect()
}

/// Whether the rules of a policy can do on a route what they say.
fn check(
    policy: &At<&LimitPolicy>,
    route: &LimitedRoute<'_>,
    providers: &Providers,
    problems: &mut Problems<'_>,
) {
    let Some(authentication) = route.authentication else { return };
    let rules = || policy.rules.iter().filter(|rule| rule.enabled && route.meets(rule));
    for rule in rules() {
        check_headers(&policy.with(rule), authentication, providers, problems);
        if *authentication != Authentication::Public {
            check_dimensions(&policy.with(rule), authentication, providers, problems);
        }
    }
    let is_built_in = policy.line == Line::NONE;
    if *authentication == Authentication::Public && !is_built_in {
        let limits_nobody = rules().next().is_some() && rules().all(LimitRule::needs_identity);
        for rule in rules() {
            check_anonymous(&policy.with(rule), limits_nobody, route, problems);
        }
    }
}

/// Whether a rule has nobody to count where nobody is authenticated. Beside rules that count everybody it is left out there,
/// as those of built-in policies are, so that routes of both kinds share a policy; alone it would limit nothing.
fn check_anonymous(
    rule: &At<&LimitRule>,
    limits_nobody: bool,
    route: &LimitedRoute<'_>,
    problems: &mut Problems<'_>,
) {
    let Some(dimension) = rule.per.iter().find(|dimension| dimension.needs_identity()) else { return };
    let message = format!(
        "the rule `{}` ({}) counts by `{dimension}`, and this route authenticates nobody (`auth: none`, {})",
        rule.name, rule.line, route.authentication_line
    );
    if limits_nobody {
        problems
            .error(rule.position, message)
            .help("list identity providers under `auth`, or use a policy with a rule by `address`");
    } else {
        problems
            .warning(rule.position, format!("{message}: it is left out here"))
            .help("list identity providers under `auth` for it to count");
    }
}

/// Whether some provider reads credentials from a header that a rule counts by. Which one this route asks makes no
/// difference: a client that sends its key everywhere would have it kept, and shown in statistics.
fn check_headers(
    rule: &At<&LimitRule>,
    authentication: &Authentication,
    providers: &Providers,
    problems: &mut Problems<'_>,
) {
    for dimension in &rule.per {
        let Dimension::Header(header) = dimension else { continue };
        let Some(provider) = providers.reading(header) else { continue };
        let message = format!(
            "the rule `{}` ({}) counts by `{dimension}`, which holds the credentials for `{provider}`",
            rule.name, rule.line
        );
        let instead = if *authentication == Authentication::Public {
            "count by `address`"
        } else {
            "count by `user` or `key`"
        };
        problems.error(rule.position, message).help(instead);
    }
}

/// Whether those whom the providers vouch for have what a rule counts by.
fn check_dimensions(
    rule: &At<&LimitRule>,
    authentication: &Authentication,
    providers: &Providers,
    problems: &mut Problems<'_>,
) {
    let named = rule.per.iter().find(|one| matches!(one, Dimension::Organization | Dimension::Claim(_)));
    if let (Some(dimension), [one, other, ..]) = (named, providers.foreign(authentication).as_slice())
        // Who is counted by their name as well is counted by the provider.
        && !rule.per.iter().any(|one| matches!(one, Dimension::User | Dimension::Key))
    {
        let message = format!(
            "the rule `{}` ({}) counts each `{dimension}` of `{one}` together with that of `{other}` of the same name",
            rule.name, rule.line
        );
        problems.warning(rule.position, message).help(
            "give each of them a route and a policy of its own, or count by `user`, which names the provider",
        );
    }
    for dimension in &rule.per {
        let (lacks, needed) = match dimension {
            Dimension::Key => (!providers.accept_keys(authentication), "api_key"),
            Dimension::Claim(_) => (!providers.accept_tokens(authentication), "jwt"),
            _ => continue,
        };
        if lacks {
            let message = format!(
                "the rule `{}` ({}) counts nobody here: no provider of this route gives a `{dimension}`",
                rule.name, rule.line
            );
            problems
                .warning(rule.position, message)
                .hint(format!("list a provider of the kind `{needed}` under `auth`"));
        }
    }
}
