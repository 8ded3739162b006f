//! Expressions over claims, in [JMESPath](https://jmespath.org/specification.html).
//!
//! What one may cost is known before it is used: it has no loops, is short, and can make no more of a token than
//! [`Growth`](super::growth::Growth) allows. It sees the claims that it names and no others, so what it reads can be told from
//! its text.

use std::{fmt, str::FromStr, sync::LazyLock};

use jmespath::{
    Expression, Runtime,
    functions::{
        ContainsFn, EndsWithFn, Function, JoinFn, KeysFn, LengthFn, NotNullFn, SortFn, StartsWithFn,
        ToArrayFn, ToStringFn, TypeFn, ValuesFn,
    },
};
use serde_json::{Map, Value};

use super::{growth::Growth, reading::Reading};

/// The longest expression, in bytes.
const LONGEST: usize = 512;
/// How many brackets and prefixes one may have: each may be a level that the parser descends.
const MOST_LEVELS: usize = 48;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Runtime::new();
    let functions: [(&str, Box<dyn Function>); 12] = [
        ("contains", Box::new(ContainsFn::new())),
        ("ends_with", Box::new(EndsWithFn::new())),
        ("join", Box::new(JoinFn::new())),
        ("keys", Box::new(KeysFn::new())),
        ("length", Box::new(LengthFn::new())),
        ("not_null", Box::new(NotNullFn::new())),
        ("sort", Box::new(SortFn::new())),
        ("starts_with", Box::new(StartsWithFn::new())),
        ("to_array", Box::new(ToArrayFn::new())),
        ("to_string", Box::new(ToStringFn::new())),
        ("type", Box::new(TypeFn::new())),
        ("values", Box::new(ValuesFn::new())),
    ];
    for (name, function) in functions {
        runtime.register_function(name, function);
    }
    runtime
});

/// An expression that has been read.
#[derive(Clone, PartialEq)]
pub struct ClaimExpression {
    compiled: Expression<'static>,
    reads: Vec<Vec<String>>,
}

/// What an expression makes of these claims cannot be said: it asks something of a value of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the expression cannot be evaluated for these claims")]
pub struct Unevaluable;

impl ClaimExpression {
    /// What it makes of these claims; `null` where they say nothing.
    pub fn evaluate(&self, claims: &Map<String, Value>) -> Result<Value, Unevaluable> {
        let named = self.reads.iter().filter_map(|path| path.first());
        let seen: Map<String, Value> =
            named.filter_map(|name| Some((name.clone(), claims.get(name)?.clone()))).collect();
        let found = self.compiled.search(Value::Object(seen)).map_err(|_| Unevaluable)?;
        serde_json::to_value(&*found).map_err(|_| Unevaluable)
    }

    /// The claims that it reads, each by the names on the way to it.
    pub(crate) fn reads(&self) -> &[Vec<String>] {
        &self.reads
    }
}

impl FromStr for ClaimExpression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("this expression is longer than {LONGEST} bytes"));
        }
        let levels = text.bytes().filter(|byte| matches!(byte, b'(' | b'[' | b'{' | b'!' | b'&' | b'<'));
        if levels.count() > MOST_LEVELS {
            return Err(format!("this expression has more than {MOST_LEVELS} brackets and operators"));
        }
        let compiled = RUNTIME.compile(text).map_err(|error| {
            // Behind `jmespath:`, and counted as people do.
            let place = error.offset.saturating_add("jmespath:".len() + 1);
            format!("this is no JMESPath expression: look at character {place}")
        })?;
        Growth::of(compiled.as_ast(), &|name| RUNTIME.get_function(name).is_some())?.check()?;
        let reads = Reading::of(compiled.as_ast())?;
        Ok(Self { compiled, reads })
    }
}

impl Eq for ClaimExpression {}

