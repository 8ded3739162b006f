//! `policies:`, `zones:`, and what routes say of them.

use std::path::Path;

use bartizan_model::Zone;

use super::{files::Files, identity::Providers};
use crate::{
    EntityPattern, IdPart, PathPattern, Policies, PolicyFile, Route, RoutePolicy, Segment, ZoneRule,
    file::{self, Document, Entries, ZoneTable},
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    problems::Problems,
    resolve::include::Included,
    suggestion,
};

/// `policies:`, with what its files hold.
pub(crate) fn resolve(
    document: &Document,
    base: &Path,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Option<Policies> {
    let at = document.policies.as_ref()?;
    let mut read = |patterns: &At<Parsed<OneOrMany<std::path::PathBuf>>>, problems: &mut Problems<'_>| {
        let Some(listed) = problems.read(patterns) else { return Vec::new() };
        let all = problems.read_all(&patterns.with(listed).all());
        if all.is_empty() && patterns.is_valid() {
            problems.error(patterns.position, "this list of files is empty");
        }
        let Included { files: named, patterns: watched } = Included::find(&all, base, problems);
        files.watch_patterns(watched);
        let texts = named.into_iter().filter_map(|path| {
            let text = files.text(&path, patterns.position, problems)?;
            Some(PolicyFile { path, text })
        });
        texts.collect()
    };
    let policies = read(&at.files, problems);
    let schemas = at.schema.as_ref().map(|schema| read(schema, problems)).unwrap_or_default();
    let mode = at.mode.get().unwrap_or_default();
    Some(Policies { line: at.position.line(), mode, files: policies, schemas })
}

/// Who may call the zones that `zones` says something of, or that some route is in.
pub(crate) fn zones(
    file: &Optional<Entries<ZoneTable, Zone>>,
    used: &[(Zone, bartizan_model::Line)],
    problems: &mut Problems<'_>,
) -> Vec<ZoneRule> {
    let mut rules: Vec<ZoneRule> = Vec::new();
    for (key, table) in file.iter().flat_map(|zones| &zones.value.0) {
        let Some(zone) = problems.read(key) else { continue };
        let callers = problems.read_all(&table.callers).into_iter().map(|caller| caller.value).collect();
        rules.push(ZoneRule { zone, line: key.position.line(), callers });
        if !problems.failed() && !used.iter().any(|(used, _)| *used == zone) {
            problems.warning(key.position, format!("no route is in the zone `{zone}`"));
        }
    }
    for (zone, line) in used {
        if !rules.iter().any(|rule| rule.zone == *zone) {
            rules.push(ZoneRule { zone: *zone, line: *line, callers: zone.default_callers().to_vec() });
        }
    }
    rules.sort_by_key(|rule| rule.zone);
    rules
}

/// Tells of routes that nobody can call: none of their providers has callers in a zone that theirs admits. A zone that is
/// closed on purpose is none.
pub(crate) fn warn_of_closed(
    document: &Document,
    routes: &[Route],
    rules: &[ZoneRule],
    providers: &Providers,
    problems: &mut Problems<'_>,
) {
    for file in document.routes.iter().flat_map(|routes| &routes.value) {
        let resolved = routes.iter().find(|route| route.line == file.position.line());
        let (Some(route), Some(position)) = (resolved, file.zone.as_ref().map(|zone| zone.position)) else {
            continue;
        };
        let Some(rule) = rules.iter().find(|rule| Some(rule.zone) == route.zone) else { continue };
        let calling = providers.zones(&route.authentication);
        if rule.callers.is_empty()
            || calling.is_empty()
            || calling.iter().any(|zone| rule.callers.contains(zone))
        {
            continue;
        }
        let listed =
            |zones: &[Zone]| zones.iter().map(|zone| format!("`{zone}`")).collect::<Vec<_>>().join(", ");
        problems
            .warning(
                position,
                format!(
                    "nobody can call this route: the zone `{}` admits {}, and those whom `auth` names call from {}",
                    rule.zone,
                    listed(&rule.callers),
                    listed(&calling)
                ),
            )
            .help(
                "say `zone` at an identity provider (`service_zone` for the services of `token`), or admit theirs under `zones`; \
                 services and API keys of the store may have a zone of their own (`bartizan service set-zone`)",
            );
    }
}

