//! The statements in the sources of this crate, by their text.

use std::{fs, path::Path};

/// The texts of statements, or the parts of them that macros put together, in every file below this folder.
pub(super) fn statements(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            found.extend(statements(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let literals = literals(&text);
            let makers = makers(&text);
            let is_part = |before: &str| makers.iter().any(|maker| before.ends_with(maker));
            found.extend(
                literals
                    .into_iter()
                    .filter(|(before, literal)| is_statement(literal) || is_part(before))
                    .map(|(_, literal)| literal),
            );
        }
    }
    found
}

fn is_statement(text: &str) -> bool {
    let verbs = ["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH "];
    verbs.iter().any(|verb| text.starts_with(verb)) && text.contains(|letter: char| letter.is_lowercase())
}

/// How macros that put statements together are called: `name!(`.
fn makers(text: &str) -> Vec<String> {
    let bodies = text.split("macro_rules! ").skip(1);
    let names = bodies.filter(|body| body.split("\n}\n").next().is_some_and(|body| body.contains("SELECT")));
    names.map(|body| format!("{}!(", body.split_whitespace().next().unwrap())).collect()
}

/// The string literals of a file outside of comments, each with the code before it.
fn literals(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut before, mut letters) = (String::new(), text.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => {
                letters.by_ref().find(|letter| *letter == '\n');
            }
            // A quote as a character is none.
            '"' if before.ends_with('\'') => before.push('"'),
            '"' => {
                let mut literal = String::new();
                while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                    match (letter, letters.peek()) {
                        ('\\', Some('\n')) => while letters.next_if(|next| next.is_whitespace()).is_some() {},
                        ('\\', Some(_)) => literal.extend(letters.next()),
                        _ => literal.push(letter),
                    }
                }
                found.push((before.trim_end().to_owned(), literal));
                before.clear();
            }
            _ => before.push(letter),
        }
    }
    found
}

#[test]
fn statements_are_found_whole() {
    let text = "const A: &str = \"SELECT a \\\n    FROM b\"; // \"SELECT c\"\n let d = '\"'; f(\"no\");";
    let found = literals(text);
    assert_eq!(found.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), ["SELECT a FROM b", "no"]);
}
