//! Operations of an API: a method and a path, as limits and costs name them.

use std::fmt;

use http::Method;

use crate::PathPattern;

/// The requests with one method, or any, for a path that matches a pattern: `POST /auth/login`, `/auth/**`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperationPattern {
    /// The method; `None`: any. `GET` also covers `HEAD`.
    pub method: Option<Method>,
    /// The path.
    pub path: PathPattern,
}

impl OperationPattern {
    /// Whether it matches a request with this method for this path (in its normal form).
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|own| covers(own, method)) && self.path.matches(path)
    }

    /// Whether some request matches this and `other`.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let methods_meet = match (&self.method, &other.method) {
            (Some(one), Some(other)) => covers(one, other) || covers(other, one),
            _ => true,
        };
        methods_meet && self.path.meets(&other.path)
    }

    /// Whether it matches every request that `other` matches.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let methods_covered = match (&self.method, &other.method) {
            (None, _) => true,
            (Some(own), Some(other)) => covers(own, other),
            (Some(_), None) => false,
        };
        methods_covered && self.path.covers(&other.path)
    }

    /// Whether a route for `path` and `methods` (empty: all) serves some request that this matches.
    pub(crate) fn is_served(&self, path: &PathPattern, methods: &[Method]) -> bool {
        let is_admitted = methods.is_empty()
            || self.method.as_ref().is_none_or(|own| {
                methods.iter().any(|admitted| covers(admitted, own) || covers(own, admitted))
            });
        is_admitted && self.path.meets(path)
    }

    /// Of two that match the same request, the more specific one is less: first by path, then by method.
    pub(crate) fn generality(&self) -> (Vec<u8>, u8) {
        let method = match &self.method {
            // `GET` matches these requests too.
            Some(method) if method == Method::HEAD => 0,
            Some(_) => 1,
            None => 2,
        };
        (self.path.generality(), method)
    }
}

impl fmt::Display for OperationPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.method {
            write!(f, "{method} ")?;
        }
        f.write_str(self.path.as_str())
    }
}

/// Whether what is said of `method` holds for a request with `requested`.
fn covers(method: &Method, requested: &Method) -> bool {
    method == requested || (method == Method::GET && requested == Method::HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forms::Forms;

    fn operation(text: &str) -> OperationPattern {
        OperationPattern::word(text).unwrap()
    }

    #[test]
    fn a_request_matches_by_method_and_path() {
        let cases = [
            ("POST /auth/login", "POST", "/auth/login", true),
            ("POST /auth/login", "GET", "/auth/login", false),
            ("POST /auth/login", "POST", "/auth/login/", true),
            ("POST /auth/login", "POST", "/auth", false),
            ("/auth/**", "DELETE", "/auth", true),
            ("/auth/**", "DELETE", "/auth/a/b", true),
            ("/auth/**", "DELETE", "/authority", false),
            ("GET /users/{id}", "HEAD", "/users/7", true),
            ("HEAD /users/{id}", "GET", "/users/7", false),
            ("/users/{id}", "GET", "/users/7/orders", false),
        ];
        for (pattern, method, path, expected) in cases {
            let method = method.parse().unwrap();
            assert_eq!(operation(pattern).matches(&method, path), expected, "{pattern}: {method} {path}");
        }
    }

    #[test]
    fn patterns_meet_where_some_request_matches_both() {
        let cases = [
            ("/a/**", "/a", true),
            ("/a/**", "/a/b/c", true),
            ("/a/*", "/a/b", true),
            ("/a/*/c", "/a/b/**", true),
            ("/a/*/c", "/*/b/d", false),
            ("/a", "/a/b", false),
            ("/a/*", "/a", false),
            ("POST /a", "GET /a", false),
            ("POST /a", "/a", true),
            ("HEAD /a", "GET /a", true),
        ];
        for (one, other, expected) in cases {
            assert_eq!(operation(one).meets(&operation(other)), expected, "{one}, {other}");
            assert_eq!(operation(other).meets(&operation(one)), expected, "{other}, {one}");
        }
    }

    #[test]
    fn a_pattern_covers_those_whose_requests_it_all_matches() {
        let cases = [
            ("/**", "POST /a/b", true),
            ("/a/**", "/a", true),
            ("/a/**", "/a/*/**", true),
            ("/a/*", "/a/{id}", true),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a", false),
            ("/a/*", "/a/**", false),
            ("/a/b", "/a/*", false),
            ("/a/b", "/a/b/c", false),
            ("/a/b", "/a/c", false),
            ("/a/*/c", "/a/*/**", false),
            ("GET /a", "HEAD /a", true),
            ("HEAD /a", "GET /a", false),
            ("GET /a", "/a", false),
            ("GET /a", "POST /a", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(operation(one).covers(&operation(other)), expected, "{one}, {other}");
            assert!(!expected || operation(one).meets(&operation(other)), "{one}, {other}");
            assert!(operation(one).covers(&operation(one)), "{one}");
        }
    }

    #[test]
    fn a_route_serves_what_it_admits() {
        let cases: [(&str, &[Method], bool); 6] = [
            ("POST /a", &[], true),
            ("POST /a", &[Method::POST], true),
            ("POST /a", &[Method::GET], false),
            ("HEAD /a", &[Method::GET], true),
            ("/a", &[Method::GET], true),
            ("/b", &[], false),
        ];
        for (text, methods, expected) in cases {
            assert_eq!(operation(text).is_served(&"/a/**".parse().unwrap(), methods), expected, "{text}");
        }
    }
}
