//! What PostgreSQL was asked, by its own log: every statement, its values, and in whose scope.

use std::collections::HashMap;

/// Whose rows a statement may see.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Scope {
    Nobody,
    Organization(String),
    Everything,
}

/// One statement as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub(super) database: String,
    pub(super) scope: Scope,
    pub(super) sql: String,
    /// `None` is `NULL`.
    pub(super) values: Vec<Option<String>>,
}

/// For `log_line_prefix`: process, database, application.
pub(super) const PREFIX: &str = "log_line_prefix=%p|%d|%a|";

/// The statements of `bartizan` in these lines.
pub(super) fn read(lines: &[String]) -> Vec<Sent> {
    let mut sent: Vec<Sent> = Vec::new();
    // Of each process: its scope in the transaction that is open, and its last statement.
    let mut scopes: HashMap<&str, Scope> = HashMap::new();
    let mut last: HashMap<&str, usize> = HashMap::new();
    for line in lines {
        let mut parts = line.splitn(4, '|');
        let (Some(process), Some(database), Some(application), Some(text)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if !application.starts_with("bartizan") {
            continue;
        }
        let is_everything = application == "bartizan whole system";
        if let Some(values) = text.strip_prefix("DETAIL:  parameters: ") {
            let Some(index) = last.get(process) else { continue };
            sent[*index].values = parse(values);
            if sent[*index].sql.starts_with("SELECT set_config('bartizan.scope'") {
                let setting = sent[*index].values[0].clone().unwrap();
                let id = setting.strip_prefix("organization:").unwrap().to_owned();
                scopes.insert(process, Scope::Organization(id));
            }
        } else if let Some((_, sql)) =
            text.strip_prefix("LOG:  execute ").and_then(|text| text.split_once(": "))
        {
            let default = if is_everything { Scope::Everything } else { Scope::Nobody };
            let scope = scopes.get(process).cloned().unwrap_or(default);
            last.insert(process, sent.len());
            sent.push(Sent { database: database.into(), scope, sql: sql.into(), values: Vec::new() });
        } else if ["COMMIT", "ROLLBACK"].iter().any(|end| text == format!("LOG:  statement: {end}")) {
            scopes.remove(process);
        }
    }
    sent
}

/// `$1 = 'one', $2 = NULL`: a quote within a value is written twice.
fn parse(text: &str) -> Vec<Option<String>> {
    let mut values = Vec::new();
    let mut rest = text;
    while let Some((_, value)) = rest.split_once(" = ") {
        let Some(quoted) = value.strip_prefix('\'') else {
            values.push(None);
            rest = value;
            continue;
        };
        let mut end = 0;
        while let Some(quote) = quoted[end..].find('\'') {
            end += quote;
            if quoted[end + 1..].starts_with('\'') {
                end += 2;
            } else {
                break;
            }
        }
        values.push(Some(quoted[..end].replace("''", "'")));
        rest = &quoted[end + 1..];
    }
    values
}

#[test]
fn values_are_read_as_they_were_sent() {
    let values = parse("$1 = 'it''s = ''x''', $2 = NULL, $3 = '', $4 = '7'");
    let expected = [Some("it's = 'x'"), None, Some(""), Some("7")];
    assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
}
