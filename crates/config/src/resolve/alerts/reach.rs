//! Routes that no event can reach, because one before them takes everything that they would.

use crate::{AlertRoute, located::Position, problems::Problems};

pub(super) fn check(routes: &[(AlertRoute, Position)], problems: &mut Problems<'_>) {
    for (index, (route, position)) in routes.iter().enumerate() {
        let takes_all = |(before, _): &&(AlertRoute, Position)| !before.goes_on && covers(before, route);
        if let Some((before, _)) = routes[..index].iter().find(takes_all) {
            problems
                .error(*position, format!("`{}` takes everything that this route would", before.name))
                .help("put the narrower route first, or write `continue: true` into the other");
        }
    }
}

/// Whether whatever fits `narrow` fits `wide`.
fn covers(wide: &AlertRoute, narrow: &AlertRoute) -> bool {
    let paths = wide.paths.is_empty()
        || (!narrow.paths.is_empty()
            && narrow.paths.iter().all(|path| wide.paths.iter().any(|other| other.covers(path))));
    wide.severity <= narrow.severity
        && holds(&wide.kinds, &narrow.kinds)
        && holds(&wide.rules, &narrow.rules)
        && holds(&wide.organizations, &narrow.organizations)
        && paths
        && (wide.when.is_none() || wide.when == narrow.when)
}

fn holds(wide: &[String], narrow: &[String]) -> bool {
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|value| wide.contains(value)))
}
