//! A document about limits alone.

use std::collections::HashSet;

use super::{
    costs,
    limits::{LimitedRoute, Policies},
    routes::{hosts, methods},
};
use crate::{
    LimitsProposal, ProposedRoute,
    file::{self, Document},
    located::{At, Position},
    problems::Problems,
};

/// What `file` proposes. Whether the policies that its routes name are there, only a running gateway knows.
pub(crate) fn resolve(file: file::LimitsProposal, problems: &mut Problems<'_>) -> LimitsProposal {
    if file.limits.is_none() && file.routes.is_none() {
        problems.error(Position::START, "`limits` is missing").help(
            "write `limits` as in a configuration, or give a whole one, which begins with `version: 1`",
        );
    }
    let file::LimitsProposal { limits, routes: listed } = file;
    let document = Document { limits, ..Document::default() };
    let policies = Policies::resolve(&document, problems).into_list();
    let listed = listed.iter().flat_map(|routes| &routes.value);
    let routes = listed.filter_map(|file| route(file, problems)).collect();
    LimitsProposal { policies, routes }
}

fn route(file: &At<file::ProposedRoute>, problems: &mut Problems<'_>) -> Option<ProposedRoute> {
    let path = problems.read(&file.path);
    let hosts = hosts(&file.hosts, &file.host, problems);
    let methods = methods(&file.methods, problems);
    let listed = problems.read_optional(&file.limit).map(|listed| listed.all()).unwrap_or_default();
    let mut seen = HashSet::new();
    let mut limits = Vec::new();
    for name in problems.read_all(&listed) {
        if seen.insert(name.value.clone()) {
            limits.push(name.value);
        } else {
            problems.error(name.position, format!("`{}` is listed twice", name.value));
        }
    }
    let path = path?;
    let limited = LimitedRoute {
        path: &path,
        methods: &methods,
        authentication: None,
        authentication_line: file.position.line(),
    };
    let costs = costs::resolve(&file.cost, file.limit.is_some(), &limited, &[], problems);
    Some(ProposedRoute { path, hosts, methods, limits, costs })
}
