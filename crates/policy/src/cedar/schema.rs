//! The schema that policies are validated against: what routes and permissions say, and what the operator adds.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt::Write,
    path::PathBuf,
};

use bartizan_config::{Config, PolicyFile};
use bartizan_model::CallerType;
use cedar_policy::{Schema, SchemaFragment};
use serde_json::Value;

use super::{
    PoliciesError,
    action::{RouteActions, families},
    declared::DeclaredShapes,
    error,
};
use crate::index::{permissions_of, requirements_of};

/// The entity types that the gateway itself speaks of, and their attributes.
const OWN_TYPES: [(&str, &str); 4] =
    [("Organization", ""), ("Role", ""), ("Zone", "{ \"trust\": Long }"), ("Route", "{ \"path\": String }")];
const CALLER: &str =
    "{ \"id\": String, \"provider\": String, \"grants\": Set<String>, \"organization\"?: Organization }";
const CONTEXT: &str = "{
  \"address\": ipaddr,
  \"method\": String,
  \"path\": String,
  \"time\": datetime,
  \"mfa\": Bool,
  \"moved\": Bool,
  \"secure\": Bool,
  \"zone\": Zone,
}";

/// What the schema declares of an action.
#[derive(Debug, Default)]
struct Declared {
    groups: BTreeSet<String>,
    /// The types of what it acts on; empty: it is only a group.
    resources: BTreeSet<String>,
}

/// The whole schema, what it declares, and what of it the configuration makes; an error where it does not fit together with `own`.
pub(crate) fn compile(
    config: &Config,
    own: &[PolicyFile],
) -> Result<(Schema, DeclaredShapes, String), PoliciesError> {
    let (mut fragments, mut problems, mut defined) = (Vec::new(), Vec::new(), BTreeSet::new());
    for file in own {
        match SchemaFragment::from_cedarschema_str(&file.text) {
            Ok((fragment, _warnings)) => {
                defined.extend(entity_types(fragment.clone()));
                fragments.push(fragment);
            }
            Err(found) => problems.extend(error::all(file, &found)),
        }
    }
    if !problems.is_empty() {
        return Err(PoliciesError::new(problems));
    }
    let generated = PolicyFile { path: PathBuf::from("generated schema"), text: text(config, &defined) };
    match SchemaFragment::from_cedarschema_str(&generated.text) {
        Ok((fragment, _warnings)) => fragments.push(fragment),
        Err(found) => return Err(PoliciesError::new(error::all(&generated, &found))),
    }
    let declared = DeclaredShapes::of(&fragments);
    // What does not fit together is the fault of what was added, if anything was.
    let blamed = own.first().unwrap_or(&generated);
    let schema = Schema::from_schema_fragments(fragments).map_err(|found| {
        let nowhere = PolicyFile { text: String::new(), ..blamed.clone() };
        PoliciesError::new(error::all(&nowhere, &found))
    })?;
    Ok((schema, declared, generated.text))
}

