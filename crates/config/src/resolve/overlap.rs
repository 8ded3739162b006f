//! Routes that match the same requests: which one was meant cannot be told.
//!
//! Two patterns are the same if their segments are (`/users/*` and `/users/{id}`). Different patterns may match
//! the same path; there the more specific one wins, which is no ambiguity.

use std::collections::{HashMap, HashSet};

use http::Method;

use crate::{PathPattern, Segment, located::Position, problems::Problems};

/// Finds routes with the same pattern, a host in common and a method in common.
#[derive(Default)]
pub(crate) struct Overlaps(HashMap<(Vec<Segment>, Option<String>), Claims>);

/// Who has claimed which methods of one pattern and host.
#[derive(Default)]
struct Claims {
    /// The first route that admits every method.
    all: Option<Position>,
    /// The first route of each method.
    methods: HashMap<Method, Position>,
}

impl Claims {
    /// Claims `methods` (empty: all) and returns an earlier claim to one of them.
    fn claim(&mut self, methods: &[Method], position: Position) -> Option<Position> {
        let earlier = match methods {
            [] => self.all.or_else(|| self.methods.values().min().copied()),
            listed => self.all.or_else(|| listed.iter().find_map(|method| self.methods.get(method).copied())),
        };
        if methods.is_empty() {
            self.all.get_or_insert(position);
        }
        for method in methods {
            self.methods.entry(method.clone()).or_insert(position);
        }
        earlier
    }
}

impl Overlaps {
    /// Claims what a route matches, and reports an earlier route that matches the same.
    pub(crate) fn claim(
        &mut self,
        path: &PathPattern,
        hosts: &[String],
        methods: &[Method],
        position: Position,
        problems: &mut Problems<'_>,
    ) {
        let any_host = [None];
        let listed: HashSet<Option<String>> = hosts.iter().cloned().map(Some).collect();
        let hosts =
            if hosts.is_empty() { any_host.iter().collect() } else { listed.iter().collect::<Vec<_>>() };
        let mut earlier = None;
        for host in hosts {
            let claims = self.0.entry((path.segments().to_vec(), host.clone())).or_default();
            earlier = earlier.or(claims.claim(methods, position));
        }
        if let Some(earlier) = earlier {
            let message = format!(
                "the route in line {} matches the same requests as `{}` here",
                earlier.line,
                path.as_str()
            );
            problems.error(position, message).help("give the two different hosts or methods, or join them");
        }
    }
}
