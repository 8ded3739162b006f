//! `auth`, `require` and `mfa` of a route: who may ask, and what they must hold.

use std::collections::HashSet;

use bartizan_model::Permission;

use super::identity::{NONE, Providers};
use crate::{
    Authentication, MethodRequirement, MultiFactor, Requirement, Requirements, SignatureComponent,
    file::{MethodEntry, MethodKey, Require, RequirementSet, Route},
    located::At,
    problems::Problems,
};

/// Who may use the route; `None` once a problem has been reported.
pub(crate) fn authentication(
    route: &At<Route>,
    providers: &mut Providers,
    problems: &mut Problems<'_>,
) -> Option<Authentication> {
    let Some(auth) = route.auth.as_ref() else {
        problems
            .error(route.position, "this route does not say who may use it")
            .help("add `auth` with the names of identity providers; `auth: none` makes it public");
        return None;
    };
    let names = auth.with(problems.read(auth)?).all();
    let names = problems.read_all(&names);
    if auth.is_valid() && names.is_empty() {
        problems
            .error(auth.position, "`auth` is an empty list")
            .help("list identity providers; `auth: none` makes the route public");
        return None;
    }
    if let Some(none) = names.iter().find(|name| name.as_str() == NONE) {
        if names.len() == 1 {
            return Some(Authentication::Public);
        }
        problems
            .error(none.position, "`none` makes the route public, so nothing else can be listed beside it")
            .help("leave `none` out, or write `auth: none`");
        return None;
    }
    let (mut listed, mut seen) = (Vec::new(), HashSet::new());
    for name in &names {
        if providers.is_known(name, problems) && seen.insert(name.value.clone()) {
            listed.push(name.value.clone());
        }
    }
    (!listed.is_empty()).then_some(Authentication::Required(listed))
}

/// What signatures must cover.
pub(crate) fn signed(
    route: &At<Route>,
    authentication: Option<&Authentication>,
    providers: &Providers,
    problems: &mut Problems<'_>,
) -> Vec<SignatureComponent> {
    let Some(signed) = route.signed.as_ref() else { return Vec::new() };
    if authentication.is_some_and(|authentication| !providers.accept_signatures(authentication)) {
        problems
            .error(signed.position, "`signed` on a route where nobody reads signatures with components")
            .help("list a `signature` provider under `auth`, or leave `signed` out");
    }
    super::identity::signature::components(signed, problems)
}

/// What the caller must hold.
pub(crate) fn requirements(route: &At<Route>, is_public: bool, problems: &mut Problems<'_>) -> Requirements {
    let Some(require) = route.require.as_ref() else { return Requirements::Nothing };
    if is_public {
        problems
            .error(require.position, "`require` on a public route: nobody is authenticated there")
            .help("list identity providers under `auth`, or leave `require` out");
    }
    match problems.borrow(require) {
        Some(Require::Every(set)) => requirement(&require.with(set.clone()), problems)
            .map_or(Requirements::Nothing, Requirements::Every),
        Some(Require::ByMethod(entries)) => by_method(route, entries, problems),
        None => Requirements::Nothing,
    }
}

fn by_method(route: &At<Route>, entries: &[MethodEntry], problems: &mut Problems<'_>) -> Requirements {
    let admitted: Option<HashSet<_>> = route
        .methods
        .as_ref()
        .map(|methods| methods.iter().filter_map(|method| method.value.0.clone().ok()).collect());
    let (mut methods, mut otherwise) = (Vec::new(), None);
    for (key, set) in entries {
        let method = problems.read(key);
        let requirement = problems.read(set).and_then(|value| requirement(&set.with(value), problems));
        let (Some(method), Some(requirement)) = (method, requirement) else { continue };
        match method {
            MethodKey::Otherwise => otherwise = Some(requirement),
            MethodKey::Method(method) => {
                if admitted.as_ref().is_some_and(|admitted| !admitted.contains(&method)) {
                    problems
                        .error(key.position, format!("`{method}` is not among the `methods` of this route"));
                }
                methods.push(MethodRequirement { method, requirement });
            }
        }
    }
    Requirements::ByMethod { methods, otherwise }
}

fn requirement(set: &At<RequirementSet>, problems: &mut Problems<'_>) -> Option<Requirement> {
    let (listed, make): (_, fn(Vec<Permission>) -> Requirement) = match &set.value {
        RequirementSet::All(listed) => (listed, Requirement::All),
        RequirementSet::Any(listed) => (listed, Requirement::Any),
    };
    if listed.is_empty() {
        problems
            .error(set.position, "this list of permissions is empty")
            .help("leave `require` out if being authenticated is enough");
    }
    let permissions =
        problems.read_all(listed).into_iter().map(|permission| permission.value).collect::<Vec<_>>();
    (!permissions.is_empty()).then(|| make(permissions))
}

/// Whether more than one factor is required.
pub(crate) fn multi_factor(
    route: &At<Route>,
    authentication: Option<&Authentication>,
    providers: &Providers,
    problems: &mut Problems<'_>,
) -> MultiFactor {
    let Some(mfa) = problems.read_optional(&route.mfa).filter(|mfa| mfa.value != MultiFactor::Off) else {
        return MultiFactor::Off;
    };
    match authentication {
        Some(Authentication::Public) => problems
            .error(mfa.position, "`mfa` on a public route: nobody is authenticated there")
            .help("list identity providers under `auth`, or leave `mfa` out"),
        Some(Authentication::Required(names)) if !names.iter().any(|name| providers.tell_factors(name)) => {
            problems
                .warning(
                    mfa.position,
                    "nobody can pass: only tokens and sessions say how many factors were used",
                )
                .help("list a `jwt` or `session` provider under `auth`");
        }
        _ => {}
    }
    mfa.value
}
