//! Every mistake is reported at its exact place, with what to do. `§` marks where; it is not part of the document.

mod alerts;
mod events;
mod exports;
mod form;
mod identity;
mod limit_contradictions;
mod limit_doubts;
mod limits;
mod listen;
mod openid;
mod policies;
mod rendering;
mod route;
mod shared;
mod signature;
mod upstream;
mod waf;
mod warnings;

use bartizan_config::{ConfigError, Diagnostic, Severity};

use crate::{folder, parse_in, with};

/// The document without its marks, and the line and column of each.
fn marked(text: &str) -> (String, Vec<(u32, u32)>) {
    let (mut plain, mut marks, mut line, mut column) = (String::new(), Vec::new(), 1, 1);
    for character in text.chars() {
        match character {
            '§' => marks.push((line, column)),
            '\n' => {
                (line, column) = (line + 1, 1);
                plain.push(character);
            }
            _ => {
                column += 1;
                plain.push(character);
            }
        }
    }
    (plain, marks)
}

/// All diagnostics of a document: of a refused one, or the warnings of an accepted one.
fn diagnostics(text: &str) -> Vec<Diagnostic> {
    match parse_in(folder().path(), text) {
        Ok(loaded) => loaded.warnings,
        Err(ConfigError::Invalid(diagnostics)) => diagnostics,
        Err(other) => panic!("{other}"),
    }
}

/// A document, and what is said at each mark (message, part of the hint).
type Case<'a> = (String, &'a [(&'a str, &'a str)]);

fn check(cases: &[Case<'_>], severity: Severity) {
    for (text, expected) in cases {
        let (plain, marks) = marked(text);
        let found = diagnostics(&plain);
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        let shown = shown.join("\n\n");
        assert_eq!(found.len(), expected.len(), "{text}\n{shown}");
        assert_eq!(marks.len(), expected.len(), "marks of {text}");
        for ((diagnostic, (message, hint)), place) in found.iter().zip(*expected).zip(marks) {
            assert_eq!(diagnostic.message, *message, "{text}");
            assert_eq!((diagnostic.line, diagnostic.column), place, "{text}\n{shown}");
            let given = diagnostic.hint.as_deref().unwrap_or_default();
            assert!(given.contains(hint) && hint.is_empty() == given.is_empty(), "hint `{given}` of {text}");
            assert_eq!(diagnostic.severity, severity, "{text}\n{shown}");
        }
    }
}

fn jwt(keys: &str) -> String {
    with(&format!("identity: {{ a: {{ jwt: {{ issuer: i, audience: o, {keys} }} }} }}"))
        .replace("auth: none", "auth: a")
}

fn upstream(keys: &str) -> String {
    format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nupstreams: {{ app: {{ {keys} }} }}\n\
         routes: [{{ path: /, to: app, auth: none }}]\n"
    )
}

/// A document with one further route, for somebody known.
fn route(keys: &str) -> String {
    format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nidentity: {{ users: {{ jwt: {{ issuer: i, audience: o, jwks: \"https://i\" }} }} }}\n\
         routes:\n  - {{ path: /first, to: \"http://a\", auth: users }}\n  - {keys}\n"
    )
}

fn listen(keys: &str) -> String {
    format!("version: 1\nlisten: {{ {keys} }}\nroutes: [{{ path: /, to: \"http://a\", auth: none }}]\n")
}