impl fmt::Debug for ClaimExpression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "jmespath:{}", self.compiled.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn claims() -> Map<String, Value> {
        let claims = json!({
            "sub": "ada", "tid": "t1", "oid": "o1", "admin": true,
            "groups": ["shop-admin", "shop-viewer", "mail-admin", 7],
            "realm_access": { "roles": ["viewer"], "notes": "super_admin" },
            "resource_access": { "shop": { "roles": ["a"] }, "mail": { "roles": ["b"] } },
        });
        claims.as_object().cloned().unwrap()
    }

    #[test]
    fn an_expression_makes_something_of_the_claims_that_it_names() {
        for (text, expected) in [
            (
                "groups[?type(@) == 'string'] | [?starts_with(@, 'shop-')]",
                json!(["shop-admin", "shop-viewer"]),
            ),
            ("realm_access.roles", json!(["viewer"])),
            ("resource_access.*.roles[]", json!(["b", "a"])),
            ("join(':', [tid, oid])", json!("t1:o1")),
            ("admin && ['org_admin'] || ['viewer']", json!(["org_admin"])),
            ("not_null(nothing, sub)", json!("ada")),
            ("nothing", json!(null)),
            ("\"realm_access\".\"roles\"[0]", json!("viewer")),
        ] {
            let expression: ClaimExpression = text.parse().unwrap();
            assert_eq!(expression.evaluate(&claims()), Ok(expected), "{text}");
        }
        // What would have to be guessed refuses the token.
        let other: ClaimExpression = "groups[?starts_with(@, 'shop-')]".parse().unwrap();
        assert_eq!(other.evaluate(&claims()), Err(Unevaluable));
    }

    #[test]
    fn what_an_expression_reads_is_known_from_its_text() {
        for (text, expected) in [
            ("realm_access.roles", "realm_access/roles"),
            ("a || b && !c", "a b c"),
            ("a[?b == 'x'].c", "a"),
            ("a.[b, c.d]", "a/b a/c/d"),
            ("{x: a, y: b.c}", "a b/c"),
            ("a | b", "a/b"),
            ("(a).b", "a/b"),
            ("@.a", "a"),
            ("contains(a, b) && c[0] || d[*].e", "a b c d"),
            ("not_null(a.b, 'x')", "a/b"),
            ("a[].b[1:]", "a"),
            ("a == b", "a b"),
        ] {
            let expression: ClaimExpression = text.parse().unwrap();
            let mut read: Vec<String> = expression.reads().iter().map(|path| path.join("/")).collect();
            read.sort();
            assert_eq!(read.join(" "), expected, "{text}");
        }
        // Who takes every claim takes those that users write, whatever they are called.
        for all in [
            "@",
            "*",
            "values(@)",
            "@ || a",
            "[@]",
            "{x: @}",
            "@ == a",
            "keys(@)",
            "to_string(@)",
            "[*]",
            "@ | *",
        ] {
            let error = all.parse::<ClaimExpression>().unwrap_err();
            assert!(error.contains("every claim"), "{all}: {error}");
        }
    }

    #[test]
    fn what_an_expression_may_cost_is_bounded() {
        let doubled = |count| vec!["[@,@][]"; count].join("|");
        for costly in [
            format!("a|{}", doubled(20)),
            format!("a|{}", ["join('',[@,@])"; 20].join("|")),
            "join(a, b)".into(),
            format!("join('{}', a)", "x".repeat(300)),
            format!("a|{}", ["to_string([@])"; 10].join("|")),
            "a".repeat(LONGEST + 1),
            "(".repeat(MOST_LEVELS + 1),
            "!".repeat(MOST_LEVELS + 1),
            "map(&a, b)".into(),
            "sort_by(a, &b)".into(),
            "eval(a)".into(),
        ] {
            assert!(costly.parse::<ClaimExpression>().is_err(), "{costly}");
        }
        assert!(format!("a|{}", doubled(3)).parse::<ClaimExpression>().is_ok());
    }

    #[test]
    fn an_error_says_where_and_repeats_nothing() {
        let error = "groups[?".parse::<ClaimExpression>().unwrap_err();
        assert!(error.contains("character 1") && !error.contains("groups"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_and_no_claim_makes_it_panic(
            text in r"([a-d@*.,|&!<>=:'`\[\]\(\)\{\}? 0-9-]|\[\?|\|\||&&|join\(|length\(|sort\(|groups|'x'|`1`){0,24}"
        ) {
            if let Ok(expression) = text.parse::<ClaimExpression>() {
                let _ = expression.evaluate(&claims());
            }
        }
    }
}
