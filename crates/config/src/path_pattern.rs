//! Path patterns of routes.
//!
//! `/api/orders/**` is matched segment by segment: a literal, `*` for exactly one segment, and `**`, at the end
//! only, for any number of segments including none. `/api` never matches `/apiary`.

/// A parsed path pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    text: String,
    segments: Vec<Segment>,
}

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Exactly this segment, in its normal form (percent-encoding undone for unreserved characters).
    Literal(String),
    /// `*` or `{name}`: any one segment.
    Any,
    /// `**`: any number of further segments, including none. Always last.
    Rest,
}

impl PathPattern {
    /// `/**`, which matches every path.
    pub(crate) fn everything() -> Self {
        Self { text: "/**".into(), segments: vec![Segment::Rest] }
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its segments, without the leading slash.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether it matches a path in its normal form. A trailing slash makes no difference.
    pub fn matches(&self, path: &str) -> bool {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        for segment in &self.segments {
            let matched = match segment {
                Segment::Literal(text) => parts.next() == Some(text),
                Segment::Any => parts.next().is_some(),
                Segment::Rest => return true,
            };
            if !matched {
                return false;
            }
        }
        parts.next().is_none()
    }

    /// Whether some path matches this and `other`.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let (mut own, mut others) = (self.segments.iter(), other.segments.iter());
        loop {
            match (own.next(), others.next()) {
                (None, None) | (Some(Segment::Rest), _) | (_, Some(Segment::Rest)) => return true,
                (Some(Segment::Literal(one)), Some(Segment::Literal(other))) if one != other => return false,
                (Some(_), Some(_)) => {}
                (Some(_), None) | (None, Some(_)) => return false,
            }
        }
    }

    /// Whether it matches every path that `other` matches.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (mut own, mut others) = (self.segments.iter(), other.segments.iter());
        loop {
            match (own.next(), others.next()) {
                (None, None) | (Some(Segment::Rest), _) => return true,
                (Some(Segment::Any), Some(Segment::Any | Segment::Literal(_))) => {}
                (Some(Segment::Literal(one)), Some(Segment::Literal(other))) if one == other => {}
                _ => return false,
            }
        }
    }

    /// Of two that match the same path, the more specific one is less: segment by segment from the left, a
    /// literal before `*`, the end before `**`.
    pub(crate) fn generality(&self) -> Vec<u8> {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Any => 1,
            Segment::Rest => 3,
        };
        self.segments.iter().map(rank).chain(std::iter::once(2)).collect()
    }
}

impl std::str::FromStr for PathPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(format!("path `{text}` must start with `/`"));
        };
        let mut segments = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if segments.last() == Some(&Segment::Rest) {
                return Err(format!("path `{text}`: `**` is allowed at the end only"));
            }
            segments.push(match part {
                "**" => Segment::Rest,
                "*" => Segment::Any,
                _ if part.starts_with('{') && part.ends_with('}') && part.len() > 2 => Segment::Any,
                _ => Segment::Literal(literal(text, part)?),
            });
        }
        Ok(Self { text: text.into(), segments })
    }
}

fn literal(pattern: &str, part: &str) -> Result<String, String> {
    if matches!(part, "." | "..") {
        return Err(format!("path `{pattern}`: dot segments never reach a route"));
    }
    // RFC 3986 `pchar` without `%`, `;` (which servers read in different ways) and `*` (the wildcard).
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&byte);
    match part.bytes().find(|&byte| !plain(byte)) {
        None => Ok(part.into()),
        Some(byte) => Err(format!(
            "path `{pattern}`: `{}` is not allowed in a literal segment (write `*` for one segment, `**` for the rest)",
            char::from(byte)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_parsed_by_segment() {
        let pattern: PathPattern = "/api/orders/{id}/*/**".parse().unwrap();
        let literal = |text: &str| Segment::Literal(text.into());
        assert_eq!(
            pattern.segments(),
            [literal("api"), literal("orders"), Segment::Any, Segment::Any, Segment::Rest]
        );
        assert_eq!("/".parse::<PathPattern>().unwrap().segments(), []);
    }

    #[test]
    fn patterns_that_could_mislead_are_refused() {
        for text in ["api", "", "/api/**/x", "/api*", "/a/../b", "/a/./b", "/a;b", "/a%2f", "/a b", "/{}"] {
            assert!(text.parse::<PathPattern>().is_err(), "{text}");
        }
    }
}