/// What the configuration says, in the language of Cedar schemas. Types that are `defined` elsewhere are left out.
fn text(config: &Config, defined: &BTreeSet<String>) -> String {
    let (parents, actions) = (parents_by_type(config), actions(config));
    let mut text = format!("type RequestContext = {CONTEXT};\n\n");
    let declare = |name: &str, more: &str, attributes: &str| {
        let listed = parents.get(name).into_iter().flatten().map(String::as_str);
        let parents: BTreeSet<&str> =
            listed.chain(more.split(", ").filter(|name| !name.is_empty())).collect();
        let parents: Vec<_> = parents.into_iter().collect();
        let within = if parents.is_empty() { String::new() } else { format!(" in [{}]", parents.join(", ")) };
        let attributes = if attributes.is_empty() { String::new() } else { format!(" = {attributes}") };
        let (namespace, base) = name.rsplit_once("::").unwrap_or(("", name));
        let declaration = format!("entity {base}{within}{attributes};\n");
        if namespace.is_empty() { declaration } else { format!("namespace {namespace} {{ {declaration}}}\n") }
    };
    for (name, attributes) in OWN_TYPES {
        text.push_str(&declare(name, if name == "Route" { "Zone" } else { "" }, attributes));
    }
    for caller in CallerType::ALL {
        text.push_str(&declare(caller.as_str(), "Organization, Role, Zone", CALLER));
    }
    let own = |name: &str| {
        OWN_TYPES.iter().any(|(own, _)| *own == name)
            || CallerType::ALL.iter().any(|caller| caller.as_str() == name)
    };
    for name in parents.keys().filter(|name| !own(name) && !defined.contains(*name)) {
        text.push_str(&declare(name, "", ""));
    }
    text.push('\n');
    let principals: Vec<_> = CallerType::ALL.map(CallerType::as_str).into();
    for (name, Declared { groups, resources }) in actions {
        let groups: Vec<_> = groups.iter().map(|group| format!("\"{group}\"")).collect();
        let within = if groups.is_empty() { String::new() } else { format!(" in [{}]", groups.join(", ")) };
        let applies = if resources.is_empty() {
            String::new()
        } else {
            let resources: Vec<_> = resources.into_iter().collect();
            format!(
                " appliesTo {{ principal: [{}], resource: [{}], context: RequestContext }}",
                principals.join(", "),
                resources.join(", ")
            )
        };
        // INVARIANT: writing to a string does not fail.
        let _ = writeln!(text, "action \"{name}\"{within}{applies};");
    }
    text
}

/// The types that requests name, and what entities of them may belong to.
fn parents_by_type(config: &Config) -> BTreeMap<String, BTreeSet<String>> {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for policy in config.routes.iter().map(|route| &route.policy).filter(|policy| policy.is_asked) {
        let Some(resource) = &policy.resource else { continue };
        let parents = types.entry(resource.entity_type.clone()).or_default();
        parents.insert("Route".into());
        parents.extend(policy.parents.iter().map(|parent| parent.entity_type.clone()));
        for parent in &policy.parents {
            types.entry(parent.entity_type.clone()).or_default();
        }
    }
    types
}

/// The actions that requests of routes do, whose context is that of a request.
pub(crate) fn of_requests(config: &Config) -> HashSet<String> {
    let actions = actions(config).into_iter();
    actions.filter(|(_, declared)| !declared.resources.is_empty()).map(|(name, _)| name).collect()
}

/// Every action: of routes, and the permissions and families of permissions that group them.
fn actions(config: &Config) -> BTreeMap<String, Declared> {
    let mut actions: BTreeMap<String, Declared> = BTreeMap::new();
    for route in config.routes.iter().filter(|route| route.policy.is_asked) {
        let resource = route.policy.resource.as_ref().map_or("Route", |resource| &resource.entity_type);
        for action in RouteActions::of(route).all() {
            let declared = actions.entry(action.id.clone()).or_default();
            declared.groups.extend(action.groups.iter().cloned());
            declared.resources.insert(resource.into());
        }
        for permission in requirements_of(&route.require).into_iter().flat_map(permissions_of) {
            let groups = families(permission.as_str());
            actions.entry(permission.as_str().into()).or_default().groups.extend(groups);
        }
    }
    let groups: BTreeSet<String> = actions.values().flat_map(|action| action.groups.clone()).collect();
    for group in groups {
        actions.entry(group).or_default();
    }
    actions
}

/// The entity types that a fragment defines, with their namespaces.
fn entity_types(fragment: SchemaFragment) -> Vec<String> {
    let Ok(Value::Object(namespaces)) = fragment.to_json_value() else { return Vec::new() };
    let mut types = Vec::new();
    for (namespace, contents) in &namespaces {
        let names = contents.get("entityTypes").and_then(Value::as_object).into_iter().flatten();
        types.extend(names.map(|(name, _)| {
            if namespace.is_empty() { name.clone() } else { format!("{namespace}::{name}") }
        }));
    }
    types
}
