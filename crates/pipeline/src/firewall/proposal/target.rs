//! What an exclusion names of a variable that has matched.

use super::super::mask;

/// Variables by which rules refer to what others matched, and counts: an exclusion cannot name them.
const NOT_EXCLUDABLE: [&str; 4] = ["MATCHED_VAR", "TX", "RULE", "&"];
/// How much of a name is known of a match: a longer one is the beginning of several.
const LONGEST: usize = bartizan_seclang::Matched::LONGEST;

/// The variable by its name, as far as that can be written and shown; a pattern for every element of the list where it is in
/// one, and where parts of the name are masked or mean something else in an exclusion. `None` where there is none.
pub(super) fn of(variable: &str) -> Option<String> {
    let (collection, name) = variable.split_once(':').unwrap_or((variable, ""));
    if NOT_EXCLUDABLE.iter().any(|other| collection.starts_with(other)) {
        return None;
    }
    if name.is_empty() {
        return Some(collection.to_owned());
    }
    if collection == "XML" {
        return Some(if name.bytes().all(is_writable) { variable } else { collection }.to_owned());
    }
    let shown = mask::whole_name(name);
    let is_plain = name.len() < LONGEST
        && shown == name
        && !name.starts_with('/')
        && !name.split('.').any(is_place)
        && name.bytes().all(is_writable);
    if is_plain {
        return Some(variable.to_owned());
    }
    let pattern = pattern(&shown);
    // A pattern for every name is the collection.
    if pattern == ANY {
        return Some(collection.to_owned());
    }
    let end = if name.len() < LONGEST { "$" } else { "" };
    Some(format!("{collection}:/^{pattern}{end}/"))
}

/// What stands between quotation marks in YAML, and ends no target.
fn is_writable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.[]()@*+=~^:/".contains(&byte)
}

/// The place of a value in a list of JSON: `array_0` of `json.items.array_0.text`.
fn is_place(step: &str) -> bool {
    let number = step.strip_prefix("array_");
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What stands for a part of a name that is masked, or that a pattern would read as something else.
const ANY: &str = ".+";

/// A pattern of letters that stand for themselves and of [`ANY`].
fn pattern(shown: &str) -> String {
    let mut pattern = String::new();
    for (number, step) in shown.split('.').enumerate() {
        if number > 0 {
            pattern.push_str("[.]");
        }
        if is_place(step) {
            pattern.push_str("array_[0-9]+");
            continue;
        }
        let mut rest = step;
        while let Some(first) = rest.chars().next() {
            let masked = mask::PLACEHOLDERS.iter().find(|masked| rest.starts_with(*masked));
            let is_itself = first.is_ascii_alphanumeric() || matches!(first, '_' | '-');
            if is_itself {
                pattern.push(first);
            } else if !pattern.ends_with(ANY) {
                pattern.push_str(ANY);
            }
            rest = rest.get(masked.map_or(first.len_utf8(), |masked| masked.len())..).unwrap_or_default();
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_exclusion_names_can_be_written_and_shown() {
        let token = "Zm9v-".repeat(9);
        let (long, deep, endless) = (
            format!("ARGS:json.{token}.id"),
            format!("ARGS:json.{}end", "step.".repeat(30)),
            format!("ARGS:json.{}", "step.".repeat(60)),
        );
        let deepest = format!("ARGS:json.{}end", "step.".repeat(30));
        let begins = format!("ARGS:/^json[.]{}s/", "step[.]".repeat(50));
        let cases = [
            ("ARGS:id", Some("ARGS:id")),
            ("ARGS:items.0.text", Some("ARGS:items.0.text")),
            ("ARGS:json.items.array_0.text", Some("ARGS:/^json[.]items[.]array_[0-9]+[.]text$/")),
            ("ARGS:json.array_12.array_3", Some("ARGS:/^json[.]array_[0-9]+[.]array_[0-9]+$/")),
            ("ARGS:json.array_x", Some("ARGS:json.array_x")),
            ("ARGS:json.array_0.a(b", Some("ARGS:/^json[.]array_[0-9]+[.]a.+b$/")),
            ("ARGS:a\" }, evil", Some("ARGS:/^a.+evil$/")),
            ("ARGS:a b", Some("ARGS:/^a.+b$/")),
            ("ARGS:ä", Some("ARGS")),
            ("ARGS:/.*/", Some("ARGS:/^.+[.].+$/")),
            ("XML:/*", Some("XML:/*")),
            ("XML://@*", Some("XML://@*")),
            ("ARGS:${HOME}", Some("ARGS:/^.+HOME.+$/")),
            ("REQUEST_BODY", Some("REQUEST_BODY")),
            ("ARGS_NAMES:ada@example.test", Some("ARGS_NAMES")),
            ("ARGS:to[ada@example.test]", Some("ARGS:/^to.+$/")),
            ("ARGS_NAMES:4111111111111111<script>", Some("ARGS_NAMES:/^.+script.+$/")),
            (long.as_str(), Some("ARGS:/^json[.].+[.]id$/")),
            (deep.as_str(), Some(deepest.as_str())),
            (&endless[..261], Some(begins.as_str())),
            ("MATCHED_VARS:x", None),
            ("TX:1", None),
            ("&REQUEST_HEADERS:User-Agent", None),
        ];
        for (name, expected) in cases {
            assert_eq!(of(name).as_deref(), expected, "{name}");
        }
    }
}