/// What a route asks of the policies, and its zone.
pub(crate) fn of_route(
    route: &At<file::Route>,
    path: Option<&PathPattern>,
    is_public: bool,
    problems: &mut Problems<'_>,
) -> (RoutePolicy, Option<Zone>) {
    let zone = problems.read_optional(&route.zone);
    if let Some(zone) = zone.as_ref().filter(|zone| is_public && zone.value != Zone::Public) {
        problems
            .error(zone.position, format!("a public route is not in the zone `{}`", zone.value))
            .help("list identity providers under `auth`, or leave `zone` out");
    }
    let zone = zone.map(|zone| zone.value);
    let mut resolved =
        RoutePolicy { line: route.position.line(), is_asked: !is_public, ..RoutePolicy::default() };
    let Some(at) = route.policy.as_ref() else { return (resolved, zone) };
    resolved.line = at.position.line();
    let table = match problems.borrow(at) {
        Some(file::RoutePolicy::Table(table)) => table,
        Some(file::RoutePolicy::Off) => {
            resolved.is_asked = false;
            if let Some(position) = route.zone.as_ref().map(|zone| zone.position) {
                problems
                    .error(position, "`zone` on a route that asks no policies: zones are policies, too")
                    .help("leave out `zone` or `policy: off`");
            }
            return (resolved, zone);
        }
        None => return (resolved, zone),
    };
    if is_public {
        problems
            .error(at.position, "`policy` on a public route: nobody is authenticated there")
            .help("list identity providers under `auth`, or leave `policy` out");
    }
    resolved.action = problems.read_optional(&table.action).map(|action| action.value.0);
    resolved.resource = table.resource.as_ref().and_then(|entity| pattern(&entity.value, path, problems));
    let parents = table.parents.iter().flat_map(|parents| &parents.value);
    resolved.parents = parents.filter_map(|entity| pattern(&entity.value, path, problems)).collect();
    if let Some(parents) = table.parents.as_ref().filter(|_| table.resource.is_none()) {
        problems
            .error(parents.position, "`parents` without `resource`: the route belongs to its zone alone")
            .help("say under `resource` what it is that belongs to them");
    }
    (resolved, zone)
}

fn pattern(
    entity: &file::Entity,
    path: Option<&PathPattern>,
    problems: &mut Problems<'_>,
) -> Option<EntityPattern> {
    let (entity_type, id) = (problems.read(&entity.entity_type), problems.read(&entity.id));
    let id = parts(&entity.id.with(id?), path?, problems)?;
    Some(EntityPattern { entity_type: entity_type?.0, id })
}

/// `{id}` and what stands between.
fn parts(id: &At<String>, path: &PathPattern, problems: &mut Problems<'_>) -> Option<Vec<IdPart>> {
    let (mut parts, mut rest) = (Vec::new(), id.as_str());
    while let Some((text, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            problems.error(id.position, format!("`{}`: a `{{` without its `}}`", id.value));
            return None;
        };
        let names = segment_names(path);
        let Some((_, index)) = names.iter().find(|(known, _)| *known == name) else {
            let hint = suggestion::hint(name, names.iter().map(|(known, _)| *known))
                .or_else(|| Some("name segments of `path`, such as `/orders/{id}`".into()));
            problems.error(id.position, format!("the path has no segment `{{{name}}}`")).hint(hint);
            return None;
        };
        if !text.is_empty() {
            parts.push(IdPart::Text(text.into()));
        }
        parts.push(IdPart::Segment(*index));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(IdPart::Text(rest.into()));
    }
    Some(parts)
}

/// The segments of a pattern that have names, and their numbers.
fn segment_names(path: &PathPattern) -> Vec<(&str, usize)> {
    let written = path.as_str().split('/').filter(|part| !part.is_empty());
    let named = written.zip(path.segments()).enumerate().filter_map(|(index, (part, segment))| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        (*segment == Segment::Any).then_some((name, index))
    });
    named.collect()
}
